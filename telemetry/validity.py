"""Whether a run's figures may be compared with those of other runs: what disturbed it, in sentences.

What a card reports about itself (its throttle reasons, its slowdown temperature) is taken as it is. The other limits
are our heuristics, wide enough for a quiet machine to stay within them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from results.telemetry import DeviceUse, PhaseUse, TelemetrySummary

# In the words of telemetry.nvidia: what slows a card down against its will. Its power cap is a setting, not a fault.
SLOWED_BY = frozenset(
    {"hw_slowdown", "hw_thermal_slowdown", "hw_power_brake_slowdown", "sw_thermal_slowdown"}
)
SLOWED_SHARE = 0.05  # of the ticks
BUSY_BEFORE = 0.10  # utilisation of a card before our server was there
FULL_BEFORE = (
    0.10  # of a card's memory, or FULL_BEFORE_BYTES if that is less; a driver and a desktop need less
)
FULL_BEFORE_BYTES = 2 << 30
NEAR_SLOWDOWN_C = 2.0  # sensors report whole degrees
COOLED_C = 10.0  # a card that cooled down during its own work had been heated by other work
CLOCK_SHARE = 0.90  # of its first clock: the boost clocks of a card that warms up fall by less
METERS_SHARE = (
    0.20  # the difference allowed between a counter and integrated power, which is a mean over up to a second
)
METERS_LEAST_S = 10.0  # so that a second more or less at either end matters little
OTHERS_SHARE = 0.25  # of all processors, used by neither the server nor what a benchmark's script needs
OTHERS_LEAST = 0.5  # processors: a script that executes answers and this program need about as much
MISSED_SHARE = 0.20  # of the ticks: the machine was too busy to look


def disturbances(
    summary: TelemetrySummary, *, processors: int, server_was_up: bool = False
) -> tuple[str, ...]:
    """What disturbed the run, in sentences without a full stop; () if speeds may be compared.

    processors: of this machine. server_was_up: before the run; what a card held and did then may be the server's.
    """
    found = [*_missed(summary)]
    facts = {str(each["uuid"]): each for each in summary.devices}
    baseline, generate = (_used(summary, name) for name in ("baseline", "generate"))
    # A divided card isolates us from what others hold and do on it.
    divided = {facts[uuid].get("parent_uuid") for uuid in summary.used}
    whole = {uuid for uuid in summary.used if uuid not in divided}
    if not server_was_up:
        found += _busy_before(use for uuid, use in baseline.items() if uuid in whole)
    held = _held_by_others(
        {uuid: use for uuid, use in baseline.items() if uuid in whole}, facts, all_of_it=not server_was_up
    )
    found += [f"{words} before the start" for words in held.values()]
    during = _held_by_others(
        {uuid: use for uuid, use in generate.items() if uuid in whole - held.keys()}, facts, all_of_it=False
    )
    found += [f"{words} while the model generated" for words in during.values()]
    if "generate" in summary.phases:
        found += _others(summary.phases["generate"], processors)
    found += _slowed(generate.values())
    for uuid, use in generate.items():
        found += _heat(use, baseline.get(uuid), facts[uuid].get("slowdown_temperature_c"))
    return tuple(found)


def energy_doubts(summary: TelemetrySummary) -> tuple[str, ...]:
    """Why the energies are not, or not only, this run's, in sentences without a full stop."""
    found = [
        f"{facts['uuid']} is a part of {facts['parent_uuid']}: the energy is the whole card's, "
        "including other work on its other parts"
        for facts in summary.devices
        if facts.get("parent_uuid") in summary.used and facts["uuid"] in summary.used
    ]
    generate = summary.phases.get("generate")
    for uuid, use in _used(summary, "generate").items():
        if generate is None or use.energy_source != "counter" or generate.seconds < METERS_LEAST_S:
            continue
        if use.energy_j is None or use.mean_power_w is None:
            continue
        by_power_j = use.mean_power_w * generate.seconds
        if abs(use.energy_j - by_power_j) > METERS_SHARE * max(use.energy_j, by_power_j):
            found.append(
                f"{uuid} counted {use.energy_j:.0f} J, but its power integrated over time gives {by_power_j:.0f} J"
            )
    return tuple(found)


def _used(summary: TelemetrySummary, phase: str) -> dict[str, DeviceUse]:
    """The used devices by uuid."""
    if phase not in summary.phases:
        return {}
    return {use.uuid: use for use in summary.phases[phase].devices if use.uuid in summary.used}


def _missed(summary: TelemetrySummary) -> list[str]:
    due = summary.ticks + summary.missed_ticks
    if due and summary.missed_ticks / due > MISSED_SHARE:
        return [f"{summary.missed_ticks} of {due} measurements were missed: the machine was too busy"]
    return []


def _others(generate: PhaseUse, processors: int) -> list[str]:
    """A sentence about other work on the processors; [] if the server's own share is unknown."""
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


def _held_by_others(
    devices: Mapping[str, DeviceUse], facts: Mapping[str, Mapping[str, Any]], *, all_of_it: bool
) -> dict[str, str]:
    """Sentences by uuid. Another user's idle model takes memory now, and may take the card's time at any moment.

    all_of_it: includes memory whose owner the card doesn't report.
    """
    found = {}
    for uuid, use in devices.items():
        total = facts[uuid].get("memory_total_bytes")
        held = use.peak_memory_bytes if all_of_it else use.others_peak_memory_bytes
        if all_of_it and held is not None:
            held -= use.own_peak_memory_bytes or 0
        if total and held and held > min(FULL_BEFORE * total, FULL_BEFORE_BYTES):
            found[uuid] = f"{held / total:.0%} of the memory of {uuid} was used by other programs"
    return found


def _heat(use: DeviceUse, before: DeviceUse | None, slowdown_c: float | None) -> list[str]:
    """Temperature before and after, and the clock at the first and at the last."""
    found = []
    if slowdown_c and use.peak_temperature_c and use.peak_temperature_c >= slowdown_c - NEAR_SLOWDOWN_C:
        found.append(
            f"{use.uuid} reached {use.peak_temperature_c:.0f} °C, and slows itself down at {slowdown_c:.0f} °C"
        )
    began_c = None if before is None else before.last_temperature_c
    if began_c and use.last_temperature_c and began_c - use.last_temperature_c > COOLED_C:
        found.append(
            f"{use.uuid} had been heated by earlier work: {began_c:.0f} °C before the start, "
            f"{use.last_temperature_c:.0f} °C after"
        )
    first, last = use.first_sm_clock_mhz, use.last_sm_clock_mhz
    if first and last and last < CLOCK_SHARE * first:
        found.append(
            f"the clock of {use.uuid} fell from {first:.0f} to {last:.0f} MHz while the model generated"
        )
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
