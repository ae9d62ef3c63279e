"""Runs inside the sandbox as its init process: forks one warm child for each program and judges how it ended.

Standard library only; started as `python -I -S -B -c <this source>`. Requests come on fd 0, answers go to fd 1,
both as a length (4 bytes, big endian) and JSON. A child gets neither: it has /dev/null or its own input as
stdin, a pipe of limited patience as stdout and stderr, and a result pipe.

What holds this together:
- As process 1 of its PID namespace it can't be signalled by what it starts, and all orphans become its own; after
  each program everything else in the namespace is killed, and /tmp and /dev/shm are emptied.
- It is not dumpable, and there is no /proc, so no child can read or change it or its siblings.
- A program passes only when the runner below it, after the last statement, writes a secret that is new for each
  program. Printing, exiting early, or writing anything else into every descriptor proves nothing. What remains:
  hostile code in the same process could search the interpreter's memory for the secret; that would be an attack
  written for this very program, and no model's answer to a benchmark.
"""

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
import math
import os
import random
import re  # noqa: F401
import resource
import select
import shutil
import signal
import string  # noqa: F401
import struct
import sys
import time
import typing
from typing import Any

PR_SET_DUMPABLE = 4
SECRET_BYTES = 16
RESULT_BYTES = 4096
KEPT_OUTPUT_BYTES = 16384
WRITABLE = ("/tmp", "/dev/shm")  # noqa: S108 - the sandbox's own


def main() -> None:
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    with contextlib.suppress(OSError):
        os.nice(5)  # the model's server comes first
    gc.collect()
    gc.freeze()  # children then share these pages instead of copying them
    answer({"ready": True, "version": sys.version.split()[0]})
    while True:
        request = read_frame()
        if request is None:
            return
        answer(judge(request))


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


def judge(request: dict[str, Any]) -> dict[str, Any]:
    """Run one program to its end or limit, then leave nothing of it."""
    secret = os.urandom(SECRET_BYTES)
    result_read, result_write = os.pipe()
    output_read, output_write = os.pipe()
    began = time.monotonic()
    pid = os.fork()
    if pid == 0:
        child(request, secret, result_write, output_write)
    os.close(result_write)
    os.close(output_write)
    os.set_blocking(output_read, False)
    os.set_blocking(result_read, False)
    watch = Watch(output_read, request["output_bytes"])
    ending = watch.until_end(pid, began + request["wall_s"])
    with contextlib.suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)  # everything in the namespace but this process
    status, usage = reap(pid)
    seconds = time.monotonic() - began
    watch.take()
    written = b""
    with contextlib.suppress(BlockingIOError):
        written = os.read(result_read, RESULT_BYTES)
    os.close(result_read)
    os.close(output_read)
    wipe()
    cpu_s = usage.ru_utime + usage.ru_stime
    kind, detail = verdict(ending, status, written, secret, cpu_s, request)
    return {
        "kind": kind,
        "detail": detail[:500],
        "seconds": seconds,
        "cpu_s": cpu_s,
        "wall_timeout": ending == "wall",
        "peak_memory_bytes": usage.ru_maxrss * 1024,
        "exit_code": os.WEXITSTATUS(status) if os.WIFEXITED(status) else None,
        "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else None,
        "output": watch.kept.decode("utf-8", "replace"),
    }


class Watch:
    """Waits for a child's end while its output is taken, of which the beginning is kept."""

    def __init__(self, output: int, limit_bytes: int) -> None:
        self.kept = b""
        self._output = output
        self._limit_bytes = limit_bytes
        self._total_bytes = 0
        self._closed = False

    def until_end(self, pid: int, deadline: float) -> str:
        """How it came to an end: "exit", "wall" or "output"."""
        child_end = os.pidfd_open(pid)
        try:
            poll = select.poll()
            poll.register(child_end, select.POLLIN)
            poll.register(self._output, select.POLLIN)
            while True:
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    return "wall"
                ready = {fd for fd, _ in poll.poll(left_s * 1000)}
                if self._output in ready:
                    self.take()
                    if self._closed:
                        poll.unregister(self._output)
                        self._output = -1
                    if self._total_bytes > self._limit_bytes:
                        return "output"
                if child_end in ready:
                    return "exit"
        finally:
            os.close(child_end)

    def take(self) -> None:
        """Take what is there, at most twice the limit: its writers may still be at it."""
        while self._output >= 0 and self._total_bytes <= 2 * self._limit_bytes:
            try:
                data = os.read(self._output, 65536)
            except BlockingIOError:
                return
            if not data:
                self._closed = True
                return
            self._total_bytes += len(data)
            self.kept += data[: KEPT_OUTPUT_BYTES - len(self.kept)]


def reap(pid: int) -> tuple[int, resource.struct_rusage]:
    """Wait for every process of the namespace; the program's own status and usage."""
    found = None
    while True:
        try:
            ended, status, usage = os.wait4(-1, 0)
        except ChildProcessError:
            break
        if ended == pid:
            found = status, usage
    if found is None:
        raise SystemExit("the program's process is lost")
    return found


