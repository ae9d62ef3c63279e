"""Everything that is measured of one run: devices, the server's processes, the server's own metrics."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import msgspec

from telemetry.devices import found_devices
from telemetry.processes import ProcessTree
from telemetry.sampler import Sampler
from telemetry.server_metrics import ServerMetrics
from telemetry.summary import read_ticks, summarize, used_devices
from telemetry.validity import disturbances

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from results.telemetry import TelemetrySummary

BASELINE_S = 1.0  # before the server starts, where a device is there whose idle power is worth knowing
MEMORY_BACK_S = 10.0  # a driver may need seconds to give back what an ended process held
MEMORY_SLACK_BYTES = 64 << 20


class Telemetry:
    """Between `start` and `stop`. Nothing in it stops a run.

    pids: the server's processes now. fetch_metrics: the text of its /metrics, None where there is none. on_gpu: False
    where the server is known to compute without one.
    """

    def __init__(
        self,
        path: Path,
        *,
        pids: Callable[[], Iterable[int]],
        fetch_metrics: Callable[[], str | None],
        on_gpu: bool = True,
    ) -> None:
        self._path = path
        # A run that is resumed goes on in the same file, and its first part was summed up then.
        self._offset_bytes = path.stat().st_size if path.exists() else 0
        self._devices = found_devices()
        self._facts = [device.facts for device in self._devices]
        self._find_pids = pids
        # Decides only where a card doesn't tell whose memory it holds.
        self._visible = os.environ.get("CUDA_VISIBLE_DEVICES") if on_gpu else ""
        self._all_pids: set[int] = set()
        self._sampler = Sampler(
            path,
            self._devices,
            processes=ProcessTree(self._note_pids).read,
            server=ServerMetrics(fetch_metrics).read,
        )

    def start(self) -> None:
        """With a moment of baseline where there is a device."""
        self._sampler.start()
        if self._devices:
            time.sleep(BASELINE_S)

    def phase(self, name: str) -> None:
        """See `Sampler.phase`."""
        self._sampler.phase(name)

    def stop(self) -> None:
        """Once the server has ended: waits, for seconds at most, until its devices' memory is back. Is idempotent."""
        deadline = time.monotonic() + MEMORY_BACK_S
        while self._held_bytes() > MEMORY_SLACK_BYTES and time.monotonic() < deadline:
            time.sleep(0.1)
        self._sampler.stop()

    def summary(self, *, completions: int | None, solved: int | None) -> TelemetrySummary:
        """After `stop`."""
        ticks = read_ticks(self._path, offset_bytes=self._offset_bytes)
        summary = summarize(
            ticks,
            self._facts,
            used=used_devices(ticks, self._facts, self._all_pids, self._visible),
            pids=self._all_pids,
            completions=completions,
            solved=solved,
            missed_ticks=self._sampler.missed_ticks,
        )
        problems = (self._sampler.problem,) if self._sampler.problem else ()
        return msgspec.structs.replace(
            summary, not_comparable=(*problems, *disturbances(summary, processors=os.cpu_count() or 1))
        )

    def _note_pids(self) -> Iterable[int]:
        pids = frozenset(self._find_pids())
        self._all_pids |= pids
        return pids

    def _held_bytes(self) -> int:
        """By processes of the server, on all devices, when they were last read."""
        latest = self._sampler.latest
        if latest is None:
            return 0
        held = [reading.process_memory_bytes or {} for reading in latest.devices]
        return sum(size for each in held for pid, size in each.items() if pid in self._all_pids)
