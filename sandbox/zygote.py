"""Runs inside the sandbox, usually as its init process: forks a warm child for each program, judges how it ended.

Standard library only; started as `python -I -S -B -c <sandbox/child.py, sandbox/confinement.py and this source>`,
with a `ZygoteSetup` as JSON where it is not the usual one, a PID namespace of its own. Requests come on fd 0,
answers go to fd 1, both as a length (4 bytes, big endian) and JSON. A child gets neither: it has /dev/null or its
own input as stdin, a pipe of limited patience as stdout and stderr, and a result pipe.

What holds this together:
- As process 1 of its PID namespace it can't be signalled by what it starts, and all orphans become its own; after
  each program everything else in the namespace is killed, and /tmp and /dev/shm are emptied. Without a namespace,
  sandbox/confinement.py says what stands for it; there what children lay on themselves does not bind the zygote.
- It is not dumpable, and there is no /proc, so no child can read or change it or its siblings. What could be done
  to it by number (its limits, priority and processors) the seccomp filter refuses.
- A program passes only when the runner below it, after the last statement, writes a secret that is new for each
  program. Printing, exiting early, or writing anything else into every descriptor proves nothing.
"""

import base64
import collections  # noqa: F401 - imported for the children: each program starts warm
import contextlib
import copy  # noqa: F401
import ctypes
import datetime  # noqa: F401
import functools  # noqa: F401
import gc
import hashlib  # noqa: F401
import heapq  # noqa: F401
import itertools  # noqa: F401
import json
import os
import re  # noqa: F401
import resource
import select
import signal
import string  # noqa: F401
import struct
import sys
import time
import types
import typing
from typing import Any

from sandbox.child import RESULT_BYTES, child, hard_limits
from sandbox.confinement import Confinement, empty, end_children, keep

PR_SET_DUMPABLE = 4
SECRET_BYTES = 16
SHORTEST_LOOK_S = 0.01
KEPT_OUTPUT_BYTES = 16384
NICE = 5  # the model's server comes first
FOLDER_LOOK_S = 0.1  # how often a folder that is not bounded by itself is looked at
MOST_FILES = 10_000  # in such a folder, or else to look takes too long
LONGEST_PATH = 4000  # PATH_MAX is 4096


class ZygoteSetup(typing.NamedTuple):
    """Where the zygote is. writable: the folders that it empties; programs start in the first one.

    folder_bytes: how much may lie in them; 0 where they are bounded by themselves.
    own_namespace: it is process 1 of a PID namespace. other_tasks: processes and threads that its user has beside,
    at most. confinement: see `Confinement`.
    """

    writable: typing.Sequence[str] = ("/tmp", "/dev/shm")  # noqa: S108 - the sandbox's own
    folder_bytes: int = 0
    own_namespace: bool = True
    other_tasks: int = 0
    confinement: typing.Mapping[str, int] = types.MappingProxyType({})


SETUP = ZygoteSetup(**json.loads(sys.argv[1])) if __name__ == "__main__" and sys.argv[1:] else ZygoteSetup()


def main() -> None:
    if SETUP.own_namespace:
        serve(lambda: None)
        return
    keep(wipe)
    try:
        serve(Confinement(**SETUP.confinement).lay_on)
    finally:
        end_children()


def serve(confine: typing.Callable[[], None]) -> None:
    """Judge one program after the other until the harness is gone. confine: called in each child."""
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    # The first process of a namespace gets only those signals from inside that it handles: none, then.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.addaudithook(refuse)
    with contextlib.suppress(OSError):
        os.nice(NICE)
    exec(compile("", "<warm>", "exec"))  # makes the parser's types, a millisecond that each child would need
    streams: tuple[Any, ...] = (sys.stdin, sys.stdout, sys.stderr)
    for stream in streams:  # the children's: unused here, and soon on other files
        stream.reconfigure(encoding="utf-8", errors="replace")
    gc.collect()
    gc.freeze()  # children then share these pages instead of copying them
    answer({"ready": True, "version": sys.version.split()[0], "hard_limits": hard_limits()})
    while True:
        request = read_frame()
        if request is None:
            return
        if "stop" not in request:  # else it came too late: that program has ended already
            answer(judge(request, confine))


def refuse(event: str, _arguments: object) -> None:
    if event == "sys.settrace":
        raise RuntimeError("tracing is not allowed in the sandbox, because it could skip tests")


def read_frame() -> Any:
    header = read_exactly(4)
    if len(header) < 4:
        return None
    return json.loads(read_exactly(struct.unpack(">I", header)[0]))