def wipe() -> None:
    for folder in WRITABLE:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    loosen(entry.path)
                    shutil.rmtree(entry.path, ignore_errors=True)
                else:
                    os.unlink(entry.path)
        if os.listdir(folder):
            raise SystemExit(f"cannot empty {folder}")  # the harness starts a fresh sandbox


def loosen(path: str) -> None:
    """Give back the permissions that a program may have taken from its own folders."""
    os.chmod(path, 0o700)
    for folder, names, _files in os.walk(path):
        for name in names:
            with contextlib.suppress(OSError):
                os.chmod(os.path.join(folder, name), 0o700, follow_symlinks=True)


def verdict(
    ending: str, status: int, written: bytes, secret: bytes, cpu_s: float, request: dict[str, Any]
) -> tuple[str, str]:
    if ending == "output":
        return "output_limit", f"printed more than {request['output_bytes']} bytes"
    if ending == "wall":
        return "timeout", f"still running after {request['wall_s']:g} s"
    if written.startswith(secret):
        kind, _, detail = written[SECRET_BYTES:].partition(b"\n")
        return kind.decode(), detail.decode("utf-8", "replace")
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number == signal.SIGXCPU or (number == signal.SIGKILL and cpu_s >= 0.9 * request["cpu_s"]):
            return "timeout", f"used {request['cpu_s']:g} s of processor time"
        name = signal.Signals(number).name if number in set(signal.Signals) else str(number)
        return "killed", f"killed by {name}"
    return "killed", f"exited with code {os.WEXITSTATUS(status)} before its end"


def child(request: dict[str, Any], secret: bytes, result: int, output: int) -> typing.NoReturn:
    """The forked child: limits, descriptors, then the program. Never returns."""
    exit_now, write, own_pid, get_pid = os._exit, os.write, os.getpid(), os.getpid
    try:
        prepare(request, output)
        report = run(request["code"])
    except BaseException as error:
        report = b"killed\n" + repr(error).encode("utf-8", "replace")
    if get_pid() == own_pid:  # not a child that the program forked
        write(result, secret + report[: RESULT_BYTES - SECRET_BYTES])
    exit_now(0)


def prepare(request: dict[str, Any], output: int) -> None:
    os.setsid()
    if request["stdin"]:
        source = os.memfd_create("stdin")
        os.write(source, request["stdin"].encode())
        os.lseek(source, 0, os.SEEK_SET)
    else:
        source = os.open("/dev/null", os.O_RDONLY)
    os.dup2(source, 0)
    os.close(source)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    os.chdir("/tmp")  # noqa: S108 - the sandbox's own
    sys.stdin = open(0, encoding="utf-8", closefd=False)
    sys.stdout = open(1, "w", encoding="utf-8", errors="replace", closefd=False)
    sys.stderr = open(2, "w", encoding="utf-8", errors="replace", closefd=False)
    random.seed()
    cpu_s = math.ceil(request["cpu_s"])
    for what, soft, hard in (
        (resource.RLIMIT_CPU, cpu_s, cpu_s + 1),
        (resource.RLIMIT_AS, request["memory_bytes"], request["memory_bytes"]),
        (resource.RLIMIT_FSIZE, request["file_bytes"], request["file_bytes"]),
        (resource.RLIMIT_NOFILE, request["open_files"], request["open_files"]),
        (resource.RLIMIT_NPROC, request["processes"], request["processes"]),
        (resource.RLIMIT_CORE, 0, 0),
    ):
        resource.setrlimit(what, (soft, hard))


def run(code: str) -> bytes:
    """Compile and execute; what it comes to, as kind, newline, detail. All names used after are bound before."""
    plain, assertion, memory, left = Exception, AssertionError, MemoryError, SystemExit
    is_a, kind_of = isinstance, type
    try:
        compiled = compile(code, "<program>", "exec", dont_inherit=True)
    except MemoryError:
        return b"memory_limit\nMemoryError while compiling"
    except (SyntaxError, ValueError, RecursionError) as error:
        return f"syntax_error\n{type(error).__name__}: {error}".encode("utf-8", "replace")
    try:
        exec(compiled, {"__name__": "__main__", "__builtins__": __builtins__})
    except BaseException as error:
        if is_a(error, memory):
            return b"memory_limit\nMemoryError"
        if is_a(error, left):
            return b"killed\ncalled sys.exit before its end"
        kind = b"wrong_answer\n" if is_a(error, assertion) else b"exception\n"
        name = kind_of(error).__name__
        try:
            return kind + f"{name}: {error}".rstrip(": ").encode("utf-8", "replace")
        except plain:  # its own __str__ fails
            return kind + name.encode("utf-8", "replace")
    return b"passed\n"


if __name__ == "__main__":
    main()
