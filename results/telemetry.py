"""What a run's record says of devices, processes and the server's own metrics, as types.

None is what a device does not tell, never 0. A part of `results/records.py`'s schema.
"""

from __future__ import annotations

from typing import Any

import msgspec


class DeviceUse(msgspec.Struct, frozen=True, kw_only=True):
    """One device in one phase.

    peak_memory_bytes: of everybody; own_peak_memory_bytes and others_peak_memory_bytes: of the server's processes and
    of all others, where the device tells them. first_sm_clock_mhz, last_sm_clock_mhz: means over the first and the last
    quarter of the ticks in which it was busy, where these are enough.
    energy_source: "counter" (the device's own) or "power" (integrated over time). throttled: share of the ticks,
    0 to 1, by reason. Utilisations: 0 to 1.
    """

    uuid: str
    energy_j: float | None = None
    energy_source: str | None = None
    mean_power_w: float | None = None
    peak_power_w: float | None = None
    peak_memory_bytes: int | None = None
    own_peak_memory_bytes: int | None = None
    others_peak_memory_bytes: int | None = None
    mean_utilization: float | None = None
    mean_memory_utilization: float | None = None
    first_temperature_c: float | None = None
    last_temperature_c: float | None = None
    peak_temperature_c: float | None = None
    mean_sm_clock_mhz: float | None = None
    first_sm_clock_mhz: float | None = None
    last_sm_clock_mhz: float | None = None
    mean_memory_clock_mhz: float | None = None
    throttled: dict[str, float] = {}
    errors: tuple[str, ...] = ()


class ProcessUse(msgspec.Struct, frozen=True, kw_only=True):
    """The server's process tree in one phase. most: processes at once."""

    cpu_s: float
    peak_memory_bytes: int
    read_bytes: int | None = None
    written_bytes: int | None = None
    most: int = 0


class ServerReading(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The server's own counters and gauges. Counters start at 0 with the server's process.

    cached_prompt_tokens: taken from its cache instead of computed. prompt_s, generation_s: seconds it says it spent on
    each; queue_s: that requests waited for their turn, added up. kv_cache_utilization: 0 to 1.
    """

    prompt_tokens: float | None = None
    cached_prompt_tokens: float | None = None
    generation_tokens: float | None = None
    queue_s: float | None = None
    prompt_s: float | None = None
    generation_s: float | None = None
    requests_running: float | None = None
    requests_waiting: float | None = None
    kv_cache_utilization: float | None = None


class ServerUse(msgspec.Struct, frozen=True, kw_only=True):
    """The server's own counters in one phase; tokens a second are those of one request, as it says: tokens over
    the seconds that requests spent on each, added up. cached_prompt_tokens: prompt_tokens contains them at vLLM and not
    at llama-server. queue_s: that requests waited for their turn, added up.
    """

    prompt_tokens: float | None = None
    cached_prompt_tokens: float | None = None
    generation_tokens: float | None = None
    queue_s: float | None = None
    prompt_tokens_per_s: float | None = None
    generation_tokens_per_s: float | None = None
    most_running: float | None = None
    most_waiting: float | None = None
    peak_kv_cache_utilization: float | None = None


class PhaseUse(msgspec.Struct, frozen=True, kw_only=True):
    """host_cpu_utilization: of all processors of this machine, by everybody, 0 to 1."""

    seconds: float
    devices: tuple[DeviceUse, ...] = ()
    processes: ProcessUse | None = None
    server: ServerUse | None = None
    host_cpu_utilization: float | None = None


class TelemetrySummary(msgspec.Struct, frozen=True, kw_only=True):
    """The whole run.

    devices: all that were measured, with their facts; used: uuids of those that the run used. Energies are those of
    the used devices while the model generated; above idle: less what they drew before the start in the same time.
    peak_memory_bytes: of a used device; peak_process_memory_bytes: of the server's processes together.
    memory_left_bytes: of a used device, still held seconds after the server's end; 0: it was back; None: the server
    stayed up, or the device doesn't tell. energy_doubts: why the energies are not, or not only, those of this run.
    not_comparable: why the speed figures should not be compared with those of other runs; () when they can.
    """

    devices: tuple[dict[str, Any], ...] = ()
    used: tuple[str, ...] = ()
    phases: dict[str, PhaseUse] = {}
    energy_j: float | None = None
    energy_above_idle_j: float | None = None
    idle_power_w: float | None = None
    joules_per_completion: float | None = None
    joules_per_solved: float | None = None
    tokens_per_joule: float | None = None
    peak_memory_bytes: int | None = None
    peak_process_memory_bytes: int | None = None
    memory_left_bytes: int | None = None
    ticks: int = 0
    missed_ticks: int = 0
    energy_doubts: tuple[str, ...] = ()
    not_comparable: tuple[str, ...] = ()
