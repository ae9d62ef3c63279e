"""What a run of kld is compared with: a model that is served first, an earlier run, or nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from results.errors import BenchError, ResultsError, UsageError
from results.files import read_file
from results.stats.divergence import KldReference, kld_result
from runner.fingerprint import digest
from runner.kld.predictions_cache import is_there
from runner.kld.way import names_model
from runner.program_age import changed_s
from servers.lora import adapter_contents
from servers.models import content_sha256, resolve
from settings.benchmark_settings import KLD_TOP, KLD_WINDOW
from settings.secrets import without_secrets
from settings.setting import Determines

if TYPE_CHECKING:
    from results.records import RunRecord
    from results.store.runs import Runs
    from runner.spec import RunSpec
    from servers.models import Model
    from servers.plan import LaunchPlan
    from servers.request import ServerRequest

WAYS = ("auto", "served", "llama-perplexity")
# What changes predictions, and is measured: a reference is served without it.
_MEASURED = (
    "-ctk",
    "--cache-type-k",
    "-ctv",
    "--cache-type-v",
    "-fa",
    "--flash-attn",
    "--kv-cache-dtype",
)
# Settings that hardly change predictions, so that they don't make another reference.
_HARDLY = frozenset(
    {"model", "server", "server_binary", "health_path", "base_url", "parallel", "ctx_size"}
    | {"gpu_memory_utilization", "server_args"}
)
_DTYPES = {"bfloat16": "BF16", "float16": "F16", "float32": "F32"}


@dataclass(frozen=True, kw_only=True)
class KldChoice:
    """model: the reference to serve first. key: of an earlier run's predictions. Both None: nothing to compare with."""

    model: Model | None = None
    key: str | None = None


def choose(spec: RunSpec, runs: Runs) -> KldChoice:
    """Find what the run is compared with. Raises UsageError, ResultsError before anything starts."""
    text: str | None = spec.asked["kld_reference"]
    if text is None:
        return KldChoice()
    if names_model(text):
        return KldChoice(model=_served_by_us(spec, resolve(text)))
    try:
        record = runs.find(text).before
    except BenchError as no_run:
        try:
            model = resolve(text)
        except UsageError as no_model:
            raise UsageError(
                f"--kld-reference {text} is neither a model ({no_model.message}) nor a run ({no_run.message})",
                hint="give a .gguf file, or the id of a run of kld without --kld-reference",
                settings=("kld_reference",),
            ) from no_run
        return KldChoice(model=_served_by_us(spec, model))
    return KldChoice(key=_key_of(record, spec))


def reference_request(spec: RunSpec, model: Model) -> ServerRequest:
    """How the reference is served: like the model, but without what is measured."""
    return replace(spec.server, model=model, port=None, extra_args=_without_measured(spec.server.extra_args))


def key_of(spec: RunSpec, request: ServerRequest, plan: LaunchPlan, *, run_id: str, text_sha256: str) -> str:
    """By what the predictions of a served model are found: everything that determines them. Reads the model's file the
    first time. A server that was already running may serve something else next time, so that its run's id counts.
    """
    return digest(
        {
            "model": _content(request.model) if request.model is not None else None,
            "run": run_id if request.model is None or changed_s(plan) is None else None,
            "program": [plan.kind, plan.argv[:1], changed_s(plan)],
            "text": text_sha256,
            "window": int(spec.asked["kld_window"] or KLD_WINDOW),
            "top": int(spec.asked["kld_top"] or KLD_TOP),
            "served": served_with(spec, request),
        }
    )[:24]


def served_with(spec: RunSpec, request: ServerRequest) -> dict[str, Any]:
    """The settings that shape predictions, for a record."""
    given = {
        name: value
        for name, value in spec.asked.recorded().items()
        if spec.asked.table[name].determines is Determines.SERVER and name not in _HARDLY
    }
    if spec.asked["lora"]:
        given["lora"] = adapter_contents(spec.asked["lora"])
    if request.extra_args:
        given["server_args"] = list(without_secrets(request.extra_args))
    return given


def facts_of(spec: RunSpec, request: ServerRequest, *, name: str, run_id: str) -> KldReference:
    """What a record says of a reference. Reads the model's file the first time."""
    model = request.model
    return KldReference(
        name=name,
        sha256=content_sha256(model) if model is not None else None,
        quantization=precision_of(model),
        served=served_with(spec, request),
        run_id=run_id,
    )


def precision_of(model: Model | None) -> str | None:
    """The type of a model's weights, such as "Q8_0" or "BF16"; None if its files don't say."""
    if model is None:
        return None
    if model.header is not None:
        return model.header.quantization
    try:
        config = json.loads(read_file(model.path / "config.json")) if model.path else {}
        quantized = config.get("quantization_config")
        if quantized:
            return str(quantized.get("quant_method") or "a quantisation")[:40]
        dtype = config.get("torch_dtype") or config.get("dtype")
    except (OSError, ValueError, AttributeError, RecursionError):
        return None
    return _DTYPES.get(dtype) if isinstance(dtype, str) else None


def _content(model: Model) -> str:
    return content_sha256(model) or model.name


def _served_by_us(spec: RunSpec, model: Model) -> Model:
    if spec.server.kind == "attach":
        raise UsageError(
            f"--kld-reference {model.name}: bench_runner starts no second server beside one that is running",
            hint="run kld without --kld-reference while the server has the reference, then give that run's id here",
            settings=("kld_reference", "base_url"),
        )
    return model


def _key_of(record: RunRecord | None, spec: RunSpec) -> str:
    result = kld_result(record.score.details) if record is not None and record.score is not None else None
    if record is None or result is None:
        name = record.run_id if record is not None else "it"
        raise UsageError(
            f"--kld-reference: {name} is not a finished run of kld",
            hint="run kld on the reference without --kld-reference, and give that run's id",
            settings=("kld_reference",),
        )
    if not result.key:
        with_what = result.reference.name if result.reference is not None else "another"
        raise UsageError(
            f"--kld-reference: {record.run_id} was itself compared, with {with_what}",
            hint="run kld on its model without --kld-reference, and give that run's id",
            settings=("kld_reference",),
        )
    for name, was, default in (("kld_window", result.window, KLD_WINDOW), ("kld_top", result.top, KLD_TOP)):
        now = int(spec.asked[name] or default)
        if was != now:
            option = spec.asked.table[name].option
            raise UsageError(
                f"--kld-reference: {record.run_id} was measured with {option} {was}, not {now}",
                hint=f"give {option} {was}",
                settings=("kld_reference", name),
            )
    if not is_there(result.key):
        raise ResultsError(
            f"the predictions of {record.run_id} are no longer in the cache",
            hint=f"make them again: rerun {record.run_id}, and give the new run's id",
        )
    return result.key


def _without_measured(words: tuple[str, ...]) -> tuple[str, ...]:
    """The server's own options, without those that are measured and their values."""
    kept: list[str] = []
    skip = False
    for word in words:
        name, equals, _ = word.partition("=")
        if name.replace("_", "-") in _MEASURED:
            skip = not equals
        elif skip and not word.startswith("-"):
            skip = False
        else:
            skip = False
            kept.append(word)
    return tuple(kept)
