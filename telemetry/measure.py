"""Everything that is measured of one run: devices, the server's processes, the server's own metrics."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import msgspec

from telemetry.attribution import left_bytes, used_devices
from telemetry.devices import found_devices
from telemetry.processes import ProcessTree
from telemetry.sampler import Sampler
from telemetry.server_metrics import ServerMetrics
from telemetry.summary import read_ticks, summarize
from telemetry.validity import disturbances, energy_doubts
from telemetry.visibility import visible_gpus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from results.telemetry import ServerReading, TelemetrySummary
    from telemetry.contract import DeviceReading

BASELINE_S = 1.0  # before the server starts, where a device is there whose idle power is worth knowing
MEMORY_BACK_S = 10.0  # a driver may need seconds to give back what an ended process held
MEMORY_SLACK_BYTES = 64 << 20


class Telemetry:
    """Between `start` and `stop`. Nothing in it stops a run.

    pids: the server's processes now. fetch_metrics: what its /metrics say, None where they say nothing. on_gpu: False
    where the server is known to compute without one. server_was_up: before the run. memory_back_s: the longest wait
    for the memory of a server that has ended.
    """

    def __init__(
        self,
        path: Path,
        *,
        pids: Callable[[], Iterable[int]],
        fetch_metrics: Callable[[], ServerReading | None],
        on_gpu: bool = True,
        server_was_up: bool = False,
        memory_back_s: float = MEMORY_BACK_S,
    ) -> None:
        self._path = path
        # A run that is resumed goes on in the same file, and its first part was summed up then.
        self._offset_bytes = path.stat().st_size if path.exists() else 0
        self._devices = found_devices()
        self._facts = [device.facts for device in self._devices]
        self._find_pids = pids
        self._visible = visible_gpus(self._facts, os.environ) if on_gpu else frozenset()
        self._server_was_up = server_was_up
        self._memory_back_s = memory_back_s
        self._all_pids: set[int] = set()
        self._before: dict[str, DeviceReading] = {}  # the server's start, by device
        self._left_bytes: dict[str, int] = {}  # after the server's end
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
            self._before = {reading.uuid: reading for reading in self._latest_readings()}

    def phase(self, name: str) -> None:
        """See `Sampler.phase`."""
        self._sampler.phase(name)

    def stop(self) -> None:
        """Waits until the memory of a server that has ended is back. Is idempotent.

        A server that stays up keeps its memory, and nothing is waited for. What is not back in time is told in the
        summary; the next run finds it before its start.
        """
        if self._all_pids and not self._server_lives():
            deadline = time.monotonic() + self._memory_back_s
            while self._note_left() > MEMORY_SLACK_BYTES and time.monotonic() < deadline:
                time.sleep(0.1)
        self._sampler.stop()

    def summary(self, *, completions: int | None, solved: int | None) -> TelemetrySummary:
        """After `stop`."""
        ticks = read_ticks(self._path, offset_bytes=self._offset_bytes)
        used = used_devices(ticks, self._facts, self._all_pids, self._visible)
        left = [size for uuid, size in self._left_bytes.items() if uuid in used]
        summary = summarize(
            ticks,
            self._facts,
            used=used,
            pids=self._all_pids,
            completions=completions,
            solved=solved,
            missed_ticks=self._sampler.missed_ticks,
        )
        problems = (self._sampler.problem,) if self._sampler.problem else ()
        disturbed = disturbances(summary, processors=os.cpu_count() or 1, server_was_up=self._server_was_up)
        return msgspec.structs.replace(
            summary,
            memory_left_bytes=max((size if size > MEMORY_SLACK_BYTES else 0 for size in left), default=None),
            energy_doubts=energy_doubts(summary),
            not_comparable=(*problems, *disturbed),
        )

    def _note_pids(self) -> Iterable[int]:
        pids = frozenset(self._find_pids())
        self._all_pids |= pids
        return pids

    def _server_lives(self) -> bool:
        try:
            return any(self._find_pids())
        except Exception:  # noqa: BLE001 - nothing in here stops a run
            return True

    def _latest_readings(self) -> tuple[DeviceReading, ...]:
        return () if self._sampler.latest is None else self._sampler.latest.devices

    def _note_left(self) -> int:
        """Bytes of the fullest device. A device that answers late is as it last was; one that is broken is given up."""
        for reading in self._latest_readings():
            left = left_bytes(reading, self._before.get(reading.uuid), self._all_pids)
            if left is not None:
                self._left_bytes[reading.uuid] = left
            elif reading.error:
                self._left_bytes.pop(reading.uuid, None)
        return max(self._left_bytes.values(), default=0)
