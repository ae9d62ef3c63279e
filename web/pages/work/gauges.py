"""The figures of a machine as a page shows them: text, a share of the maximum where there is one, and a line."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from results.plain_text import plain
from web.pages.work.machine_reader import PERIOD_S

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from telemetry.contract import DeviceFacts, DeviceReading
    from web.pages.work.machine_reader import Machine, MachineReading

_GIB = 1 << 30
_Jobs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Gauge:
    """One figure of a device. name: unique on the page. share: of its maximum, 0 to 1, where it has one. line: its
    values so far.
    """

    name: str
    title: str
    text: str
    share: float | None = None
    line: tuple[float | None, ...] = ()


@dataclass(frozen=True)
class Panel:
    """A device, or the host. problem: why it can't be read, or is slowed down. jobs: address and words of each."""

    title: str
    about: str
    gauges: tuple[Gauge, ...]
    problem: str = ""
    jobs: _Jobs = ()


def panels_of(machine: Machine, jobs: Mapping[str, _Jobs] | None = None) -> tuple[Panel, ...]:
    """The host, and each device. jobs: those that run, by the device's uuid or "cpu"."""
    if not machine.readings:
        return ()
    by_device = jobs or {}
    found = [_host(machine.readings, by_device.get("cpu", ()))]
    for number, facts in enumerate(machine.facts):
        readings = [reading.devices[number] for reading in machine.readings]
        found.append(_device(number, facts, readings, by_device.get(facts.uuid, ())))
    return tuple(found)


def _host(readings: Sequence[MachineReading], jobs: _Jobs) -> Panel:
    now = readings[-1]
    total = now.memory_total_bytes
    memory = tuple(float(each.memory_used_bytes) for each in readings)
    gauges = [
        Gauge("host-cpu", "Processors", f"{now.cpu:.0%}", now.cpu, tuple(each.cpu for each in readings)),
        Gauge("host-memory", "Memory", _of(memory[-1], total), memory[-1] / total if total else None, memory),
        Gauge("host-load", "Load", f"{now.load:.2f}", None, tuple(each.load for each in readings)),
    ]
    if now.disk_free_bytes is not None:
        gauges.append(Gauge("host-disk", "Free for results", f"{now.disk_free_bytes / _GIB:,.1f} GiB"))
    return Panel("This machine", "processors and memory", tuple(gauges), jobs=jobs)


def _device(number: int, facts: DeviceFacts, readings: Sequence[DeviceReading], jobs: _Jobs) -> Panel:
    now = readings[-1]
    found: list[Gauge] = []

    def add(title: str, value: Callable[[DeviceReading], float | None], text: Callable[[float], str],
            most: float | None) -> None:  # fmt: skip
        line = tuple(map(value, readings))
        newest = line[-1]
        if newest is not None:
            name = f"{title.lower()}-{number}"
            found.append(Gauge(name, title, text(newest), newest / most if most else None, line))

    limit = facts.enforced_power_limit_w or facts.power_limit_w
    total = facts.memory_total_bytes
    add("Utilisation", lambda each: each.utilization, lambda share: f"{share:.0%}", 1.0)
    add("Memory", lambda each: each.memory_used_bytes, lambda used: _of(used, total), total)
    add(
        "Power",
        lambda each: each.power_w,
        lambda watts: f"{watts:.0f}{f' of {limit:.0f}' if limit else ''} W",
        limit,
    )
    add(
        "Temperature",
        lambda each: each.temperature_c,
        lambda degrees: f"{degrees:.0f} °C",
        facts.slowdown_temperature_c,
    )
    add("Clock", lambda each: each.sm_clock_mhz, lambda clock: f"{clock:,.0f} MHz", facts.max_sm_clock_mhz)
    watts = _watts(readings)
    if now.power_w is None and watts:
        found.append(Gauge(f"power-{number}", "Power", f"{watts[-1]:.1f} W", None, watts))
    reasons = [reason for reason in now.throttle_reasons or () if reason != "gpu_idle"]
    problem = now.error or (f"slowed down: {', '.join(reasons)}" if reasons else "")
    about = ", ".join(filter(None, (facts.kind.replace("_", " "), facts.driver and f"driver {facts.driver}")))
    return Panel(plain(facts.name or facts.uuid), plain(about), tuple(found), plain(problem), jobs)


def _of(used_bytes: float, total_bytes: int | None) -> str:
    return f"{used_bytes / _GIB:.1f}{f' of {total_bytes / _GIB:.1f}' if total_bytes else ''} GiB"


def _watts(readings: Sequence[DeviceReading]) -> tuple[float, ...]:
    """The power by a counter of energy, for a device that reports no power; readings are PERIOD_S apart."""
    counted = [each.energy_j for each in readings if each.energy_j is not None]
    return tuple(max(0.0, after - before) / PERIOD_S for before, after in itertools.pairwise(counted))
