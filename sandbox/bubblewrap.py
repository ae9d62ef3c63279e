"""The bubblewrap level: one bwrap a worker, a warm zygote inside, a fresh fork of it for each program."""

from __future__ import annotations

import contextlib
import os
import queue
import subprocess
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from sandbox.contract import Limits, Program, SandboxError, Verdict
from sandbox.interpreter import (
    bwrap_version,
    copy_for_everybody,
    find_bwrap,
    find_interpreter,
    reachable_by_everybody,
)
from sandbox.seccomp import filter_program
from sandbox.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

FIRST_UID = 60_000  # below the ranges of systemd and containers, above ordinary users
TMP_BYTES = 256 << 20
SHM_BYTES = 64 << 20
_HERE = Path(__file__).parent
# One text, since nothing of ours can be imported inside.
_IMPORT = "from sandbox.child import RESULT_BYTES, child\n"
ZYGOTE = (_HERE / "child.py").read_text(encoding="utf-8") + (_HERE / "zygote.py").read_text(
    encoding="utf-8"
).replace(_IMPORT, "")


@dataclass
class _Slot:
    """The place of one worker. worker: None while there is none, as after one that was suspected."""

    number: int
    worker: Worker | None = None


class BubblewrapSandbox:
    """See `sandbox.contract.Sandbox`. Opens in some 50 ms; all workers start at once.

    Started by root, the workers run under ordinary user ids of their own: inside a user namespace root outside
    is still root for files such as /proc/sys, and its processes are not counted.
    """

    def __init__(self, workers: int) -> None:
        self._as_root = os.geteuid() == 0
        self._interpreter = find_interpreter(by_everybody=self._as_root)
        bwrap = find_bwrap()
        self._version = bwrap_version(bwrap)
        self._copy: tempfile.TemporaryDirectory[str] | None = None
        if self._as_root and not reachable_by_everybody(bwrap):
            self._copy = copy_for_everybody(bwrap)
            bwrap = Path(self._copy.name) / bwrap.parent.parent.name / "_bin" / "bwrap"
        self._bwrap = bwrap
        self._filter = filter_program()
        # The kernel ends bwrap when the *thread* that started it ends, so one thread starts them all.
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

        Such are: out of wall time though not idle, and ended with its sandbox.
        """
        with self._worker() as worker:
            answer = worker.run(program, limits)
        if not answer.doubtful:
            return answer.verdict
        with self._alone, contextlib.ExitStack() as all_workers:
            held = [all_workers.enter_context(self._worker()) for _ in self._slots]
            return held[0].run(program, limits).verdict

    @contextlib.contextmanager
    def _worker(self) -> Iterator[Worker]:
        """A worker for one program; one that is suspected is ended after it, and started anew when needed."""
        slot = self._free.get()
        try:
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
        return {
            "level": "bubblewrap",
            "bwrap": self._version,
            "interpreter": str(self._interpreter.path),
            "python": self._python,
            "seccomp": self._filter is not None,
            "workers": len(self._slots),
        }

    def close(self) -> None:
        """See `Sandbox.close`. A program that still runs raises SandboxError in the thread that waits for it."""
        with self._starting:
            self._closed = True
        for slot in self._slots:
            if slot.worker is not None:
                slot.worker.end()
        self._starter.shutdown()
        if self._copy is not None:
            self._copy.cleanup()

    def _start(self, slot: _Slot) -> Worker:
        with self._starting:
            if self._closed:
                raise SandboxError("the sandbox is closed")
            try:
                slot.worker = self._starter.submit(self._spawn, slot.number).result()
            except (OSError, RuntimeError, subprocess.SubprocessError) as error:
                user = "as an ordinary user " if self._as_root else ""
                raise SandboxError(
                    f"bwrap can't be started {user}here: {error}",
                    hint="as root in a namespace that has no other users, start the harness itself as an ordinary one"
                    if self._as_root
                    else f"see whether {self._bwrap} starts by hand",
                ) from error
            return slot.worker

    def _spawn(self, slot: int) -> Worker:
        uid = FIRST_UID + (os.getpid() * 16 + slot) % 4000 if self._as_root else None
        diagnosis = tempfile.TemporaryFile()  # noqa: SIM115 - the worker closes it
        with contextlib.ExitStack() as files:
            options = list(self._options())
            inherited = []
            if self._filter is not None:
                descriptor = os.memfd_create("seccomp")
                files.callback(os.close, descriptor)
                os.write(descriptor, self._filter)
                os.lseek(descriptor, 0, os.SEEK_SET)
                inherited.append(descriptor)
                options += ["--seccomp", str(descriptor)]
            process = subprocess.Popen(
                [self._bwrap, *options, "--", self._interpreter.path, "-I", "-S", "-B", "-c", ZYGOTE],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=diagnosis,
                bufsize=0,
                env={},
                cwd="/",
                pass_fds=inherited,
                user=uid,
                group=uid,
                extra_groups=[] if uid is not None else None,
            )
        return Worker(process, diagnosis)

    def _options(self) -> list[str]:
        options = [
            "--unshare-all",
            "--unshare-user",
            "--disable-userns",
            "--die-with-parent",
            "--new-session",
        ]
        options += ["--clearenv", "--as-pid-1", "--cap-drop", "ALL", "--hostname", "sandbox"]
        for folder in self._interpreter.folders:
            options += ["--ro-bind", str(folder), str(folder)]
        for path, target in self._interpreter.links:
            options += ["--symlink", target, str(path)]
        options += ["--dev", "/dev", "--size", str(SHM_BYTES), "--tmpfs", "/dev/shm"]  # noqa: S108 - inside
        options += ["--size", str(TMP_BYTES), "--tmpfs", "/tmp"]  # noqa: S108 - inside
        return [*options, "--remount-ro", "/dev", "--remount-ro", "/", "--setenv", "LANG", "C.UTF-8"]
