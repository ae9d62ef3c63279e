"""Whether a run's speed may be compared with that of other runs: what disturbed it, as sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from results.telemetry import DeviceUse, PhaseUse, TelemetrySummary

# In the words of telemetry.nvidia: what slows a card down against its will. Its power cap is a setting, not a fault.
SLOWED_BY = frozenset(
    {"hw_slowdown", "hw_thermal_slowdown", "hw_power_brake_slowdown", "sw_thermal_slowdown"}
)
SLOWED_SHARE = 0.05  # of the ticks
BUSY_BEFORE = 0.10  # utilisation of a card before our server was there
FULL_BEFORE = 0.10  # of a card's memory; a driver and a desktop need less
OTHERS_SHARE = 0.25  # of all processors, used by neither the server nor what a benchmark's script needs
OTHERS_LEAST = 0.5  # processors: a script that executes answers and this program need about as much
MISSED_SHARE = 0.20  # of the ticks: the machine was too busy to look


def disturbances(summary: TelemetrySummary, *, processors: int) -> tuple[str, ...]:
    """Each a sentence without a full stop; () when nothing speaks against comparing. processors: of this machine."""
    found = [*_missed(summary)]
    baseline, generate = summary.phases.get("baseline"), summary.phases.get("generate")
    if baseline is not None:
        ours = [use for use in baseline.devices if use.uuid in summary.used]
        found += _busy_before(ours)
        found += _full_before(
            ours, {str(facts["uuid"]): facts["memory_total_bytes"] for facts in summary.devices}
        )
    if generate is not None:
        found += _others(generate, processors)
        found += _slowed(use for use in generate.devices if use.uuid in summary.used)
    return tuple(found)


def _missed(summary: TelemetrySummary) -> list[str]:
    due = summary.ticks + summary.missed_ticks
    if due and summary.missed_ticks / due > MISSED_SHARE:
        return [f"{summary.missed_ticks} of {due} measurements were missed: the machine was too busy"]
    return []


def _others(generate: PhaseUse, processors: int) -> list[str]:
    """Only where the server's own share is known."""
    own = generate.processes
    if own is None or not own.most or generate.host_cpu_utilization is None or generate.seconds <= 1.0:
        return []
    others = generate.host_cpu_utilization * processors - own.cpu_s / generate.seconds
    if others <= max(OTHERS_LEAST, OTHERS_SHARE * processors):
        return []
    return [f"other work used {others:.1f} of {processors} processors while the model generated"]


def _busy_before(devices: Iterable[DeviceUse]) -> list[str]:
    return [
        f"{use.uuid} was {use.mean_utilization:.0%} busy with other work before the start"
        for use in devices
        if (use.mean_utilization or 0.0) > BUSY_BEFORE
    ]


def _full_before(devices: Iterable[DeviceUse], total_bytes: Mapping[str, int | None]) -> list[str]:
    """Somebody's model that lies idle takes memory now, and the card's time whenever it likes."""
    found = []
    for use in devices:
        total = total_bytes.get(use.uuid)
        if total and use.peak_memory_bytes and use.peak_memory_bytes / total > FULL_BEFORE:
            share = use.peak_memory_bytes / total
            found.append(f"{share:.0%} of the memory of {use.uuid} was held by others before the start")
    return found


def _slowed(devices: Iterable[DeviceUse]) -> list[str]:
    found = []
    for use in devices:
        found += [
            f"{use.uuid} was slowed down by {reason} for {share:.0%} of the time"
            for reason, share in use.throttled.items()
            if reason in SLOWED_BY and share > SLOWED_SHARE
        ]
        found += [f"{use.uuid}: {error}" for error in use.errors]
    return found