def read_exactly(count: int) -> bytes:
    parts = []
    while count:
        part = os.read(0, count)
        if not part:
            break
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def answer(value: dict[str, Any]) -> None:
    data = json.dumps(value).encode()
    data = struct.pack(">I", len(data)) + data
    while data:
        data = data[os.write(1, data) :]


def judge(request: dict[str, Any], confine: typing.Callable[[], None]) -> dict[str, Any]:
    """Run one program to its end or limit, then leave nothing of it."""
    request["folder"] = SETUP.writable[0]
    request["processes"] += SETUP.other_tasks
    request["cpu_s"] = min(request["cpu_s"], hard_limits().get("cpu_s", request["cpu_s"]))
    result_read, result_write = os.pipe()
    output_read, output_write = os.pipe()
    stdout_read, stdout_write = os.pipe() if request["script"] else (output_read, output_write)
    secret_read, secret_write = os.pipe()
    pipes = (result_read, result_write, output_read, output_write, secret_read, secret_write)
    began = time.monotonic()
    try:
        pid = os.fork()
    except OSError as error:  # its user has no process or memory left: no verdict on the program
        for descriptor in {*pipes, stdout_read, stdout_write}:
            os.close(descriptor)
        return {"kind": "sandbox_error", "detail": f"no process can be started: {error.strerror}"}
    if pid == 0:
        for descriptor in {result_read, output_read, stdout_read, secret_write}:
            os.close(descriptor)
        child(request, secret_read, result_write, output_write, stdout_write, confine)
    for descriptor in {result_write, output_write, stdout_write, secret_read}:
        os.close(descriptor)
    secret = os.urandom(SECRET_BYTES)  # after the fork: the child's copy of this frame has none
    with contextlib.suppress(BrokenPipeError):
        os.write(secret_write, secret)
    os.close(secret_write)
    os.set_blocking(result_read, False)
    kept = {stdout_read: request["output_bytes"], output_read: KEPT_OUTPUT_BYTES}  # one, if they are the same
    watch = Watch(kept, request["output_bytes"])
    ending, stopped = watch.until_end(pid, began + request["wall_s"], request["overtime"] * request["cpu_s"])
    own_cpu_s = time.clock_gettime(cpu_clock(pid))
    status, usage = end_all(pid)
    seconds = time.monotonic() - began
    watch.take_all()
    if ending == "exit" and watch.flooded:
        ending = "output"
    written = b""
    with contextlib.suppress(BlockingIOError):
        written = os.read(result_read, RESULT_BYTES)
    for descriptor in (result_read, *kept):
        os.close(descriptor)
    wipe()
    cpu_s = max(own_cpu_s, usage.ru_utime + usage.ru_stime)  # its own exactly; with those that it waited for
    time_share = None
    if ending == "exit":
        time_share = max(own_cpu_s / request["cpu_s"], cpu_s / request["family_cpu_s"])
        if time_share > 1:
            ending = "cpu"
    if ending == "stopped":
        kind, detail = stopped["stop"], stopped["detail"]
    else:
        kind, detail = verdict(ending, status, written, secret, cpu_s, request)
    return {
        "kind": kind,
        "detail": detail[:500],
        "seconds": seconds,
        "cpu_s": cpu_s,
        "time_share": time_share,  # of a program that ended by itself: of what it may take
        "wall_timeout": ending == "wall",
        "peak_memory_bytes": usage.ru_maxrss * 1024,
        "exit_code": os.WEXITSTATUS(status) if os.WIFEXITED(status) else None,
        "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else None,
        "output": watch.kept[output_read].decode("utf-8", "replace"),
        "stdout": base64.b64encode(watch.kept[stdout_read]).decode() if request["script"] else "",
    }


