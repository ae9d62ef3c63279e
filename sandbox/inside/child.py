"""Runs inside the sandbox, in each fork of its zygote: limits and descriptors of the process, and words for its end.

Standard library only: this source stands before the zygote's own (sandbox/inside/zygote.py).
"""

# The C module: each handler that `signal` sets takes it longer than a limit takes the kernel.
import _signal as signal  # type: ignore[import-not-found]
import contextlib
import json
import math
import os
import resource
import typing
from typing import Any

RESULT_BYTES = 4096  # of a word on how something ended: a pipe takes it in one piece
WORD_BYTES = 32768  # of one with what is known of a failure: a pipe holds it
from_json = json.JSONDecoder().raw_decode  # `json.loads` finds out the encoding, and looks for blanks
# Those of `sandbox.contract.Limits` that the kernel keeps, by name.
KERNEL_LIMITS = {
    "cpu_s": resource.RLIMIT_CPU,
    "memory_bytes": resource.RLIMIT_AS,
    "file_bytes": resource.RLIMIT_FSIZE,
    "open_files": resource.RLIMIT_NOFILE,
    "processes": resource.RLIMIT_NPROC,
}


def hard_limits() -> dict[str, int]:
    """What this process was started under and can't raise; what is unlimited is left out."""
    found = {name: resource.getrlimit(what)[1] for name, what in KERNEL_LIMITS.items()}
    return {name: most for name, most in found.items() if most != resource.RLIM_INFINITY}


def take_text(descriptor: int, size: int) -> Any:
    """What the harness sends for this child alone; the zygote never reads it."""
    parts = []
    while size:
        part = os.read(descriptor, size)
        if not part:
            os._exit(1)
        parts.append(part)
        size -= len(part)
    return from_json(b"".join(parts).decode())[0]


def limit(request: dict[str, Any]) -> None:
    """The kernel's limits on this process, for good, within what is hard already."""
    hard = request["hard_limits"]
    for name, what in KERNEL_LIMITS.items():
        most = request[name]
        if name == "cpu_s":  # for its children; the zygote looks after the program itself
            most = math.ceil(request["overtime"] * most) + 1
        most = min(most, hard.get(name, most))
        resource.setrlimit(what, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def prepare(folder: str, stdin: str, stdout: int, stderr: int) -> None:
    """A session, the usual signals, a folder and the three streams of its own."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.chdir(folder)
    if stdin:
        with open("stdin", "xb") as file:
            file.write(stdin.encode("utf-8", "replace"))
        source = os.open("stdin", os.O_RDONLY)
        os.unlink("stdin")
    else:
        source = os.open("/dev/null", os.O_RDONLY)
    os.dup2(source, 0)
    os.close(source)
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    for descriptor in {stdout, stderr}:
        os.close(descriptor)


def ended_by(error: BaseException) -> bytes:
    """How a program ended that raised this: kind, newline, detail."""
    if isinstance(error, MemoryError):
        return b"memory_limit\nMemoryError"
    if isinstance(error, SystemExit):
        return b"killed\ncalled sys.exit before its end"
    kind = b"wrong_answer" if isinstance(error, AssertionError) else b"exception"
    return b"".join((kind, b"\n", describe(error)))


def describe(
    error: BaseException,
    *,
    name_of: Any = type.__dict__["__name__"].__get__,  # past a metaclass
    everything: Any = BaseException,
) -> bytes:
    """Type and text in at most 500 bytes, whatever the error's own methods do."""
    name: str = name_of(type(error))
    try:
        return f"{name}: {error}"[:500].rstrip(": ").encode("utf-8", "replace")[:500]
    except everything:  # its own __str__ fails
        return name.encode("utf-8", "replace")[:500]


def flush(streams: typing.Iterable[Any]) -> None:
    """What the program printed and still lies in a buffer. Not a part of the verdict."""
    for stream in streams:
        with contextlib.suppress(BaseException):
            stream.flush()
