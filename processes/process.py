"""Start and end subprocesses (servers and scripts) so that none outlives the harness.

Between harness and target is `processes/guardian.py`, which ends the whole tree on request, when the leader ends, or
when the harness dies in any way, including SIGKILL. Output goes to files, never to a pipe: a pipe that isn't drained
blocks the server, and one that a grandchild inherited never ends.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import shlex
import signal
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple, Self

from processes import guardian
from processes.tree import descendants, read_member, send_signal
from results.errors import BenchError, ServerError, UsageError
from results.files import open_to_append

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Imported, not run as a file, because imported modules are already compiled.
_GUARDIAN = (
    f"import sys; sys.path.append({str(Path(__file__).parents[1])!r}); "
    "from processes.guardian import main; main()"
)
KILL_WAIT_S = 30.0  # how long a process may hang in the kernel after SIGKILL (a GPU driver, a network disk)


class Exit(NamedTuple):
    """How a process ended: with exit code `code`, or by `signal`. The other one is None."""

    code: int | None
    signal: int | None

    def describe(self) -> str:
        """The end in words: "exit code 1", "killed by SIGILL"."""
        if self.signal is None:
            return f"exit code {self.code}"
        try:
            return f"killed by {signal.Signals(self.signal).name}"
        except ValueError:
            return f"killed by signal {self.signal}"


def start(
    argv: Sequence[str],
    *,
    output: Path,
    stdout: Path | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    passed: Sequence[int] = (),
) -> ManagedProcess:
    """Start argv under a guardian, in its own session, with stdin empty and all other descriptors closed.

    passed: descriptors that it has too, by the same numbers. output: the file to which stderr is appended, and stdout
    unless it has its own file; if more than `bounded_log.LOG_BYTES` are printed, the beginning and the end are kept.
    env: the whole environment; None means the harness's. Raises UsageError if argv can't be executed or a file can't be
    opened.

    Guarantee: from the first instant, the death of the harness (even by SIGKILL) ends the whole tree in about 0.5 s,
    including daemonised processes and those that ignore SIGTERM. If this function raises, nothing is left running.
    """
    command = tuple(argv)
    if not command:
        raise UsageError("no command to start")
    mark = f"{os.getpid()}-{uuid.uuid4().hex}"
    environment = {**(os.environ if env is None else env), guardian.TREE_MARK: mark}
    with contextlib.ExitStack() as files:
        error_file = _open_log(files, output)
        output_file = error_file if stdout is None else _open_log(files, stdout)
        own_stdout = () if stdout is None else (output_file.fileno(),)
        request = guardian.Request(
            output_file.fileno() if own_stdout else 2,
            [_no_nul(os.fsencode(part), command) for part in command],
            {os.fsencode(name): _no_nul(os.fsencode(value), command) for name, value in environment.items()},
        )
        try:
            keeper = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _GUARDIAN, str(os.getpid())],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=error_file,
                cwd=cwd,
                pass_fds=(*own_stdout, *passed),
                start_new_session=True,
            )
        except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
            raise UsageError(
                f"cannot start in {cwd}: {error.strerror}",
                hint="is that folder still there?",
                command=command,
            ) from error
    # If a signal raises between here and the return, `keeper` is dropped, which closes the control pipe. The guardian
    # then ends the tree as if the harness had died.
    process = ManagedProcess(keeper, command, mark)
    try:
        process._launch(guardian.write_request(request))  # noqa: SLF001 - two halves of one constructor
    except BaseException:
        process._abandon()  # noqa: SLF001 - same
        raise
    return process


class ManagedProcess:
    """A process tree under a guardian. As a context manager it stops the tree at the end.

    Methods may be called from any thread; `stop` wins over a concurrent `wait`.
    """

    def __init__(self, keeper: subprocess.Popen[bytes], argv: tuple[str, ...], mark: str) -> None:
        self.argv = argv
        self.pid = 0
        self._guardian = 0
        self._keeper = keeper
        self._mark = mark
        self._control = _pipe(keeper.stdin)
        self._status = _pipe(keeper.stdout)
        self._buffer = b""
        self._failure: int | None = None
        self._exit: Exit | None = None
        self._empty = False  # nothing of the tree is left
        self._lock = threading.RLock()

    def _launch(self, request: bytes) -> None:
        with contextlib.suppress(BrokenPipeError):  # the log has the reason
            view = memoryview(request)
            while view:
                view = view[self._control.write(view) or 0 :]
        while not self.pid and not self._empty:
            select.select([self._status], [], [])
            self._read_status()
        if self._failure is not None:
            raise _cannot_execute(self.argv, self._failure)
        if not self.pid:
            raise BenchError("the guardian process did not start", command=self.argv)

    def _abandon(self) -> None:
        """Leave nothing behind when `start` raises."""
        self._control.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._keeper.wait(KILL_WAIT_S)
        self._status.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def fileno(self) -> int:
        """For select: readable once there is news about the end, and from then on; then call `poll`."""
        return self._status.fileno()

    def poll(self) -> Exit | None:
        """How the leader ended; None while it runs. Its descendants may still be ending."""
        if self._exit is None:
            with self._lock:
                self._read_status()
        return self._exit

    def wait(self, timeout_s: float | None = None) -> Exit | None:
        """Wait for the leader's end; returns at once when it ends, or None after timeout_s."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while self.poll() is None:
            left_s = None if deadline is None else deadline - time.monotonic()
            if left_s is not None and left_s <= 0:
                return None
            try:
                select.select([self._status], [], [], left_s)
            except (OSError, ValueError):  # closed by `stop` in another thread
                return self._exit
        return self._exit

    def tree(self) -> frozenset[int]:
        """Pids of all living processes in the tree: the leader and its descendants."""
        if self._empty or self._keeper.poll() is not None:
            return frozenset()
        return frozenset(member.pid for member in descendants(self._guardian))

    def stop(self, grace_s: float = 10.0) -> Exit:
        """End the whole tree: SIGTERM, grace_s seconds, SIGKILL. Returns when nothing is left of it.

        Is idempotent. If it is called again while a first call waits (from a signal handler's exception), the shorter
        grace counts. Returns how the leader ended, which may have been earlier and by itself. Raises ServerError if
        something survives SIGKILL for 30 s.
        """
        with self._lock:
            if not self._empty:
                with contextlib.suppress(BrokenPipeError):
                    self._control.write(f"stop {grace_s:.3f}\n".encode())
            deadline = time.monotonic() + grace_s + KILL_WAIT_S
            while not self._empty:
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    pids = ", ".join(str(pid) for pid in sorted(self.tree()))
                    raise ServerError(
                        f"cannot end process {pids}: it is stuck in the kernel",
                        hint="look at `dmesg`: a GPU driver or a network disk may be stuck",
                        command=self.argv,
                    )
                select.select([self._status], [], [], left_s)
                self._read_status()
            self._keeper.wait()
            self._control.close()
            self._status.close()
            return self._exit or Exit(None, signal.SIGKILL)

    def _read_status(self) -> None:
        """Read what the guardian has reported, without waiting."""
        while not self._empty and select.select([self._status], [], [], 0)[0]:
            data = os.read(self._status.fileno(), 4096)
            if not data:
                self._lost_guardian()
            *lines, self._buffer = (self._buffer + data).split(b"\n")
            for line in lines:
                verb, _, value = line.partition(b" ")
                if verb == b"started":
                    self._guardian, self.pid = (int(number) for number in value.split())
                elif verb == b"failed":
                    self._failure = int(value)
                    self._empty = True
                elif verb == b"exited":
                    code = int(value)
                    self._exit = Exit(code, None) if code >= 0 else Exit(None, -code)
                elif verb == b"done":
                    self._empty = True

    def _lost_guardian(self) -> None:
        """Clean up after guardian and backup were killed: the kernel ended the leader; find the rest by environment."""
        mark = f"{guardian.TREE_MARK}={self._mark}".encode()
        deadline = time.monotonic() + KILL_WAIT_S
        while time.monotonic() < deadline:
            members = [member for member in map(read_member, _all_pids()) if member is not None]
            marked = [member for member in members if mark in _environment(member.pid)]
            if not marked:
                break
            for member in marked:
                send_signal(member, signal.SIGKILL)
            time.sleep(0.01)  # they need a moment to die; then look for what they forked meanwhile
        self._empty = True
        if self._exit is None and self.pid:
            self._exit = Exit(None, signal.SIGKILL)


