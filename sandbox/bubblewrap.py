"""The bubblewrap level: one bwrap a worker, a warm zygote inside, a fresh fork of it for each program."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import select
import struct
import subprocess
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

import psutil

from sandbox.contract import Limits, Program, SandboxError, Verdict, VerdictKind
from sandbox.interpreter import (
    bwrap_version,
    copy_for_everybody,
    find_bwrap,
    find_interpreter,
    reachable_by_everybody,
)
from sandbox.seccomp import filter_program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

READY_S = 20.0
ANSWER_BYTES = 1 << 20  # an answer is a few KiB; more is no answer of ours
SLACK_S = 10.0  # beyond the wall limit, which the zygote keeps itself
LOOK_S = 0.1  # how often the memory of a program that takes longer is looked at
FIRST_UID = 60_000  # below the ranges of systemd and containers, above ordinary users
TMP_BYTES = 256 << 20
SHM_BYTES = 64 << 20
ZYGOTE = (Path(__file__).parent / "zygote.py").read_text(encoding="utf-8")


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
        self._free: queue.Queue[_Worker] = queue.Queue()
        self._alone = threading.Lock()
        self._size = workers
        self._workers: set[_Worker] = set()
        self._closed = False
        try:
            started = [self._start(slot) for slot in range(workers)]
            self._python = started[0].wait_ready()
            for worker in started[1:]:
                worker.wait_ready()
        except BaseException:
            self.close()
            raise
        for worker in started:
            self._free.put(worker)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def run(self, program: Program, limits: Limits) -> Verdict:
        """See `Sandbox.run`. What ran out of wall time is run once more, alone, before it counts."""
        with self._worker() as worker:
            verdict, by_wall = worker.run(program, limits)
        if not by_wall:  # processor time does not depend on how busy the machine is
            return verdict
        with self._alone, contextlib.ExitStack() as all_workers:
            held = [all_workers.enter_context(self._worker()) for _ in range(self._size)]
            return held[0].run(program, limits)[0]

    @contextlib.contextmanager
    def _worker(self) -> Iterator[_Worker]:
        worker = self._free.get()
        try:
            yield worker
        except BaseException:
            worker.suspected = True
            raise
        finally:
            if worker.suspected and not self._closed:
                worker.end()
                self._workers.discard(worker)
                worker = self._start(worker.slot)
                worker.wait_ready()
            self._free.put(worker)

    def describe(self) -> dict[str, Any]:
        return {
            "level": "bubblewrap",
            "bwrap": self._version,
            "interpreter": str(self._interpreter.path),
            "python": self._python,
            "seccomp": self._filter is not None,
            "workers": self._size,
        }

    def close(self) -> None:
        self._closed = True
        for worker in self._workers:
            worker.end()
        self._workers.clear()
        self._starter.shutdown()
        if self._copy is not None:
            self._copy.cleanup()

    def _start(self, slot: int) -> _Worker:
        worker = self._starter.submit(self._spawn, slot).result()
        self._workers.add(worker)
        return worker

    def _spawn(self, slot: int) -> _Worker:
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
        return _Worker(process, slot, diagnosis)

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


class _Worker:
    """One bwrap with its zygote. suspected: not to be used again."""

    def __init__(self, process: subprocess.Popen[bytes], slot: int, diagnosis: IO[bytes]) -> None:
        self.slot = slot
        self.suspected = False
        self._process = process
        self._diagnosis = diagnosis
        self._over_memory = False
        if process.stdin is None or process.stdout is None:
            raise TypeError("a worker speaks through pipes")
        self._stdin, self._stdout = process.stdin, process.stdout

    def wait_ready(self) -> str:
        """The version of the Python inside. Raises SandboxError with what bwrap said."""
        hello = self._read(time.monotonic() + READY_S)
        if hello is None or "version" not in hello:
            self.end()
            self._diagnosis.seek(0)
            said = self._diagnosis.read(2000).decode("utf-8", "replace").strip()
            raise SandboxError(
                f"bubblewrap does not work here: {said or 'no word from inside'}",
                hint="user namespaces may be forbidden to ordinary programs (Ubuntu since 23.10: AppArmor; see "
                "`sysctl kernel.apparmor_restrict_unprivileged_userns`); an AppArmor profile for bwrap allows them",
            )
        return str(hello["version"])

    def run(self, program: Program, limits: Limits) -> tuple[Verdict, bool]:
        """The verdict, and whether it is a timeout by the wall clock. Raises SandboxError."""
        request = {
            "code": program.code,
            "stdin": program.stdin,
            "cpu_s": limits.cpu_s,
            "wall_s": limits.wall_limit_s,
            "memory_bytes": limits.memory_bytes,
            "processes": limits.processes,
            "file_bytes": limits.file_bytes,
            "open_files": limits.open_files,
            "output_bytes": limits.output_bytes,
        }
        self.suspected = True  # until a whole answer is there
        data = json.dumps(request).encode()
        try:
            self._write(struct.pack(">I", len(data)) + data)
        except OSError as error:
            raise SandboxError(f"the sandbox ended by itself before a program: {error}") from error
        began = time.monotonic()
        answer = self._read(began + limits.wall_limit_s + SLACK_S, limits.memory_bytes)
        if answer is None:
            # What a program did to its sandbox is the program's fault: the zygote was alive before it.
            seconds = time.monotonic() - began
            kind = VerdictKind.MEMORY_LIMIT if self._over_memory else VerdictKind.KILLED
            return Verdict(kind=kind, detail="ended with its sandbox", seconds=seconds), False
        try:
            verdict = Verdict(
                kind=VerdictKind(answer["kind"]),
                detail=str(answer["detail"]),
                seconds=float(answer["seconds"]),
                cpu_s=float(answer["cpu_s"]),
                peak_memory_bytes=int(answer["peak_memory_bytes"]),
                exit_code=answer["exit_code"],
                signal=answer["signal"],
                output=str(answer["output"]),
            )
        except (KeyError, ValueError, TypeError) as error:
            raise SandboxError(f"the sandbox gave no verdict: {error!r}") from error
        self.suspected = False
        return verdict, bool(answer["wall_timeout"])

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._stdin.fileno(), view) :]

    def _read(self, deadline: float, memory_bytes: int | None = None) -> dict[str, Any] | None:
        """One answer; None when there is none: the end of the sandbox, the deadline, too much memory, nonsense."""
        descriptor = self._stdout.fileno()
        data = b""
        while len(data) < 4 or len(data) < 4 + struct.unpack(">I", data[:4])[0]:
            if len(data) >= 4 and struct.unpack(">I", data[:4])[0] > ANSWER_BYTES:
                return None
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return None
            if not select.select([descriptor], [], [], min(left_s, LOOK_S))[0]:
                if memory_bytes is not None and self._memory_bytes() > memory_bytes:
                    self._over_memory = True
                    return None
                continue
            part = os.read(descriptor, 65536)
            if not part:
                return None
            data += part
        try:
            value = json.loads(data[4:])
        except ValueError:
            return None
        return value if isinstance(value, dict) else None

    def _memory_bytes(self) -> int:
        """Resident memory of all that runs in this sandbox. What is shared counts for each process."""
        total = 0
        with contextlib.suppress(psutil.Error):
            for process in psutil.Process(self._process.pid).children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    total += process.memory_info().rss
        return total

    def end(self) -> None:
        """Kill bwrap, and with it the namespace's init and all in it. Is idempotent."""
        self._stdin.close()
        self._stdout.close()
        # bwrap's child is the namespace's init: it dies with bwrap, and everything in the namespace with it.
        self._process.kill()
        self._process.wait()
        self._diagnosis.close()
