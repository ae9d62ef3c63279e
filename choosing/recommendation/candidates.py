"""What there is to choose from: each model with each type of KV cache, if it fits; why others don't."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from choosing.recommendation.constraints import OUTPUT_TOKENS, SHUFFLE, SPEED_REQUESTS
from results.errors import UsageError
from runner.fingerprint import digest
from servers.capacity.fit import Fitting, kv_args
from servers.capacity.memory_estimate import ALL_LAYERS
from servers.models import resolve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from choosing.recommendation.constraints import Constraints, Question
    from servers.capacity.fit import Fit
    from servers.models import Model
    from settings.asked import Asked

_GIB = 1 << 30


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One server configuration. text: for --model. key: identifies it. caveats: of the estimate of its memory."""

    key: str
    label: str
    text: str
    model: Model
    kv_type: str
    fit: Fit
    size_bytes: int
    caveats: tuple[str, ...] = ()

    @property
    def bits_per_weight(self) -> float | None:
        count = self.model.header.parameter_count if self.model.header else None
        return 8 * self.size_bytes / count if count else None


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """One that can't be chosen, and why, as a sentence without a full stop. failed: it might be chosen otherwise: its
    runs failed, or don't say what was asked for. disturbed: what makes its speed doubtful; run_id: of that speed.
    """

    key: str
    label: str
    path: str
    kv_type: str
    why: str
    failed: bool = False
    disturbed: str = ""
    run_id: str = ""


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """fitting: heaviest first. choice_id: the same for the same models and server settings."""

    fitting: tuple[Candidate, ...]
    left_out: tuple[LeftOut, ...]
    choice_id: str


def find_candidates(question: Question) -> Candidates:
    """Every model with every type of KV cache. Raises UsageError if no model can be read."""
    constraints = question.constraints
    fitting: list[Candidate] = []
    left_out: list[LeftOut] = []
    models: dict[str, Model] = {}
    broken: list[UsageError] = []
    for text in question.models:
        try:
            model = resolve(text)
            if model.kind != "gguf":
                raise UsageError(
                    f"{text} is not a GGUF file", hint="recommend chooses among GGUF files for llama-server"
                )
            models[text] = model
        except UsageError as error:
            broken.append(error)
            left_out.append(_left_out(text, text, "", "", error.message))
    if not models:
        raise broken[0]
    labels = _labels(models, constraints.kv_types)
    for text, model in models.items():
        try:
            fitted = Fitting(model, constraints.room, estimator=question.estimator)
        except UsageError as error:
            left_out.append(_left_out(text, model.name, str(model.path), "", error.message))
            continue
        for kv_type in constraints.kv_types:
            label = labels[text, kv_type]
            fit = fitted.most_slots(
                kv_type, constraints.ctx_size, gpu_layers=ALL_LAYERS if constraints.on_cards else 0
            )
            if why := _why_not(fitted, fit, constraints):
                left_out.append(_left_out(text, label, str(model.path), kv_type, why))
                continue
            fitting.append(
                Candidate(
                    key=_key(text, kv_type),
                    label=label,
                    text=text,
                    model=model,
                    kv_type=kv_type,
                    fit=fit,
                    size_bytes=sum(file.stat().st_size for file in model.files()),
                    caveats=fitted.caveats,
                )
            )
    fitting.sort(key=lambda each: (-(each.bits_per_weight or 0.0), -each.size_bytes, each.label))
    return Candidates(
        fitting=tuple(fitting),
        left_out=tuple(left_out),
        choice_id=_choice_id(question, fitting),
    )


def speed_asked(candidate: Candidate, question: Question) -> Asked:
    """The run that measures how fast a chat is, with an empty and with a full context."""
    return _server_asked(candidate, question, question.common).but(
        benchmark="speed",
        depths=f"0,{question.constraints.depth}",
        output_tokens=str(OUTPUT_TOKENS),
        requests=str(SPEED_REQUESTS),
    )


def benchmark_asked(
    candidate: Candidate, question: Question, benchmark: str, *, limit: int | None = None
) -> Asked:
    """The run of a benchmark, on the very server that would be recommended. limit: fewer samples than are asked for."""
    asked = _server_asked(candidate, question, question.benchmarks[benchmark]).but(benchmark=benchmark)
    asked = asked if limit is None else asked.but(limit=limit)
    return asked if asked["limit"] is None else asked.but(shuffle=SHUFFLE)


def kld_asked(candidate: Candidate, question: Question, kld: Asked) -> Asked:
    """The run that says how far its predictions are from a reference's."""
    return _server_asked(candidate, question, kld).but(benchmark="kld")


def _server_asked(candidate: Candidate, question: Question, asked: Asked) -> Asked:
    constraints = question.constraints
    return asked.but(
        model=candidate.text,
        ctx_size=constraints.ctx_size,
        parallel=constraints.parallel,
        gpu_layers=ALL_LAYERS if constraints.on_cards else None,
        server_args=(*question.server_args, *kv_args(candidate.kv_type)) or None,
    )


def _why_not(fitted: Fitting, fit: Fit, constraints: Constraints) -> str:
    """Why it doesn't fit, or ""."""
    if fitted.trained and constraints.ctx_size > fitted.trained:
        return f"it was trained for {fitted.trained:,} tokens of context, not {constraints.ctx_size:,}"
    if fit.parallel >= constraints.parallel:
        return ""
    slots = "one slot" if constraints.parallel == 1 else f"{constraints.parallel} slots"
    one = "" if constraints.parallel == 1 else " for one slot"
    size = f"{constraints.ctx_size:,} tokens in {slots}"
    if not constraints.on_cards:
        needed, there = fit.memory.host_bytes, constraints.room.host_bytes
        return f"{size} need {needed / _GIB:.1f} GiB{one}, and {there / _GIB:.1f} GiB count"
    needed, there = sum(fit.cards_bytes), sum(constraints.room.cards)
    if needed > there:
        return f"{size} need {needed / _GIB:.1f} GiB{one} with all layers on the card, which has {there / _GIB:.1f}"
    host = fit.memory.host_bytes
    if host > constraints.room.host_bytes:
        return f"{size} need {host / _GIB:.1f} GiB of the host, which has {constraints.room.host_bytes / _GIB:.1f}"
    return f"{size} don't fit: {fit.parallel} do"


def _left_out(text: str, label: str, path: str, kv_type: str, why: str) -> LeftOut:
    return LeftOut(key=_key(text, kv_type), label=label, path=path, kv_type=kv_type, why=why)


def _key(text: str, kv_type: str) -> str:
    return f"{text} {kv_type}".rstrip()


def _labels(models: dict[str, Model], kv_types: Sequence[str]) -> dict[tuple[str, str], str]:
    """The model's name, with its path if two have the same, and the type of the cache if there are several."""
    names = [model.name for model in models.values()]
    found = {}
    for text, model in models.items():
        name = model.name if names.count(model.name) == 1 else f"{model.name} ({text})"
        for kv_type in kv_types:
            found[text, kv_type] = f"{name}, KV {kv_type}" if len(kv_types) > 1 else name
    return found


def _choice_id(question: Question, fitting: Sequence[Candidate]) -> str:
    constraints = question.constraints
    return digest(
        {
            "candidates": sorted(f"{each.key} {each.size_bytes}" for each in fitting),
            "ctx_size": constraints.ctx_size,
            "parallel": constraints.parallel,
            "on_cards": constraints.on_cards,
            "server_args": list(question.server_args),
        }
    )[:12]
