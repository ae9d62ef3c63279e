"""What the shards of a run are together: sums where there are, the worst where not, and what differs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec

from results.records import Outcome, Phases, Results, ServerFacts
from results.stats.machines import kind_of, machine_text, shards_text
from results.sweep_place import ShardFacts
from results.telemetry import TelemetrySummary
from settings.samples.shards import SERVER_WARNINGS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from results.records import RunRecord, Score

_OF_ALL = ("sampling", "sandbox")  # of a score's details: what a script says of its server and its machine


def shard_facts(record: RunRecord) -> ShardFacts:
    """What the whole run says of a shard."""
    score, telemetry = record.score, record.telemetry
    return ShardFacts(
        run_id=record.run_id,
        shard=str(record.config.get("shard", "")),
        completions=score.completions if score else None,
        began=record.timestamp,
        time_taken_s=record.results.time_taken,
        generate_s=score.generate_s if score else None,
        energy_j=telemetry.energy_j if telemetry else None,
        host=str(record.host.get("hostname") or ""),
        gpus=_gpus(record),
    )


def summed_score(score: Score, shards: Sequence[RunRecord]) -> Score:
    """The score, as the script gave it, with what only the shards know."""
    scores = [record.score for record in shards if record.score is not None]
    details = {**score.details}
    for name in _OF_ALL:
        if scores and name in scores[0].details:
            details[name] = scores[0].details[name]
    details["new_completions"] = _sum(each.details.get("new_completions") for each in scores)
    details["tokens_per_s"] = _speed(scores)
    spent = [each.details["spent"] for each in scores if isinstance(each.details.get("spent"), dict)]
    if spent:
        details["spent"] = {name: _sum(each.get(name) for each in spent) for name in spent[0]}
    of_servers = [str(warning) for each in scores for warning in each.details.get(SERVER_WARNINGS) or ()]
    return msgspec.structs.replace(
        score,
        generate_s=_sum(each.generate_s for each in scores),
        details=details,
        warnings=tuple(dict.fromkeys((*score.warnings, *of_servers, *_differences(shards)))),
    )


def summed_results(shards: Sequence[RunRecord]) -> Results:
    """Its seconds are those of all shards together, whatever ran at the same time."""
    return Results(time_taken=_sum(record.results.time_taken for record in shards))


def summed_phases(shards: Sequence[RunRecord]) -> Phases:
    """Of all shards together. A shard that found its server running had none to load or to stop."""
    known = {name: [getattr(record.phases, name) for record in shards] for name in Phases.__struct_fields__}
    for name in ("load_s", "stop_s"):
        known[name] = [value for value in known[name] if value is not None]
    return Phases(**{name: _sum(values) for name, values in known.items()})


def summed_telemetry(shards: Sequence[RunRecord], score: Score | None) -> TelemetrySummary | None:
    """Energy and counts in sum, memory of the shard that needed most. None unless every shard was measured."""
    measured = [record.telemetry for record in shards if record.telemetry is not None]
    if not measured or len(measured) < len(shards):
        return None
    energy_j = _sum(each.energy_j for each in measured)
    tokens = score.completion_tokens if score is not None else None
    cached = score.cached if score is not None else 0
    new = score.details.get("new_completions") if score is not None and not cached else None
    is_whole = score is not None and bool(new) and new == score.completions
    solved = score.outcomes.get(Outcome.PASSED) if score is not None and is_whole else None
    devices = {str(device.get("uuid")): device for each in measured for device in each.devices}
    return TelemetrySummary(
        devices=tuple(devices.values()),
        used=_all(each.used for each in measured),
        energy_j=energy_j,
        energy_above_idle_j=_sum(each.energy_above_idle_j for each in measured),
        joules_per_completion=energy_j / new if energy_j is not None and new else None,
        joules_per_solved=energy_j / solved if energy_j is not None and solved else None,
        tokens_per_joule=tokens / energy_j if energy_j and tokens and is_whole else None,
        peak_memory_bytes=_most(each.peak_memory_bytes for each in measured),
        peak_process_memory_bytes=_most(each.peak_process_memory_bytes for each in measured),
        memory_left_bytes=_most(each.memory_left_bytes for each in measured),
        draft_tokens=_sum(each.draft_tokens for each in measured),
        accepted_draft_tokens=_sum(each.accepted_draft_tokens for each in measured),
        ticks=sum(each.ticks for each in measured),
        missed_ticks=sum(each.missed_ticks for each in measured),
        energy_doubts=(*_of_kinds(shards), *_all(each.energy_doubts for each in measured)),
        not_comparable=(
            shards_text([str(record.host.get("hostname") or "") for record in shards]),
            *_all(each.not_comparable for each in measured),
        ),
    )


def _of_kinds(shards: Sequence[RunRecord]) -> tuple[str, ...]:
    """Why the energy is that of no one machine."""
    kinds = dict.fromkeys(machine_text(kind_of(record.host)) for record in shards)
    return (f"its shards were answered on different machines: {'; '.join(kinds)}",) if len(kinds) > 1 else ()


def summed_server(shards: Sequence[RunRecord]) -> ServerFacts | None:
    """That of the first shard; what differed is said once."""
    first = shards[0].server
    if first is None:
        return None
    differences = _all(record.server.differences for record in shards if record.server is not None)
    return msgspec.structs.replace(first, differences=differences)


def _differences(shards: Sequence[RunRecord]) -> list[str]:
    """A sentence for each fact that should be the same of all shards and isn't."""
    facts: dict[str, list[Any]] = {
        "kinds of GPU": [tuple(sorted(set(_gpus(record)))) for record in shards],
        "server builds": [
            record.server.effective.get("build") if record.server else None for record in shards
        ],
        "versions of bench_runner": [
            (record.harness.get("version"), record.harness.get("commit")) for record in shards
        ],
        "server settings, because memory ran out": [
            record.sweep.reductions if record.sweep else () for record in shards
        ],
    }
    return [
        f"its shards had {len(set(each))} different {what}: answers may differ between them as between runs"
        for what, each in facts.items()
        if len(set(each)) > 1
    ]


def _gpus(record: RunRecord) -> tuple[str, ...]:
    gpus = record.host.get("gpus") or ()
    return tuple(str(gpu.get("name")) for gpu in gpus if isinstance(gpu, dict))


def _speed(scores: Sequence[Score]) -> float | None:
    """Tokens per second of one server, over all shards; None unless it is known of each."""
    parts = [(each.details.get("tokens_per_s"), each.generate_s) for each in scores]
    known = [(speed, seconds) for speed, seconds in parts if speed and seconds]
    if not known or len(known) < len(scores):
        return None
    return round(math.fsum(speed * seconds for speed, seconds in known) / math.fsum(s for _, s in known), 2)


def _sum(values: Iterable[Any]) -> Any:
    """None unless all are known."""
    known = list(values)
    return None if not known or any(value is None for value in known) else round(sum(known), 4)


def _most(values: Iterable[int | None]) -> int | None:
    return max((value for value in values if value is not None), default=None)


def _all(each: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for texts in each for text in texts))
