"""Summarise ticks for the record: for each phase, and for the whole run."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import msgspec

from results.files import read_file
from results.json_text import NOT_THAT_JSON
from results.telemetry import DeviceUse, PhaseUse, ProcessUse, ServerUse, TelemetrySummary
from telemetry.contract import DeviceFacts, DeviceReading, Tick

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

PHASES = ("baseline", "load", "generate", "stop")
LONGEST_GAP_S = 2.0  # power is not integrated over a longer gap, because the usage in it is unknown
LEAST_RATE_S = 0.05  # a speed over a shorter time is noise
LEAST_BASELINE_S = 0.3  # power counters refresh at 10 Hz at best
BUSY = 0.5  # from this utilisation on, a card's clock reflects its work
LEAST_BUSY_TICKS = 40  # four seconds: a quarter of them is longer than a clock's fluctuations


def read_ticks(path: Path, *, offset_bytes: int = 0) -> list[Tick]:
    """Every complete line from there on; a torn last one, after a crash, is skipped. [] without a file."""
    try:
        lines = read_file(path)[offset_bytes:].splitlines()
    except FileNotFoundError:
        return []
    found = []
    for line in lines:
        try:
            found.append(msgspec.json.decode(line, type=Tick))
        except NOT_THAT_JSON:
            continue
    return found


def summarize(
    ticks: Sequence[Tick],
    devices: Sequence[DeviceFacts],
    *,
    used: Iterable[str],
    pids: Iterable[int] = (),
    completions: int | None = None,
    solved: int | None = None,
    missed_ticks: int = 0,
) -> TelemetrySummary:
    """Summarise ticks. used: uuids of the devices that the run used; only these are added up. pids: all that its
    server ever had.

    Energy is the difference of the device's own counter if it has one, otherwise power integrated by the
    trapezoidal rule over the real time stamps. A phase lasts from its first tick to the first of the next one.
    A MIG instance has its own memory but no power; the whole card's power counts, even if others compute on it.
    """
    spans = _spans(ticks)
    used_set = set(used)
    powered = used_set - {facts.uuid for facts in devices if facts.parent_uuid is not None}
    ours_pids = frozenset(pids)
    phases = {name: _phase(span, devices, ours_pids) for name, span in spans.items()}
    generate = phases.get("generate")
    ours = [] if generate is None else [use for use in generate.devices if use.uuid in powered]
    energy_j = _sum(use.energy_j for use in ours)
    idle_w = _idle_power_w(phases.get("baseline"), powered)
    above_idle_j = None
    if energy_j is not None and idle_w is not None and generate is not None:
        above_idle_j = max(0.0, energy_j - idle_w * generate.seconds)
    tokens = generate.server.generation_tokens if generate is not None and generate.server else None
    process_peaks = [  # without one, nothing is known of its memory
        phase.processes.peak_memory_bytes
        for phase in phases.values()
        if phase.processes is not None and phase.processes.most
    ]
    filled = used_set - {facts.parent_uuid for facts in devices if facts.uuid in used_set}
    peaks = [
        use.peak_memory_bytes for phase in phases.values() for use in phase.devices if use.uuid in filled
    ]
    return TelemetrySummary(
        devices=tuple(msgspec.to_builtins(facts) for facts in devices),
        used=tuple(sorted(used_set)),
        phases=phases,
        energy_j=energy_j,
        energy_above_idle_j=above_idle_j,
        idle_power_w=idle_w,
        joules_per_completion=_ratio(energy_j, completions),
        joules_per_solved=_ratio(energy_j, solved),
        tokens_per_joule=_ratio(tokens, energy_j),
        peak_memory_bytes=max((peak for peak in peaks if peak is not None), default=None),
        peak_process_memory_bytes=max(process_peaks, default=None),
        draft_tokens=_whole(generate.server.draft_tokens if generate and generate.server else None),
        accepted_draft_tokens=_whole(
            generate.server.accepted_draft_tokens if generate and generate.server else None
        ),
        ticks=len(ticks),
        missed_ticks=missed_ticks,
    )


def _spans(ticks: Sequence[Tick]) -> dict[str, list[Tick]]:
    """The ticks of each phase, with the first tick of the next one as its end. Repeated phases are merged."""
    spans: dict[str, list[Tick]] = {}
    for index, tick in enumerate(ticks):
        span = spans.setdefault(tick.phase, [])
        span.append(tick)
        following = ticks[index + 1] if index + 1 < len(ticks) else None
        if following is not None and following.phase != tick.phase:
            span.append(following)
    return spans


def _own(span: Sequence[Tick]) -> list[Tick]:
    """The ticks without the one that ends the phase: counters need it, but its other values belong to the next one."""
    return [tick for tick in span if tick.phase == span[0].phase]


def _phase(span: Sequence[Tick], devices: Sequence[DeviceFacts], pids: frozenset[int]) -> PhaseUse:
    return PhaseUse(
        seconds=round(span[-1].time_s - span[0].time_s, 3),
        devices=tuple(_device(span, facts, pids) for facts in devices),
        processes=_processes(span),
        server=_server(span),
        host_cpu_utilization=_mean(tick.host_cpu_utilization for tick in _own(span)),
    )


def _device(span: Sequence[Tick], facts: DeviceFacts, pids: frozenset[int]) -> DeviceUse:
    pairs = [
        (tick.time_s, reading) for tick in span for reading in tick.devices if reading.uuid == facts.uuid
    ]
    readings = [reading for tick in _own(span) for reading in tick.devices if reading.uuid == facts.uuid]

    def values(get: Callable[[DeviceReading], Any]) -> list[Any]:
        return [value for value in map(get, readings) if value is not None]

    powers = values(lambda reading: reading.power_w)
    temperatures = values(lambda reading: reading.temperature_c)
    energy_j, source = _energy(pairs)
    told = [reasons for reading in readings if (reasons := reading.throttle_reasons) is not None]
    names = sorted({reason for each in told for reason in each})
    first_clock_mhz, last_clock_mhz = _busy_clocks(readings)
    return DeviceUse(
        uuid=facts.uuid,
        energy_j=energy_j,
        energy_source=source,
        mean_power_w=_mean(powers),
        peak_power_w=max(powers, default=None),
        peak_memory_bytes=max(values(lambda reading: reading.memory_used_bytes), default=None),
        own_peak_memory_bytes=max(values(lambda reading: _own_memory(reading, pids)), default=None),
        others_peak_memory_bytes=max(values(lambda reading: _others_memory(reading, pids)), default=None),
        mean_utilization=_mean(values(lambda reading: reading.utilization)),
        mean_memory_utilization=_mean(values(lambda reading: reading.memory_utilization)),
        first_temperature_c=temperatures[0] if temperatures else None,
        last_temperature_c=temperatures[-1] if temperatures else None,
        peak_temperature_c=max(temperatures, default=None),
        mean_sm_clock_mhz=_mean(values(lambda reading: reading.sm_clock_mhz)),
        first_sm_clock_mhz=first_clock_mhz,
        last_sm_clock_mhz=last_clock_mhz,
        mean_memory_clock_mhz=_mean(values(lambda reading: reading.memory_clock_mhz)),
        throttled={reason: sum(reason in each for each in told) / len(told) for reason in names},
        errors=tuple(dict.fromkeys(reading.error for reading in readings if reading.error)),
    )


def _own_memory(reading: DeviceReading, pids: frozenset[int]) -> int | None:
    if reading.process_memory_bytes is None:
        return None
    return sum(size for pid, size in reading.process_memory_bytes.items() if pid in pids)


def _others_memory(reading: DeviceReading, pids: frozenset[int]) -> int | None:
    if reading.process_memory_bytes is None:
        return None
    return sum(size for pid, size in reading.process_memory_bytes.items() if pid not in pids)


def _busy_clocks(readings: Sequence[DeviceReading]) -> tuple[float | None, float | None]:
    """MHz in the first and in the last quarter of the ticks in which there was work."""
    clocks = [
        reading.sm_clock_mhz
        for reading in readings
        if reading.sm_clock_mhz is not None
        and (reading.utilization is None or reading.utilization >= BUSY)
        and "gpu_idle" not in (reading.throttle_reasons or ())
    ]
    if len(clocks) < LEAST_BUSY_TICKS:
        return None, None
    quarter = len(clocks) // 4
    return _mean(clocks[:quarter]), _mean(clocks[-quarter:])


def _energy(pairs: Sequence[tuple[float, DeviceReading]]) -> tuple[float | None, str | None]:
    """Joules and their source."""
    counted = [reading.energy_j for _, reading in pairs if reading.energy_j is not None]
    if len(counted) >= 2:
        # A counter that falls was reset with its driver; what it counted before is kept.
        return sum(max(0.0, after - before) for before, after in itertools.pairwise(counted)), "counter"
    powers = [(time_s, reading.power_w) for time_s, reading in pairs if reading.power_w is not None]
    if len(powers) < 2:
        return None, None
    total = 0.0
    for (before_s, before_w), (after_s, after_w) in itertools.pairwise(powers):
        if after_s - before_s <= LONGEST_GAP_S:
            total += (after_s - before_s) * (before_w + after_w) / 2
    return total, "power"


def _processes(span: Sequence[Tick]) -> ProcessUse | None:
    readings = [tick.processes for tick in span if tick.processes is not None]
    if not readings:
        return None
    first, last = readings[0], readings[-1]
    return ProcessUse(
        cpu_s=round(last.cpu_s - first.cpu_s, 3),
        peak_memory_bytes=max(reading.memory_bytes for reading in readings),
        read_bytes=_growth(reading.read_bytes for reading in readings),
        written_bytes=_growth(reading.written_bytes for reading in readings),
        most=max(reading.count for reading in readings),
    )


def _server(span: Sequence[Tick]) -> ServerUse | None:
    readings = [tick.server for tick in span if tick.server is not None]
    if not readings:
        return None
    first, last = readings[0], readings[-1]
    prompt = _difference(first.prompt_tokens, last.prompt_tokens)
    generated = _difference(first.generation_tokens, last.generation_tokens)
    return ServerUse(
        prompt_tokens=prompt,
        cached_prompt_tokens=_difference(first.cached_prompt_tokens, last.cached_prompt_tokens),
        generation_tokens=generated,
        queue_s=_difference(first.queue_s, last.queue_s),
        draft_tokens=_difference(first.draft_tokens, last.draft_tokens),
        accepted_draft_tokens=_difference(first.accepted_draft_tokens, last.accepted_draft_tokens),
        prompt_tokens_per_s=_rate(prompt, _difference(first.prompt_s, last.prompt_s)),
        generation_tokens_per_s=_rate(generated, _difference(first.generation_s, last.generation_s)),
        most_running=max(
            (r.requests_running for r in readings if r.requests_running is not None), default=None
        ),
        most_waiting=max(
            (r.requests_waiting for r in readings if r.requests_waiting is not None), default=None
        ),
        peak_kv_cache_utilization=max(
            (r.kv_cache_utilization for r in readings if r.kv_cache_utilization is not None), default=None
        ),
    )


def _idle_power_w(baseline: PhaseUse | None, used: set[str]) -> float | None:
    if baseline is None or baseline.seconds < LEAST_BASELINE_S:
        return None
    return _sum(_idle_of_one(use, baseline.seconds) for use in baseline.devices if use.uuid in used)


def _idle_of_one(use: DeviceUse, seconds: float) -> float | None:
    """Watts by the counter where there is one: a card's power is the mean of a second that includes earlier work."""
    if use.energy_source == "counter" and use.energy_j:
        return use.energy_j / seconds
    return use.mean_power_w


def _sum(values: Iterable[float | None]) -> float | None:
    """The sum; None if a value is unknown or there are none."""
    known = list(values)
    return None if not known or None in known else sum(value for value in known if value is not None)


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _difference(before: float | None, after: float | None) -> Any:
    return None if before is None or after is None else after - before


def _whole(count: float | None) -> int | None:
    return None if count is None else round(count)


def _rate(tokens: float | None, seconds: float | None) -> float | None:
    """Tokens per second; None for less than LEAST_RATE_S. llama-server reports 1 us for the token of readiness."""
    return _ratio(tokens, seconds) if seconds is not None and seconds >= LEAST_RATE_S else None


def _growth(counts: Iterable[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return known[-1] - known[0] if known else None


def _ratio(part: float | None, whole: float | None) -> float | None:
    return None if part is None or not whole else part / whole
