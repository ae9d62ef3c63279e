"""What this machine does now: its GPUs and its processors, read once a second, only while somebody looks."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

from telemetry.devices import live_reading, look

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from telemetry.contract import DeviceFacts, DeviceReading
    from telemetry.devices import Found

logger = logging.getLogger(__name__)
PERIOD_S = 1.0
IDLE_S = 10.0  # how long it goes on when nobody looks any more
KEPT = 120  # readings, for the lines
FIRST_S = 3.0  # how long a page waits for the first reading; a driver that is loaded takes longer


@dataclass(frozen=True, kw_only=True)
class MachineReading:
    """At one time, in seconds since the epoch. cpu: utilisation of all processors, 0 to 1; memory in bytes. load: of
    the last minute. devices: in the order of `Machine.facts`. disk_free_bytes: of the results folder; None: not known.
    """

    time_s: float
    cpu: float
    load: float
    memory_used_bytes: int
    memory_total_bytes: int
    disk_free_bytes: int | None
    devices: tuple[DeviceReading, ...]


@dataclass(frozen=True, kw_only=True)
class Machine:
    """facts: of each device. absent: a sentence for each kind of device that is missing. readings: the oldest first,
    at most KEPT; none yet while drivers are loaded.
    """

    facts: tuple[DeviceFacts, ...] = ()
    absent: tuple[str, ...] = ()
    readings: tuple[MachineReading, ...] = ()


class MachineReader:
    """One a process, for all its threads. `now` starts the reading; it ends by itself when nobody has asked for IDLE_S,
    and closes the devices then.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        period_s: float = PERIOD_S,
        idle_s: float = IDLE_S,
        kept: int = KEPT,
        find: Callable[[], Found] = look,
    ) -> None:
        self._folder = folder
        self._period_s = period_s
        self._idle_s = idle_s
        self._kept = kept
        self._find = find
        self._changed = threading.Condition()
        self._asked_at = 0.0
        self._is_reading = False
        self._machine = Machine()

    @property
    def is_reading(self) -> bool:
        """Whether anything is read at all."""
        return self._is_reading

    def now(self, *, first_s: float = FIRST_S) -> Machine:
        """What is known. Waits at most `first_s` where nothing is known yet."""
        with self._changed:
            self._asked_at = time.monotonic()
            if not self._is_reading:
                self._is_reading = True
                self._machine = Machine()
                threading.Thread(target=self._read_on, name="machine", daemon=True).start()
            self._changed.wait_for(lambda: self._machine.readings or not self._is_reading, first_s)
            return self._machine

    def _read_on(self) -> None:
        try:
            found = self._find()
            with contextlib.ExitStack() as stack:
                for device in found.devices:
                    stack.callback(device.close)
                self._read(found)
        except Exception:  # its page says that nothing is known
            logger.exception("the machine can't be read")
            self._end()

    def _read(self, found: Found) -> None:
        readings: deque[MachineReading] = deque(maxlen=self._kept)
        facts = tuple(device.facts for device in found.devices)
        psutil.cpu_percent()  # the first call only begins to measure
        next_at = time.monotonic() + min(0.2, self._period_s)
        while True:
            time.sleep(max(0.0, next_at - time.monotonic()))
            readings.append(self._reading(live_reading(device) for device in found.devices))
            with self._changed:
                self._machine = Machine(facts=facts, absent=found.absent, readings=tuple(readings))
                self._changed.notify_all()
                if time.monotonic() - self._asked_at > self._idle_s:
                    self._is_reading = False
                    return
            next_at = max(next_at + self._period_s, time.monotonic())

    def _end(self) -> None:
        with self._changed:
            self._is_reading = False
            self._changed.notify_all()

    def _reading(self, devices: Iterable[DeviceReading]) -> MachineReading:
        memory = psutil.virtual_memory()
        return MachineReading(
            devices=tuple(devices),
            time_s=time.time(),
            cpu=psutil.cpu_percent() / 100,
            load=os.getloadavg()[0],
            memory_used_bytes=memory.total - memory.available,
            memory_total_bytes=memory.total,
            disk_free_bytes=_free(self._folder),
        )


def _free(folder: str | os.PathLike[str]) -> int | None:
    try:
        found = os.statvfs(folder)
    except OSError:
        return None
    return found.f_bavail * found.f_frsize