class Watch:
    """Waits for a child's end while what it prints is taken. kept: of each descriptor the beginning."""

    def __init__(self, keep_bytes: dict[int, int], limit_bytes: int) -> None:
        self.kept = {descriptor: bytearray() for descriptor in keep_bytes}
        self._keep_bytes = keep_bytes
        self._limit_bytes = limit_bytes
        self._total_bytes = 0
        self._open = set(keep_bytes)
        for descriptor in keep_bytes:
            os.set_blocking(descriptor, False)

    @property
    def flooded(self) -> bool:
        return self._total_bytes > self._limit_bytes

    def until_end(self, pid: int, deadline: float, cpu_limit_s: float) -> tuple[str, Any]:
        """How it came to an end: "exit", "cpu", "wall", "output", or "stopped" with the harness's word."""
        clock = cpu_clock(pid)
        child_end = os.pidfd_open(pid)
        next_look = time.monotonic() + FOLDER_LOOK_S
        try:
            poll = select.poll()
            poll.register(child_end, select.POLLIN)
            for descriptor in self._open:
                poll.register(descriptor, select.POLLIN)
            poll.register(0, select.POLLIN)
            while True:
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    return "wall", None
                cpu_left_s = cpu_limit_s - time.clock_gettime(clock)
                if cpu_left_s <= 0:
                    return "cpu", None
                if SETUP.folder_bytes:
                    left_s = min(left_s, FOLDER_LOOK_S)
                    if time.monotonic() > next_look:
                        if overfull():
                            return "files", None
                        next_look = time.monotonic() + FOLDER_LOOK_S
                ready = {fd for fd, _ in poll.poll(1000 * min(left_s, max(cpu_left_s, SHORTEST_LOOK_S)))}
                for descriptor in self._open & ready:
                    self._take(descriptor)
                    if descriptor not in self._open:
                        poll.unregister(descriptor)
                if self.flooded:
                    return "output", None
                if child_end in ready:
                    return "exit", None
                if 0 in ready:
                    word = read_frame()
                    if word is None:
                        raise SystemExit  # the harness is gone; all here ends with its first process
                    return "stopped", word
        finally:
            os.close(child_end)

    def take_all(self) -> None:
        for descriptor in tuple(self._open):
            self._take(descriptor)

    def _take(self, descriptor: int) -> None:
        """Take what is there, at most twice the limit: its writers may still be at it."""
        kept = self.kept[descriptor]
        while self._total_bytes <= 2 * self._limit_bytes:
            try:
                data = os.read(descriptor, 65536)
            except BlockingIOError:
                return
            if not data:
                self._open.remove(descriptor)
                return
            self._total_bytes += len(data)
            kept += data[: self._keep_bytes[descriptor] - len(kept)]


def cpu_clock(pid: int) -> int:
    """What the scheduler counted for a process, until it is waited for, exactly.

    RLIMIT_CPU and wait4(2) count clock ticks: a fifth off on a busy machine.
    """
    return (~pid << 3) | 2  # clock_getcpuclockid(3); linux/posix-timers.h: CPUCLOCK_SCHED


def end_all(pid: int) -> tuple[int, resource.struct_rusage]:
    """Kill and wait for every process that a program left; the program's own status and usage."""
    found = None
    if SETUP.own_namespace:
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)  # everything in the namespace but this process
        while True:
            try:
                ended, status, usage = os.wait4(-1, 0)
            except ChildProcessError:
                break
            if ended == pid:
                found = status, usage
    else:
        found = end_children(pid)
    if found is None:
        raise SystemExit("the program's process is lost")
    return found


def overfull() -> bool:
    """Whether a running program has filled its folders, or hides there. What it deleted and holds open is not seen."""
    size, count = 0, 0
    folders = list(SETUP.writable)
    while folders:
        folder = folders.pop()
        try:
            for entry in os.scandir(folder):
                size += entry.stat(follow_symlinks=False).st_blocks * 512
                count += 1
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                if size > SETUP.folder_bytes or count > MOST_FILES or len(entry.path) > LONGEST_PATH:
                    return True
        except FileNotFoundError:  # gone meanwhile
            continue
        except OSError:
            return True
    return False


def wipe() -> None:
    for folder in SETUP.writable:
        with contextlib.suppress(PermissionError):  # root's, as in a container: then no program changed it
            os.chmod(folder, 0o1777 if SETUP.own_namespace else 0o700)
        empty(folder)


def verdict(
    ending: str, status: int, written: bytes, secret: bytes, cpu_s: float, request: dict[str, Any]
) -> tuple[str, str]:
    if ending == "output":
        return "output_limit", f"printed more than {request['output_bytes']} bytes"
    if ending == "files":
        return (
            "output_limit",
            f"wrote more than {SETUP.folder_bytes} bytes or {MOST_FILES} files, or hid them",
        )
    if ending == "cpu":
        return "timeout", f"used {request['cpu_s']:g} s of processor time"
    if ending == "wall":
        return "timeout", f"still running after {request['wall_s']:g} s"
    if written.startswith(secret):
        kind, _, detail = written[SECRET_BYTES:].partition(b"\n")
        return kind.decode(), detail.decode("utf-8", "replace")
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        # The kernel's own limit counts clock ticks: it may come early, above all on a busy machine.
        if number in {signal.SIGXCPU, signal.SIGKILL} and cpu_s >= 0.5 * request["cpu_s"]:
            return "timeout", f"used {request['cpu_s']:g} s of processor time"
        name = signal.Signals(number).name if number in set(signal.Signals) else str(number)
        return "killed", f"killed by {name}"
    return "killed", f"exited with code {os.WEXITSTATUS(status)} before its end"


if __name__ == "__main__":
    main()
