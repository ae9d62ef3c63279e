"""The types of what a run's record says about devices, processes and the server's own metrics.

A value that a device doesn't report is None, never 0. Part of the schema of `results/records.py`.
"""

from __future__ import annotations

from typing import Any

import msgspec


class DeviceUse(msgspec.Struct, frozen=True, kw_only=True):
    """One device in one phase.

    peak_memory_bytes: of all processes; own_peak_memory_bytes and others_peak_memory_bytes: of the server's and of all
    other processes, if the device reports them. first_sm_clock_mhz, last_sm_clock_mhz: means over the first and last
    quarter of its busy ticks, if there are enough.
    energy_source: "counter" (the device's own) or "power" (integrated over time). throttled: share of ticks, 0 to 1,
    by reason. Utilisations: 0 to 1.
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
    """The server's process tree in one phase. most: the most processes at once."""

    cpu_s: float
    peak_memory_bytes: int
    read_bytes: int | None = None
    written_bytes: int | None = None
    most: int = 0


class ServerReading(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The server's own counters and gauges. Counters start at 0 with the server's process.

    cached_prompt_tokens: taken from its cache instead of computed. prompt_s, generation_s: seconds spent on each, by
    its own account; queue_s: total seconds that requests waited for their turn. kv_cache_utilization: 0 to 1.
    draft_tokens: proposed by speculative decoding; accepted_draft_tokens: those of them that the model took.
    """

    prompt_tokens: float | None = None
    cached_prompt_tokens: float | None = None
    generation_tokens: float | None = None
    queue_s: float | None = None
    prompt_s: float | None = None
    generation_s: float | None = None
    draft_tokens: float | None = None
    accepted_draft_tokens: float | None = None
    requests_running: float | None = None
    requests_waiting: float | None = None
    kv_cache_utilization: float | None = None


class ServerUse(msgspec.Struct, frozen=True, kw_only=True):
    """The server's own counters in one phase. Tokens per second are those of a single request: tokens over the total
    seconds that requests spent on them. cached_prompt_tokens: vLLM includes them in prompt_tokens, llama-server does
    not. queue_s: total seconds that requests waited for their turn. draft_tokens, accepted_draft_tokens: as in
    `ServerReading`.
    """

    prompt_tokens: float | None = None
    cached_prompt_tokens: float | None = None
    generation_tokens: float | None = None
    queue_s: float | None = None
    draft_tokens: float | None = None
    accepted_draft_tokens: float | None = None
    prompt_tokens_per_s: float | None = None
    generation_tokens_per_s: float | None = None
    most_running: float | None = None
    most_waiting: float | None = None
    peak_kv_cache_utilization: float | None = None


class PhaseUse(msgspec.Struct, frozen=True, kw_only=True):
    """host_cpu_utilization: of all processors of this machine, by all programs, 0 to 1."""

    seconds: float
    devices: tuple[DeviceUse, ...] = ()
    processes: ProcessUse | None = None
    server: ServerUse | None = None
    host_cpu_utilization: float | None = None


class TelemetrySummary(msgspec.Struct, frozen=True, kw_only=True):
    """The whole run.

    devices: all measured devices, with their facts; used: uuids of those that the run used. Energies are those of the
    used devices while the model generated; above idle means minus what they drew before the start in the same time.
    peak_memory_bytes: of a used device; peak_process_memory_bytes: of the server's processes together.
    memory_left_bytes: memory of a used device that was still held seconds after the server ended; None if the server
    stayed up or the device doesn't report it. energy_doubts: why the energies may not be those of this run alone.
    not_comparable: why the speed should not be compared with that of other runs; () if it can. draft_tokens: proposed
    by speculative decoding while the model generated; accepted_draft_tokens: those of them that it took.
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
    draft_tokens: int | None = None
    accepted_draft_tokens: int | None = None
    ticks: int = 0
    missed_ticks: int = 0
    energy_doubts: tuple[str, ...] = ()
    not_comparable: tuple[str, ...] = ()

    @property
    def draft_acceptance(self) -> float | None:
        """The share of proposed tokens that the model took, 0 to 1; None if none were proposed or it isn't known."""
        if not self.draft_tokens or self.accepted_draft_tokens is None:
            return None
        return self.accepted_draft_tokens / self.draft_tokens
