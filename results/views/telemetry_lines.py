"""A run's `telemetry.jsonl` as a few curves over time, with few enough points for a page.

Reads only the fields that are drawn; `telemetry/` defines the full lines.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from results.files import open_to_read
from results.json_text import NOT_THAT_JSON
from results.views.token_rate import TokenRate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from results.telemetry import TelemetrySummary

MOST_POINTS = 240
LEAST_RATE_S = 0.15  # processor time is counted in steps of 10 ms
GIB = 1 << 30
Points = list[tuple[float, float]]


class _Device(msgspec.Struct, frozen=True):
    uuid: str
    memory_used_bytes: int | None = None
    power_w: float | None = None
    utilization: float | None = None


class _Processes(msgspec.Struct, frozen=True):
    count: int
    cpu_s: float
    memory_bytes: int


class _Server(msgspec.Struct, frozen=True):
    generation_tokens: float | None = None
    prompt_s: float | None = None
    generation_s: float | None = None
    requests_running: float | None = None

    @property
    def spent_s(self) -> float | None:
        return None if self.generation_s is None else self.generation_s + (self.prompt_s or 0)


class _Tick(msgspec.Struct, frozen=True):
    time_s: float
    phase: str
    devices: tuple[_Device, ...] = ()
    processes: _Processes | None = None
    server: _Server | None = None


@dataclass(frozen=True)
class RunLines:
    """lines: (seconds, value) by quantity, whose name contains the unit. phases: name, begin and end in seconds."""

    lines: dict[str, Points]
    phases: tuple[tuple[str, float, float], ...]
    seconds: float


class _Rate:
    """How fast a counter grows, from one reported value to the next, which may be many ticks later."""

    def __init__(self) -> None:
        self._last: tuple[float, float] | None = None

    def after(self, seconds: float, value: float | None) -> float | None:
        """The rate since the last value; None without a value, too soon for its resolution, and after a restart."""
        if value is None or (self._last is not None and 0 <= seconds - self._last[0] < LEAST_RATE_S):
            return None
        last, self._last = self._last, (seconds, value)
        if last is None or value < last[1]:
            return None
        return (value - last[1]) / (seconds - last[0])


def read_lines(path: Path, telemetry: TelemetrySummary | None) -> RunLines | None:
    """The curves, summed over the devices that the run used (utilisation: the mean). None if nothing was measured."""
    used, parents = _used(telemetry)
    found: dict[str, Points] = {}
    phases: list[tuple[str, float, float]] = []
    cpu, tokens = _Rate(), TokenRate(LEAST_RATE_S)
    seconds = 0.0
    for seconds, tick in _ticks(path):
        if not phases or phases[-1][0] != tick.phase:
            phases.append((tick.phase, seconds, seconds))
        phases[-1] = (*phases[-1][:2], seconds)
        own = [device for device in tick.devices if device.uuid in used]
        # A MIG instance's card reports the same memory again.
        whole = [device for device in own if device.uuid not in parents]
        there = tick.processes if tick.processes is not None and tick.processes.count else None
        values = {
            "power, W": _sum(device.power_w for device in own),
            "GPU memory, GiB": _sum(device.memory_used_bytes for device in whole),
            "GPU utilisation, %": _mean(device.utilization for device in whole),
            "server's memory, GiB": there.memory_bytes if there else None,
            "server's CPU, cores": cpu.after(seconds, there.cpu_s if there else None),
            "tokens/s": _token_rate(tokens, seconds, tick.server),
        }
        for name, value in values.items():
            if value is not None:
                scaled = value / GIB if name.endswith("GiB") else 100 * value if name.endswith("%") else value
                found.setdefault(name, []).append((seconds, scaled))
    if not found:
        return None
    ended = [(name, begin, end) for name, begin, end in phases if end > begin]
    return RunLines({name: thinned(points) for name, points in found.items()}, tuple(ended), seconds)


def _token_rate(rate: TokenRate, seconds: float, told: _Server | None) -> float | None:
    if told is None:
        return None
    return rate.after(seconds, told.generation_tokens, told.spent_s, told.requests_running)


def thinned(points: Points, most: int = MOST_POINTS) -> Points:
    """At most `most` points: the least and the greatest of each stretch, so that no peak is lost."""
    if len(points) <= most:
        return points
    stretch = math.ceil(len(points) / (most // 2))
    kept: Points = []
    for begin in range(0, len(points), stretch):
        here = points[begin : begin + stretch]
        kept += sorted({min(here, key=lambda point: point[1]), max(here, key=lambda point: point[1])})
    return kept


def _ticks(path: Path) -> Iterator[tuple[float, _Tick]]:
    """All intact lines. A resumed run starts again at 0 s; its parts are put one after another."""
    decoder = msgspec.json.Decoder(_Tick)
    offset = last = 0.0
    try:
        lines = open_to_read(path)
    except OSError:
        return
    with lines:
        for line in lines:
            try:
                tick = decoder.decode(line)
            except NOT_THAT_JSON:  # torn by a crash
                continue
            if offset + tick.time_s < last:
                offset = last
            last = offset + tick.time_s
            yield last, tick


def _used(telemetry: TelemetrySummary | None) -> tuple[set[str], set[str]]:
    if telemetry is None:
        return set(), set()
    used = set(telemetry.used)
    parents = {device.get("parent_uuid") for device in telemetry.devices if device.get("uuid") in used}
    return used | {str(parent) for parent in parents if parent}, {str(parent) for parent in parents if parent}


def _sum(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
