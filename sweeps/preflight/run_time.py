"""Estimate how long a run takes, from earlier runs."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from results.records import RunStatus
from settings.samples.shards import Shard

if TYPE_CHECKING:
    from collections.abc import Sequence

    from results.records import RunRecord
    from runner.spec import RunSpec


@dataclass(frozen=True)
class Expected:
    """An estimate. seconds: the script's time for `completions`. load_s: the server's start; None if unknown.

    because: what the estimate is based on.
    """

    seconds: float
    completions: int
    load_s: float | None
    because: str


@dataclass(frozen=True)
class _Past:
    """A useful earlier run. fixed_s: the script's time besides generating, for any number of samples.

    completion_s: while all slots are busy. One answer alone takes as long as one in each slot.
    """

    record: RunRecord
    completion_s: float
    fixed_s: float


def expected(spec: RunSpec, history: Sequence[RunRecord]) -> Expected | None:
    """Estimate a run's time; None if nothing similar has run undisturbed, or the number of samples isn't known.

    The seconds per completion come from the latest run of the same benchmark, model and GPU layers (preferably with the
    same slots). Otherwise they come from runs of the same benchmark on the same kind of server, scaled by the model's
    size, because generating a token reads the whole model.
    """
    past = [each for record in history if (each := _past(record, spec)) is not None]
    completions = _completions(spec, past)
    if completions is None or not past:
        return None
    same = [each for each in past if _same_model(each.record, spec)]
    if same:
        best = max(same, key=lambda each: (_same_slots(each.record, spec), each.record.timestamp))
        because = f"as in {best.record.run_id}"
        seconds = best.fixed_s + best.completion_s * max(completions, _slots(best.record))
        return Expected(seconds, completions, best.record.phases.load_s, because)
    size = _size(spec)
    sized = [each for each in past if _size_of(each.record) and _same_kind(each.record, spec)]
    if not size or not sized:
        return None
    ratios = [each.completion_s / _size_of(each.record) for each in sized]
    loads = [
        each.record.phases.load_s / _size_of(each.record)
        for each in sized
        if each.record.phases.load_s is not None
    ]
    return Expected(
        statistics.median(each.fixed_s for each in sized) + statistics.median(ratios) * size * completions,
        completions,
        statistics.median(loads) * size if loads else None,
        f"by size, from {len(sized)} {'run' if len(sized) == 1 else 'runs'} of other models or settings",
    )


def _past(record: RunRecord, spec: RunSpec) -> _Past | None:
    score, script_s = record.score, record.phases.script_s
    if record.status is not RunStatus.SUCCEEDED or record.benchmark != spec.benchmark.name:
        return None
    disturbed = record.telemetry is not None and record.telemetry.not_comparable
    if record.resumed or record.incidents or record.rejudged_from or record.shards or disturbed:
        return None
    if record.config.get("max_tokens") != spec.asked["max_tokens"]:
        return None
    if score is None or not score.completions or not script_s:
        return None
    generated_s = record.phases.generate_s
    generate_s = script_s if generated_s is None else min(generated_s, script_s)
    return _Past(record, generate_s / max(score.completions, _slots(record)), script_s - generate_s)


def _slots(record: RunRecord) -> int:
    """The server's slots; 1 if they aren't known."""
    slots = record.config.get("parallel")
    return slots if isinstance(slots, int) and slots > 0 else 1


def _completions(spec: RunSpec, past: Sequence[_Past]) -> int | None:
    """The number of completions: samples (from --limit or an earlier full run) times completions per sample."""
    full = [
        each.record.score.samples
        for each in past
        if each.record.score and each.record.score.samples
        if each.record.config.get("limit") is None and not each.record.is_shard
    ]
    known = [each for each in (spec.asked["limit"], *full[-1:]) if each is not None]
    if not known:
        return None
    shard = spec.asked["shard"]
    samples = len(Shard.read(shard).of(range(min(known)))) if shard else min(known)
    return samples * (spec.asked["n_samples"] or 1)


def _same_model(record: RunRecord, spec: RunSpec) -> bool:
    model, before = spec.server.model, record.model_identity
    if model is None:
        return record.config.get("base_url") == spec.config().get("base_url")
    path = str(model.path.absolute()) if model.path else None
    known = path is not None and before is not None and before.path == path
    same_name = record.model == model.name and (before is None or before.size_bytes == _size(spec))
    return (known or same_name) and record.config.get("gpu_layers") == spec.server.gpu_layers


def _same_kind(record: RunRecord, spec: RunSpec) -> bool:
    """Whether it is the same kind of server, and both or neither compute on the processors alone."""
    same_server = record.config.get("server", spec.server.kind) == spec.server.kind
    return same_server and (record.config.get("gpu_layers") == 0) == (spec.server.gpu_layers == 0)


def _same_slots(record: RunRecord, spec: RunSpec) -> bool:
    return spec.server.parallel is None or record.config.get("parallel") == spec.server.parallel


def _size_of(record: RunRecord) -> int:
    return (record.model_identity.size_bytes if record.model_identity else None) or 0


def _size(spec: RunSpec) -> int:
    model = spec.server.model
    return sum(file.stat().st_size for file in model.files()) if model else 0
