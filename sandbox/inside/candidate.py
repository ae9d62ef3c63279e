"""Runs inside the sandbox, in the fork that executes what a model wrote: a script, or functions that are called.

Standard library only: this source stands before the zygote's own (sandbox/inside/zygote.py).

Nothing here is out of the program's reach, and nothing needs to be: its tests, and who judges by them, are in another
process (judge.py). What this one says is what the program answers, or that it failed; of a script, how it
ended.
"""

import atexit
import builtins
import contextlib
import json
import operator
import os
import sys
import types
import typing
from typing import Any

from sandbox.inside.channel import Peer, encoded, told
from sandbox.inside.child import describe, ended_by, flush
from sandbox.inside.values import Packing, contents_of, token

SAMPLE = """
from typing import List


def sample(first: int, second: List[int], third: str) -> List[str]:
    return [third * first for _ in second]
"""
PROGRAM, SOLUTION = "<program>", "<solution>"  # the second within the first, where a benchmark has it so


class Loaded(typing.NamedTuple):
    """failed: how it ended if it failed; line: of the program, where it did. names: the program's."""

    failed: bytes
    names: dict[str, Any]
    line: typing.Optional[int] = None


def load(code: str, as_main: bool, execute: typing.Callable[..., Any]) -> Loaded:
    """Compile and execute."""
    try:
        compiled = compile(code, PROGRAM, "exec", dont_inherit=True)
    except MemoryError:
        return Loaded(b"memory_limit\nMemoryError while compiling", {})
    except (SyntaxError, ValueError, RecursionError) as error:
        return Loaded(b"syntax_error\n" + describe(error), {}, getattr(error, "lineno", None))
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    names = module.__dict__ if as_main else {}
    names["__builtins__"] = builtins
    own_pid, streams = os.getpid(), (sys.stdout, sys.stderr)
    try:
        execute(compiled, names)
    except BaseException as error:
        return Loaded(ended_by(error), names, line_of(error, SOLUTION if SOLUTION in code else PROGRAM))
    finally:
        flush(streams)
        if os.getpid() != own_pid:  # a child that the program forked: its end is no verdict
            os._exit(0)
    return Loaded(b"", names)


def line_of(error: BaseException, file: str = PROGRAM) -> typing.Optional[int]:
    """Where in the program it was raised: the innermost line of its own. None: nowhere, or who knows."""
    line = None
    try:
        trace = error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == file:
                line = trace.tb_lineno
            trace = trace.tb_next
    except BaseException:  # an error with methods of its own
        return None
    return line


def run_script(code: str, as_main: bool) -> bytes:
    """How a program of its own ended: kind, newline, detail. What it printed is compared outside.

    Where it failed in a known line, the length of the detail stands behind the kind, and the line behind the detail.
    """

    def execute(compiled: types.CodeType, names: dict[str, Any]) -> None:
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

    failed, _names, line = load(code, as_main, execute)
    if failed.startswith(b"killed\n"):
        return b"killed\ncalled sys.exit with an error"
    if line is not None:
        kind, _, detail = failed.partition(b"\n")
        return b"%s %d\n%s%s" % (kind, len(detail), detail, json.dumps({"line": line}).encode())
    return failed or b"passed\n"


def no_more_calls(_error: Exception) -> typing.NoReturn:
    os._exit(0)


def answer_calls(
    code: str,
    as_main: bool,
    entry_point: str,
    reading: int,
    writing: int,
    end: typing.Callable[[Exception], typing.NoReturn] = no_more_calls,
) -> None:
    """Load the program, then answer each call of its entry point until nobody asks any more: then `end` is called."""
    peer, own_pid, streams = Peer(reading, writing, token, end), os.getpid(), (sys.stdout, sys.stderr)
    failed, names, line = load(code, as_main, exec)
    if failed:
        kind, _, detail = failed.decode("utf-8", "replace").partition("\n")
        peer.tell({"ended": [kind, detail], "line": line})
        return
    peer.tell({"loaded": True})
    while True:
        asked = peer.hear()
        try:
            answer = _called(peer, names, entry_point, asked)
        except BaseException as error:
            answer = _raised(error)
        flush(streams)
        if os.getpid() != own_pid:
            os._exit(0)
        peer.answer(answer)


def _called(peer: Peer, names: dict[str, Any], entry_point: str, asked: dict[str, Any]) -> dict[str, Any]:
    """The result or the exception, and what became of the arguments if the call changed them."""
    unpacking, frame = peer.unpacking(), peer.frame
    args = peer.checked(unpacking.unpack_each, asked["call"])
    named = dict(zip(asked["named"], peer.checked(unpacking.unpack_each, asked["named"].values())))
    given = unpacking.objects
    answer: dict[str, Any] = {}
    result, error = None, None
    try:
        if entry_point not in names:
            raise NameError(f"name {entry_point!r} is not defined")
        result = names[entry_point](*args, **named)
    except Exception as failure:
        error, answer = failure, _raised(failure)
    packing = peer.packing(given)
    if given and _changed(given, args, named, frame):
        contents = [(number, contents_of(one, packing.each)) for number, one in enumerate(given)]
        answer["changed"] = [[number, parts] for number, parts in contents if parts is not None]
    if error is None:
        answer["returned"] = packing.pack(result)
    return answer


def _raised(error: BaseException) -> dict[str, Any]:
    if isinstance(error, Exception):
        return {"raised": told(error), "line": line_of(error)}
    kind, _, detail = ended_by(error).decode("utf-8", "replace").partition("\n")
    return {"ended": [kind, detail], "line": line_of(error)}


def _changed(given: list[Any], args: list[Any], named: dict[str, Any], frame: bytearray) -> bool:
    """Whether the arguments, packed once more, would cross otherwise than they came. A set always may."""
    again = Packing(lambda _: 0, token)
    packed = encoded({"call": again.each(args), "named": dict(zip(named, again.each(named.values())))})
    return packed != frame or any(map(operator.is_not, again.objects, given))


def warm_up() -> None:
    """Do once what each program's process does, so that its forks need not make what a first use makes."""

    def over(error: Exception) -> typing.NoReturn:
        raise error

    own_main = sys.modules["__main__"]
    asked, ask = os.pipe()
    heard, reply = os.pipe()
    with open(ask, "wb") as file:
        for call in ([1, [2, 3], "4"], []):
            frame = encoded({"call": call, "named": {}})
            file.write(len(frame).to_bytes(4, "big") + frame)
    try:
        with contextlib.suppress(EOFError):
            answer_calls(SAMPLE, True, "sample", asked, reply, over)
    finally:
        sys.modules["__main__"] = own_main
    for descriptor in (asked, heard, reply):
        os.close(descriptor)
