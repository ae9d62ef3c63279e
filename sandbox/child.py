"""Runs inside the sandbox, in the fork that executes one program: its limits, the program, what it came to.

Standard library only: this source stands before the zygote's own (sandbox/zygote.py). A program passes when the
secret of its zygote is written to the result pipe after its last statement. What keeps a program from writing it:

- It comes through a pipe after the fork, and while the program runs it lies only on the value stack of a
  frame: no name, attribute or container of Python leads there, so neither frames nor `gc` show it.
- `sys.settrace` is refused: a trace function may jump over the tests, or to the runner's last line.

What remains, since program and runner share a process: native code (`ctypes`, or bytecode made by hand) could read
and change the interpreter's memory, and so trace all the same; and tests that run beside a completion, as HumanEval's
do, believe its objects, such as one that is equal to everything. Both would be attacks written for this very program.
"""

import atexit
import builtins
import math
import os
import random
import resource
import signal
import sys
import types
import typing
from typing import Any

RESULT_BYTES = 4096
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


def child(
    request: dict[str, Any],
    secret: int,
    result: int,
    output: int,
    stdout: int,
    confine: typing.Callable[[], None],
) -> typing.NoReturn:
    """The forked child: limits, descriptors, what confines it, then the program. Never returns."""
    exit_now, write, take_secret, run_program = os._exit, os.write, take, run
    try:
        prepare(request, output, stdout)
        confine()
    except BaseException as error:
        write(
            result, take(secret) + b"sandbox_error\n" + repr(error).encode("utf-8", "replace")[:RESULT_BYTES]
        )
        exit_now(1)
    try:
        # Evaluated from left to right: `write` and the secret wait on the value stack while the program runs.
        write(
            result,
            take_secret(secret) + run_program(request["code"], request["as_main"], script=request["script"]),
        )
    finally:
        exit_now(0)


def take(descriptor: int) -> bytes:
    """All that comes through a pipe."""
    with open(descriptor, "rb") as pipe:
        return pipe.read()


def prepare(request: dict[str, Any], output: int, stdout: int) -> None:
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.chdir(request["folder"])
    if request["stdin"]:
        with open("stdin", "xb") as file:
            file.write(request["stdin"].encode("utf-8", "replace"))
        source = os.open("stdin", os.O_RDONLY)
        os.unlink("stdin")
    else:
        source = os.open("/dev/null", os.O_RDONLY)
    os.dup2(source, 0)
    os.close(source)
    os.dup2(stdout, 1)
    os.dup2(output, 2)
    for descriptor in {stdout, output}:
        os.close(descriptor)
    random.seed()
    wanted = {name: request[name] for name in KERNEL_LIMITS}
    # For its children; the zygote looks after the program itself.
    wanted["cpu_s"] = math.ceil(request["overtime"] * request["cpu_s"]) + 1
    wanted.update({name: min(most, wanted[name]) for name, most in hard_limits().items()})
    for name, limit in wanted.items():
        resource.setrlimit(KERNEL_LIMITS[name], (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def run(code: str, as_main: bool, *, script: bool = False) -> bytes:
    """Compile and execute; what it comes to, as kind, newline, detail.

    What a program may have replaced is not used after it, and nothing that it gives (an exception, its type, its
    text, or a `describe` that it changed) can choose the kind: `join`, unlike `+`, asks no operand.
    """
    assertion, memory, left = AssertionError, MemoryError, SystemExit
    own_pid, get_pid, exit_now, describe_error, flush_all = os.getpid(), os.getpid, os._exit, describe, flush
    streams, execute = (sys.stdout, sys.stderr), execute_script if script else exec
    try:
        compiled = compile(code, "<program>", "exec", dont_inherit=True)
    except MemoryError:
        return b"memory_limit\nMemoryError while compiling"
    except (SyntaxError, ValueError, RecursionError) as error:
        return b"".join((b"syntax_error\n", describe(error)))
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    names = module.__dict__ if as_main else {}
    names["__builtins__"] = __builtins__
    try:
        execute(compiled, names)
    except memory:
        return b"memory_limit\nMemoryError"
    except left:
        return (
            b"killed\ncalled sys.exit with an error" if script else b"killed\ncalled sys.exit before its end"
        )
    except assertion as error:
        return b"".join((b"wrong_answer\n", describe_error(error)))
    except BaseException as error:
        return b"".join((b"exception\n", describe_error(error)))
    finally:
        flush_all(streams)
        if get_pid() != own_pid:  # a child that the program forked: its end is no verdict
            exit_now(0)
    return b"passed\n"


def execute_script(compiled: types.CodeType, names: dict[str, Any]) -> None:
    """To the end that the interpreter gives a program: its `sys.exit()`, its threads, its exit hooks.

    Nothing to guard here: what such a program prints is the proof, and not that it ended.
    """
    vars(builtins).update(exit=sys.exit, quit=sys.exit)  # the site module's otherwise
    try:
        exec(compiled, names)
    except SystemExit as ending:
        if ending.code is not None and ending.code != 0:
            raise
    # As Py_FinalizeEx does, by the same names.
    threading = sys.modules.get("threading")
    if threading is not None:
        threading._shutdown()  # noqa: SLF001
    atexit._run_exitfuncs()  # noqa: SLF001


def flush(streams: Any, *, everything: Any = BaseException) -> None:
    """What the program printed and still lies in a buffer. Not a part of the verdict."""
    for stream in streams:
        try:
            stream.flush()
        except everything:
            continue


def describe(
    error: BaseException,
    *,
    kind_of: Any = type,
    name_of: Any = type.__dict__["__name__"].__get__,  # past a metaclass
    everything: Any = BaseException,
) -> bytes:
    """Type and text in at most 500 bytes, whatever the error's own methods do. Its names are bound here."""
    name: str = name_of(kind_of(error))
    try:
        return f"{name}: {error}"[:500].rstrip(": ").encode("utf-8", "replace")[:500]
    except everything:  # its own __str__ fails
        return name.encode("utf-8", "replace")[:500]