def _all_pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _open_log(files: contextlib.ExitStack, path: Path) -> IO[bytes]:
    try:
        return files.enter_context(open_to_append(path))
    except OSError as error:
        raise UsageError(
            f"cannot write {path}: {error.strerror}", hint="it must be a regular file that you may write to"
        ) from error


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise TypeError("the guardian needs pipes")
    return stream


def _no_nul(value: bytes, command: tuple[str, ...]) -> bytes:
    if b"\0" in value:
        raise UsageError(f"a NUL character in the command or its environment: {value!r}", command=command)
    return value


def _cannot_execute(argv: tuple[str, ...], number: int) -> UsageError:
    program = argv[0]
    hint = ""
    if number == errno.ENOENT and "/" in program and Path(program).exists():
        message = f"{program} exists, but the interpreter or loader that it names does not"
        hint = "it was built for another system; `file` and `head -1` show which"
    elif number == errno.ENOENT:
        message = f"no such program: {program}"
        hint = "give its full path, or put its folder on PATH"
    elif number == errno.EACCES and Path(program).is_dir():
        message = f"{program} is a folder, not a program"
    elif number == errno.EACCES:
        message = f"{program} is not executable"
        hint = f"chmod +x {shlex.quote(program)}"
    elif number == errno.ENOEXEC:
        message = f"{program} is not a program for this machine"
        hint = "it is built for another processor, is damaged, or is a script without a first line `#!...`"
    else:
        message = f"cannot start {program}: {os.strerror(number)}"
    return UsageError(message, hint=hint, command=argv)
