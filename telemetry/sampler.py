"""Measures ten times a second, from one thread, with deadlines that don't drift; each tick is a line on disk."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
import time
from concurrent.futures import Future
from typing import IO, TYPE_CHECKING, Generic, Self, TypeVar

import msgspec

from results.files import open_to_append
from telemetry.contract import DeviceReading, Tick

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from results.telemetry import ServerReading
    from telemetry.contract import Device, ProcessReading

INTERVAL_S = 0.1  # power counters refresh at about 10 Hz at best
PATIENCE_S = 0.05  # per tick for all devices together; a slower answer goes into a later tick
HANGS_S = 1.0  # after that, a silent device is reported as an error
CHANGE_PATIENCE_S = 0.3  # the same at a phase change, whose figures depend on this answer
CHANGE_S = 0.5  # the longest that a run waits for the tick at a phase change
SLOW_EVERY = 10  # ticks between readings of what costs more: the server's own metrics, cards' energy counters
_T = TypeVar("_T")
_ENCODE = msgspec.json.Encoder()


class Sampler:
    """Measures between `start` and `stop`. As a context manager it does both.

    Nothing that is measured can stop it. A reading that raises is left out of the tick, a hanging device is reported,
    and a file that can't be written (a full disk) only ends the writing. missed_ticks: deadlines that had passed
    when their turn came. latest: the last tick.
    """

    def __init__(
        self,
        path: Path,
        devices: Sequence[Device],
        *,
        processes: Callable[[], ProcessReading | None] = lambda: None,
        server: Callable[[], ServerReading | None] = lambda: None,
        interval_s: float = INTERVAL_S,
    ) -> None:
        self.missed_ticks = 0
        self.problem = ""
        self.latest: Tick | None = None
        self._path = path
        self._readers = {
            device.facts.uuid: _Reader(
                device.facts.uuid, device.read, device.close, often=getattr(device, "read_often", None)
            )
            for device in devices
        }
        self._processes = processes
        self._server = _Reader("server", server, lambda: None)
        self._interval_s = interval_s
        self._phase = "baseline"
        self._stopping = False
        self._wake = threading.Event()
        self._changed = threading.Event()
        self._thread: threading.Thread | None = None
        self._host_cpu = _HostCpu()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def phase(self, name: str) -> None:
        """Ticks belong to this phase from now on: "baseline", "load", "generate", "stop".

        Returns after the first tick, which ends the previous phase. What ends with that phase, such as the server, is
        then read for the last time. Waits CHANGE_S at most.
        """
        self._phase = name
        if self._thread is not None:
            self._changed.clear()
            self._wake.set()
            self._changed.wait(CHANGE_S)

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="telemetry", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Take one last tick and stop. Is idempotent."""
        self._stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        for reader in self._readers.values():
            reader.close()
        self._server.close()

    def _run(self) -> None:
        try:
            with open_to_append(self._path) as file:
                self._measure(file)
        except OSError as error:
            self.problem = f"{self._path}: {error.strerror or error}"

    def _measure(self, file: IO[bytes]) -> None:
        began = time.monotonic()
        number = 0
        phase = ""
        while True:
            self._wake.wait(max(0.0, began + number * self._interval_s - time.monotonic()))
            self._wake.clear()
            last = self._stopping
            # A phase's figures are computed from the counters at both of its ends.
            changes = self._phase != phase
            slow = last or changes or number % SLOW_EVERY == 0
            tick = self._tick(began, slow=slow, patience_s=CHANGE_PATIENCE_S if changes else PATIENCE_S)
            phase = tick.phase
            self.latest = tick
            file.write(_ENCODE.encode(tick) + b"\n")
            if tick.phase == self._phase:
                self._changed.set()
            if last:
                return
            due = int((time.monotonic() - began) / self._interval_s) + 1
            self.missed_ticks += max(0, due - number - 1)
            number = due

    def _tick(self, began: float, *, slow: bool, patience_s: float) -> Tick:
        phase = self._phase
        deadline = time.monotonic() + patience_s
        for reader in self._readers.values():
            reader.ask(whole=slow)
        if slow:
            self._server.ask()
        now = time.monotonic()
        return Tick(
            time_s=round(now - began, 4),
            phase=phase,
            processes=_quietly(self._processes),
            host_cpu_utilization=self._host_cpu.read(),
            devices=tuple(_device_reading(uuid, reader, deadline) for uuid, reader in self._readers.items()),
            server=_quietly(lambda: self._server.answer(deadline)),
        )


