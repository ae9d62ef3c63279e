"""One run as a row of a list: what its record says, without texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from results.prompts.optimisation import search_headline
from results.records import RunStatus  # noqa: TC001 - a field: msgspec reads it at run time
from results.store.reading.charges import usd_per_solved
from results.store.reading.run_figures import (
    family_of,
    quantization_of,
    short,
    shown_settings,
    tokens_per_s_of,
)

if TYPE_CHECKING:
    from results.records import RunRecord

_LONGEST = 300  # characters of one text of a row; models and labels may have any name


class RunRow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One run. timestamp: when it began, ISO 8601 with its zone. status: the effective one; STARTED means running now.
    family: the model's name without the quantisation. score and its 95 % interval: percent. metric: what the score is,
    such as pass@1. completions: those that were asked for; answered: those that are there so far, for a run in
    progress. search: what a search for a better prompt came to; "" if it was none. outcomes: number by `Outcome` value.
    memory_bytes: the GPU's peak, host_memory_bytes the server processes'. has_composite: whether a composite score was
    computed; composite is None where a part isn't known, and partial_composite is that of the others then. cost_usd:
    what a provider charged. settings: those that a table may show. error: why it failed.
    """

    run_id: str
    timestamp: str
    status: RunStatus
    benchmark: str
    model: str
    family: str
    quantization: str
    model_sha256: str = ""
    provider: str = ""
    server: str = ""
    server_build: str = ""
    card: str = ""
    host: str = ""
    score: float | None = None
    score_low: float | None = None
    score_high: float | None = None
    metric: str = ""
    has_composite: bool = False
    composite: float | None = None
    partial_composite: float | None = None
    samples: int | None = None
    completions: int | None = None
    answered: int | None = None
    search: str = ""
    outcomes: dict[str, int] = {}
    tokens_per_s: float | None = None
    completion_tokens: int | None = None
    memory_bytes: int | None = None
    host_memory_bytes: int | None = None
    energy_j: float | None = None
    joules_per_solved: float | None = None
    cost_usd: float | None = None
    usd_per_solved: float | None = None
    seconds: float | None = None
    load_s: float | None = None
    label: str = ""
    note: str = ""
    archived: bool = False
    sweep_id: str = ""
    rejudged_from: str = ""
    incidents: int = 0
    settings: dict[str, str] = {}
    error: str = ""

    @property
    def lost(self) -> int:
        """Answers that the infrastructure lost; the score counts them as not solved."""
        return self.outcomes.get("infrastructure_error", 0)


def run_row(record: RunRecord, status: RunStatus) -> RunRow:
    """status: the effective one."""
    score, telemetry, server = record.score, record.telemetry, record.server
    metric_name, metric = next(iter(score.metrics.items()), ("", None)) if score is not None else ("", None)
    has_score = score is not None and score.score is not None and metric is not None
    composite = record.composite
    gpus: Any = record.host.get("gpus") or ()
    cards = dict.fromkeys(str(gpu.get("name")) for gpu in gpus if isinstance(gpu, dict))
    return RunRow(
        run_id=record.run_id,
        timestamp=record.timestamp,
        status=status,
        benchmark=record.benchmark,
        model=record.model,
        family=family_of(record),
        quantization=quantization_of(record),
        model_sha256=(record.model_identity.sha256 if record.model_identity is not None else None) or "",
        provider=_text(record.config.get("provider")),
        server=server.kind if server is not None else _text(record.config.get("server")),
        server_build=_build(record),
        card=", ".join(cards),
        host=_text(record.host.get("hostname")),
        score=score.score if score is not None else None,
        score_low=100 * metric.low if has_score and metric and metric.low is not None else None,
        score_high=100 * metric.high if has_score and metric and metric.high is not None else None,
        metric=metric_name,
        has_composite=composite is not None,
        composite=composite.composite.value if composite is not None else None,
        partial_composite=composite.partial.value if composite is not None and composite.partial else None,
        samples=score.samples if score is not None else None,
        completions=score.completions if score is not None else None,
        answered=score.completions if score is not None else None,
        search=search_headline(record)[:_LONGEST],
        outcomes=score.outcomes if score is not None else {},
        tokens_per_s=tokens_per_s_of(record)[0],
        completion_tokens=score.completion_tokens if score is not None else None,
        memory_bytes=telemetry.peak_memory_bytes if telemetry is not None else None,
        host_memory_bytes=telemetry.peak_process_memory_bytes or None if telemetry is not None else None,
        energy_j=telemetry.energy_j if telemetry is not None else None,
        joules_per_solved=telemetry.joules_per_solved if telemetry is not None else None,
        cost_usd=score.cost_usd if score is not None and not score.cached else None,
        usd_per_solved=usd_per_solved(score),
        seconds=record.results.time_taken if score is None or not score.cached else None,
        load_s=record.phases.load_s,
        label=record.remarks.label,
        note=record.remarks.note,
        archived=record.remarks.archived,
        sweep_id=record.sweep.sweep_id if record.sweep is not None else "",
        rejudged_from=record.rejudged_from,
        incidents=len(record.incidents),
        settings={
            name: short(value)[:_LONGEST]
            for name, value in shown_settings(record).items()
            if value is not None
        },
        error=record.error.message[:_LONGEST] if record.error is not None else "",
    )


def _build(record: RunRecord) -> str:
    """What the server says that it is."""
    effective = record.server.effective if record.server is not None else {}
    return next((_text(effective[name]) for name in ("build", "version") if effective.get(name)), "")


def _text(value: object) -> str:
    return "" if value is None else str(value)[:_LONGEST]
