"""Runs inside the sandbox, in the fork that judges: a benchmark's tests, which call a program in another process.

Standard library only: this source stands before the zygote's own (sandbox/inside/zygote.py).

No line of the program is loaded here, and nothing of it arrives but plain data (sandbox/inside/values.py), so there is
nothing that it could replace, read or hold on to. Only this process has the pipe in which a verdict is written.
"""

import _signal as signal  # type: ignore[import-not-found]  # as in child.py
import json
import os
import typing
from typing import Any

from sandbox.inside.assertions import Assertions
from sandbox.inside.channel import Peer
from sandbox.inside.child import WORD_BYTES, describe, ended_by
from sandbox.inside.values import BrokenChannel, Token, Unpacking, refill

PASSED = b"passed\n"
# What a program may say of its own end; all of it is a failure.
ENDS = {"exception", "killed", "memory_limit", "syntax_error", "wrong_answer"}


def judge_calls(tests: dict[str, str], reading: int, writing: int, result: int) -> bytes:
    """Execute the tests to their end: what they come to, as kind, newline, detail.

    Where the program ends them, that is written to `result`, and this process ends. Nothing: the program is gone.
    Where more is known of a failure, the length of the detail in bytes stands behind the kind, and it stands behind the
    detail, as JSON.
    """

    def failed(word: bytes, error: typing.Optional[BaseException] = None) -> bytes:
        kind, _, detail = word.partition(b"\n")
        known = json.dumps(assertions.at_end(name, error)).encode()
        # What is only shown may be cut off.
        return (b"%s %d\n%s%s" % (kind, len(detail), detail, known))[:WORD_BYTES]

    def leave(word: bytes) -> typing.NoReturn:
        os.write(result, failed(word))
        os._exit(0)

    def broken(error: Exception) -> typing.NoReturn:
        if not isinstance(error, BrokenChannel):  # it is gone, and how is seen from outside
            os.write(result, b"")
            os._exit(0)
        leave(b"killed\nbroke the channel to its tests: " + describe(error))

    def no_data(value: Any) -> typing.NoReturn:
        if isinstance(value, Token):  # the program's own object comes back to it
            raise TypeError(f"{value!r} can't be passed on: it is no data")
        leave(
            f"sandbox_error\nthe tests pass an object of type {type(value).__name__}, which is no data".encode()
        )

    def end(said: dict[str, Any]) -> bytes:
        """The word on a program that says that it has ended; none where it has not."""
        if "ended" not in said:
            return b""
        kind, detail = said["ended"] if type(said["ended"]) is list and len(said["ended"]) == 2 else ("", "")
        if type(detail) is not str or type(kind) is not str or kind not in ENDS:
            broken(BrokenChannel("no such end"))
        assertions.raised(said.get("line"))
        return f"{kind}\n{detail}"[:500].encode("utf-8", "replace")

    def out_of_time(_number: int, _frame: Any) -> typing.NoReturn:
        leave(b"killed\nwas ended before its tests")

    # A program's signal may end its tests, and never steer them.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGUSR1, out_of_time)
    assertions = Assertions()
    name = tests["entry_point"]
    peer = Peer(reading, writing, no_data, broken)

    def program(*args: Any, **named: Any) -> Any:
        packing = peer.packing()
        call = {
            "call": packing.each(args),
            "named": {word: packing.pack(value) for word, value in named.items()},
        }
        assertions.calling(call)
        peer.tell(call)
        said = peer.hear()
        if word := end(said):
            leave(word)
        unpacking = peer.unpacking(packing.objects)
        if "changed" in said:
            peer.checked(take_over, packing.objects, said["changed"], unpacking)
        if "returned" not in said:
            assertions.raised(said.get("line"))
            raise peer.raised(said)
        value = peer.checked(unpacking.unpack, said["returned"])
        assertions.returned(value)
        return value

    program.__name__ = program.__qualname__ = name or "program"
    try:
        before = compile(tests["before"], "<before>", "exec", dont_inherit=True)
        steps = assertions.compiled(tests["code"])
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        leave(b"sandbox_error\nthe tests do not compile: " + describe(error))
    said = peer.hear()
    if word := end(said):
        return failed(word)
    if said != {"loaded": True}:
        broken(BrokenChannel("not loaded"))
    names: dict[str, Any] = {}
    try:
        exec(before, names)
        if name:
            names[name] = program
        names.update(assertions.names())
        exec(steps, names)
    except BaseException as error:
        word = ended_by(error)
        if not isinstance(error, Exception) or isinstance(error, (MemoryError, RecursionError)):
            leave(word)
        return failed(word, error)
    return PASSED


def take_over(objects: list[Any], changed: Any, unpacking: Unpacking) -> None:
    """What a call made of what it was given, in the very objects that the test passed. Raises BrokenChannel."""
    if type(changed) is not list:
        raise BrokenChannel("no changes")
    for each in changed:
        number, contents = each if type(each) is list and len(each) == 2 else (None, None)
        if type(number) is not int or not 0 <= number < len(objects) or type(contents) is not list:
            raise BrokenChannel("no such change")
        refill(objects[number], unpacking.unpack_each(contents))