def _quietly(measure: Callable[[], _T | None]) -> _T | None:
    try:
        return measure()
    except Exception:  # noqa: BLE001 - measuring never stops a run
        return None


class _Reader(Generic[_T]):
    """Reads in its own thread, because a broken driver or server may never answer.

    often: reads a part, at less cost.
    """

    def __init__(
        self,
        name: str,
        read: Callable[[], _T],
        close: Callable[[], None],
        *,
        often: Callable[[], _T] | None = None,
    ) -> None:
        self.waited_s = 0.0
        self._read = read
        self._often = often or read
        self._owes_whole = False  # it was asked for while another answer was awaited
        self._close = close
        self._wanted: queue.SimpleQueue[tuple[Callable[[], _T], Future[_T]] | None] = queue.SimpleQueue()
        self._awaited: Future[_T] | None = None
        self._asked_s = 0.0
        self._thread = threading.Thread(target=self._work, name=f"telemetry {name}", daemon=True)
        self._thread.start()

    def ask(self, *, whole: bool = True) -> None:
        """Ask for a new reading. While one is pending, the next asks for the whole if this should have."""
        self._owes_whole |= whole
        if self._awaited is None:
            self._awaited = Future()
            self._asked_s = time.monotonic()
            self._wanted.put((self._read if self._owes_whole else self._often, self._awaited))
            self._owes_whole = False

    def answer(self, deadline: float) -> _T | None:
        """The reading; None if it is late, in which case a later tick gets it. Raises what reading raised."""
        if self._awaited is None:
            return None
        try:
            # Don't wait again for a reader that was late before.
            reading = self._awaited.result(0.0 if self.waited_s else max(0.0, deadline - time.monotonic()))
        except TimeoutError:
            if not self._awaited.done():
                self.waited_s = time.monotonic() - self._asked_s
                return None
            raise
        finally:
            if self._awaited.done():
                self._awaited = None
        self.waited_s = 0.0
        return reading

    def _work(self) -> None:
        while (wanted := self._wanted.get()) is not None:
            read, future = wanted
            try:
                future.set_result(read())
            except Exception as error:  # noqa: BLE001 - for whoever asked
                future.set_exception(error)
        self._close()

    def close(self) -> None:
        """Close the reader. A thread that hangs in its driver stays until the program ends."""
        self._wanted.put(None)
        self._thread.join(PATIENCE_S)


def _device_reading(uuid: str, reader: _Reader[DeviceReading], deadline: float) -> DeviceReading:
    try:
        reading = reader.answer(deadline)
    except Exception as error:  # noqa: BLE001 - told, not raised
        return DeviceReading(uuid=uuid, error=f"{type(error).__name__}: {error}")
    if reading is None:
        hangs = reader.waited_s > HANGS_S
        return DeviceReading(uuid=uuid, error=f"no answer for {reader.waited_s:.1f} s" if hangs else "")
    return reading


class _HostCpu:
    """How busy this machine's processors were since the last reading, 0 to 1, including other work."""

    def __init__(self) -> None:
        self._before = self._times()

    def read(self) -> float | None:
        now = self._times()
        if now is None or self._before is None:
            return None
        busy, total = now[0] - self._before[0], now[1] - self._before[1]
        self._before = now
        return round(busy / total, 3) if total > 0 else None

    @staticmethod
    def _times() -> tuple[int, int] | None:
        with contextlib.suppress(OSError, ValueError):
            descriptor = os.open("/proc/stat", os.O_RDONLY)
            try:
                line = os.read(descriptor, 4096).split(b"\n", 1)[0]
            finally:
                os.close(descriptor)
            ticks = [int(field) for field in line.split()[1:9]]
            idle = ticks[3] + ticks[4]
            return sum(ticks) - idle, sum(ticks)
        return None
