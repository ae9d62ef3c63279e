"""Workers that execute programs, as many at once as there are slots, however they are isolated."""

from __future__ import annotations

import contextlib
import queue
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Protocol, Self

import msgspec

from sandbox.contract import Limits, Program, SandboxError, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from sandbox.worker import Worker


class Launcher(Protocol):
    """One way to isolate a worker."""

    def start(self, slot: int) -> Worker:
        """Start a worker, not yet ready. slot: 0 .. workers - 1. Always called in the same thread.

        Raises OSError, RuntimeError, SubprocessError or SandboxError.
        """
        ...

    def explain(self, error: Exception) -> SandboxError:
        """What it means that `start` raised that, and what to do."""
        ...

    def describe(self) -> dict[str, Any]:
        """Level and versions, for the record."""
        ...

    def close(self) -> None:
        """Remove what was made for all workers; they have ended by now. Is idempotent."""
        ...


class _Slot(msgspec.Struct):
    """The place of one worker. worker: None while there is none, as after one that was suspected."""

    number: int
    worker: Worker | None = None


class Pool:
    """See `sandbox.contract.Sandbox`. All workers start at once; one that is suspected is replaced."""

    def __init__(self, launcher: Launcher, workers: int) -> None:
        self._launcher = launcher
        # The kernel ends a child when the *thread* that started it ends (PR_SET_PDEATHSIG): one thread starts all.
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="sandbox")
        self._slots = [_Slot(number) for number in range(workers)]
        self._free: queue.Queue[_Slot] = queue.Queue()
        self._alone = threading.Lock()
        self._starting = threading.Lock()
        self._closed = False
        try:
            started = [self._start(slot) for slot in self._slots]
            versions = [worker.wait_ready() for worker in started]
        except BaseException:
            self.close()
            raise
        self._python = versions[0]
        self._hard_limits = started[0].hard_limits
        for slot in self._slots:
            self._free.put(slot)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def run(self, program: Program, limits: Limits) -> Verdict:
        """See `Sandbox.run`. A verdict that may be the machine's fault is taken once more, alone, before it counts.

        These are: out of wall time though not idle, ended with its sandbox or by a signal that others send, and ended
        by itself a little too late.
        """
        with self._worker() as worker:
            answer = worker.run(program, limits)
        if not answer.doubtful:
            return answer.verdict
        with self._alone, contextlib.ExitStack() as all_workers:
            for _ in self._slots[1:]:
                all_workers.enter_context(self._worker())
            # Whatever ended one worker may have ended the others too, which is only seen when they are used.
            return all_workers.enter_context(self._worker(anew=True)).run(program, limits).verdict

    @contextlib.contextmanager
    def _worker(self, *, anew: bool = False) -> Iterator[Worker]:
        """A worker for one program; one that is suspected is ended after it, and started anew when needed."""
        slot = self._free.get()
        try:
            if anew and slot.worker is not None:
                slot.worker.end()
                slot.worker = None
            if slot.worker is None:
                self._start(slot).wait_ready()
            worker = slot.worker
            if worker is None or self._closed:
                raise SandboxError("the sandbox is closed")
            yield worker
        finally:
            if slot.worker is not None and slot.worker.suspected:
                slot.worker.end()
                slot.worker = None
            self._free.put(slot)

    def describe(self) -> dict[str, Any]:
        low = {name: most for name, most in self._hard_limits.items() if most < getattr(Limits(), name)}
        facts = {**self._launcher.describe(), "python": self._python, "workers": len(self._slots)}
        return {**facts, "hard_limits": low} if low else facts

    def close(self) -> None:
        """See `Sandbox.close`. A program that still runs raises SandboxError in the thread that waits for it."""
        with self._starting:
            self._closed = True
        for slot in self._slots:
            if slot.worker is not None:
                slot.worker.end()
        self._starter.shutdown()
        self._launcher.close()

    def _start(self, slot: _Slot) -> Worker:
        with self._starting:
            if self._closed:
                raise SandboxError("the sandbox is closed")
            try:
                slot.worker = self._starter.submit(self._launcher.start, slot.number).result()
            except (OSError, RuntimeError, subprocess.SubprocessError) as error:
                raise self._launcher.explain(error) from error
            return slot.worker
