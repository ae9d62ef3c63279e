"""How fast and how thrifty a server is with a full context, read from the record of a speed run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from results.stats.machines import energy_doubts, speed_doubts
from results.stats.speed import measured_loads

if TYPE_CHECKING:
    from choosing.recommendation.candidates import Candidate
    from results.records import RunRecord
    from results.telemetry import TelemetrySummary


@dataclass(frozen=True, kw_only=True)
class MeasuredSpeed:
    """Of one chat at a time. tokens_per_s: the median at the deepest context; empty_tokens_per_s: at the beginning.
    wait_s: until the first token, at the deepest. watts: of the devices, while generating. joules_per_token: of all
    generated tokens, reading included. memory_bytes: the device's peak, or the processes' without one.
    disturbed: why it can't be compared with that of other runs.
    """

    tokens_per_s: float | None = None
    empty_tokens_per_s: float | None = None
    wait_s: float | None = None
    watts: float | None = None
    joules_per_token: float | None = None
    memory_bytes: int | None = None
    disturbed: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A candidate whose speed is known. record: of the run that measured it."""

    candidate: Candidate
    speed: MeasuredSpeed
    record: RunRecord


def measured_speed(record: RunRecord) -> MeasuredSpeed:
    """What a run of the speed benchmark with depths says. None where it doesn't."""
    loads = measured_loads(record.score.details) if record.score is not None else []
    alone = sorted(
        (load for load in loads if load.valid and load.load.concurrency == 1),
        key=lambda load: load.load.prompt_tokens,
    )
    rates = [load.generation_tokens_per_s for load in alone]
    deepest = alone[-1].ttft_ms if alone else None
    telemetry = record.telemetry
    tokens = sum(load.completion_tokens for load in alone)
    energy_j = telemetry.energy_j if telemetry is not None and not energy_doubts(record) else None
    return MeasuredSpeed(
        tokens_per_s=rates[-1].p50 if rates and rates[-1] is not None else None,
        empty_tokens_per_s=rates[0].p50 if rates and rates[0] is not None else None,
        wait_s=deepest.p50 / 1000 if deepest is not None else None,
        watts=_watts(telemetry),
        joules_per_token=energy_j / tokens if energy_j is not None and tokens else None,
        memory_bytes=_memory(telemetry),
        disturbed=speed_doubts(record),
    )


def _watts(telemetry: TelemetrySummary | None) -> float | None:
    phase = telemetry.phases.get("generate") if telemetry is not None else None
    if telemetry is None or phase is None:
        return None
    each = [use.mean_power_w for use in phase.devices if use.uuid in telemetry.used]
    known = [power for power in each if power is not None]
    return sum(known) if known and len(known) == len(each) else None


def _memory(telemetry: TelemetrySummary | None) -> int | None:
    if telemetry is None:
        return None
    return telemetry.peak_memory_bytes or telemetry.peak_process_memory_bytes or None
