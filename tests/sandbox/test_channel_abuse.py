"""Whatever a program writes into the channel to its tests: it fails, and the sandbox goes on."""

from __future__ import annotations

import json
import os

import pytest

from sandbox import Program, UnitTests
from sandbox.inside.channel import Peer, encoded
from sandbox.inside.values import token
from tests.sandbox.conftest import SHORT, TIGHT, on

# Asks for a list, then twice with the same one, then for a number.
TEST = UnitTests(
    "assert f([1, 2]) == [2, 1]\nl = [3]\nf(l), f(l)\nassert f([5]) == 7 and list(f([])) == []", "f"
)
SAY = """
import fcntl, json, os, struct, time
ends = {}
for number in range(3, 64):
    try: ends[fcntl.fcntl(number, fcntl.F_GETFL) & 3] = number
    except OSError: pass
R, W = ends[0], ends[1]
def say(said, raw=None):
    data = json.dumps(said).encode() if raw is None else raw
    data = struct.pack(">I", len(data)) + data
    while data: data = data[os.write(W, data):]
"""
ONCE = SAY + "say({'loaded': True})\n"


def returns(node: str) -> str:
    return ONCE + f"for _ in range(9): say({{'returned': {node}}})\ntime.sleep(9)"


BROKEN, WRONG = "killed", "wrong_answer"
FRAMES = {
    "an end that is a pass": (SAY + "say({'ended': ['passed', '']})", BROKEN),
    "an end that is the sandbox's": (SAY + "say({'ended': ['sandbox_error', 'x']})", BROKEN),
    "an end in two lines": (SAY + "say({'ended': ['killed\\npassed', '']})", BROKEN),
    "an end that is no text": (SAY + "say({'ended': [[], {}]})", BROKEN),
    "half of a pair": (SAY + "say({'ended': ['killed', '\\ud800']})", "killed"),
    "loaded twice": (ONCE + "say({'loaded': True}); time.sleep(9)", BROKEN),
    "a wish without an iterator": (ONCE + "say({'next': 0}); time.sleep(9)", BROKEN),
    "a wish for less than nothing": (ONCE + "say({'next': -1}); time.sleep(9)", BROKEN),
    "answers before it is asked": (returns("[2, 1]"), WRONG),
    "an error that ends loops": (ONCE + "say({'raised': ['StopIteration', 'x', '']}); time.sleep(9)", BROKEN),
    "an error that ends programs": (ONCE + "say({'raised': ['SystemExit', 'x', '']}); time.sleep(9)", BROKEN),
    "an error of no name": (ONCE + "say({'raised': ['ValueError', 'a\\0b', '']}); time.sleep(9)", BROKEN),
    "an error of half a name": (ONCE + "say({'raised': ['ValueError', '\\ud800', '']}); time.sleep(9)", BROKEN),
    "a short text for a long number": (returns("{'Fraction': ['1e999999999', 1]}"), BROKEN),
    "a number of two": (returns("{'complex': ['1', [1]]}"), BROKEN),
    "a large decimal": (returns("{'Decimal': '1e999999999999999'}"), WRONG),
    "an unknown kind": (returns("{'eval': 'x'}"), BROKEN),
    "two kinds": (returns("{'tuple': [], 'list': []}"), BROKEN),
    "a type that exits": (returns("{'type': 'SystemExit'}"), WRONG),
    "an object of no name": (returns("{'object': [1, True]}"), BROKEN),
    "an iterator of no number": (returns("{'items': ['x', True, 'y']}"), BROKEN),
    "a change of nothing": (ONCE + "say({'returned': 1, 'changed': [[1, []]]}); time.sleep(9)", BROKEN),
    "a change before all": (ONCE + "say({'returned': 1, 'changed': [[-1, []]]}); time.sleep(9)", BROKEN),
    "a change of no number": (ONCE + "say({'returned': 1, 'changed': [[True, []]]}); time.sleep(9)", BROKEN),
    "a change of no contents": (ONCE + "say({'returned': 1, 'changed': [[0, 5]]}); time.sleep(9)", BROKEN),
    "a change of one part": (ONCE + "say({'returned': 1, 'changed': [[0]]}); time.sleep(9)", BROKEN),
    "changes that are no list": (ONCE + "say({'returned': 1, 'changed': {}}); time.sleep(9)", BROKEN),
    "a change of no content": (ONCE + "say({'returned': 1, 'changed': [[0, [{}]]]}); time.sleep(9)", BROKEN),
    "an object that was never met": (returns("{'same': 1}"), BROKEN),
    "an object from behind": (returns("{'same': -1}"), BROKEN),
    "an object of a broken number": (returns("{'same': True}"), BROKEN),
    "a list within itself": (returns("[{'same': 1}]"), WRONG),
    "a set within itself": (returns("{'set': [{'same': 1}]}"), BROKEN),
    "an end that is a change too": (ONCE + "say({'changed': [[0, [1]]]}); time.sleep(9)", BROKEN),
    "deeper than a stack": (ONCE + "say(0, raw=b'[' * 200_000 + b']' * 200_000); time.sleep(9)", BROKEN),
    "no text": (ONCE + "say(0, raw=b'\\xff\\xfe'); time.sleep(9)", BROKEN),
    "a frame too large": (ONCE + "os.write(W, b'\\xff' * 100); time.sleep(9)", BROKEN),
    "a frame that never ends": (ONCE + "os.write(W, b'\\0\\0\\xff\\xff'); time.sleep(9)", "timeout"),
    "numbers that collide": (returns("{'set': [{'int': hex((2**61 - 1) * n)} for n in range(1, 50_000)]}"), "timeout"),
    "an object given back": ("def f(x): x.append(object()); return [2, 1]", "exception"),
    "more than can cross": ("def f(x): return 'x' * (65 << 20)", "exception"),
    "what can't be written": ("import os\ndef no(*a): raise OSError(5)\nos.write = no\ndef f(x): return x", "killed"),
    "a process that fails": ("import os\ndef no(): raise OSError(5)\nos.getpid = no\ndef f(x): return x", "killed"),
    "a grandchild that holds on": ("import os, time\nif os.fork(): os._exit(0)\ntime.sleep(99)", "killed"),
}  # fmt: skip


@on("bubblewrap", "landlock", "process")
@pytest.mark.parametrize("name", FRAMES)
def test_no_frame_passes_or_breaks_the_sandbox(name, judged):
    code, kind = FRAMES[name]
    verdict = judged(
        Program(code=code, tests=TEST, as_main=False), limits=SHORT if kind == "timeout" else TIGHT
    )
    assert verdict.kind == kind, verdict


def test_a_signal_may_end_the_tests_and_never_steers_them(judged):
    code = (
        "import os, signal\nsignal.signal(2, signal.SIG_IGN)\ndef f(x):\n for _ in range(99): os.kill(-1, 2)"
    )
    tests = UnitTests("for _ in range(9):\n try: f(1)\n except BaseException: pass", "f")
    assert judged(Program(code=code, tests=tests)).kind == "killed"


def test_frames_are_the_json_of_the_standard_library():
    values = [
        1,
        -0.0,
        1e308,
        float("nan"),
        float("inf"),
        None,
        True,
        'ä\n"\\\ud83d',
        [],
        {},
        {"a": [[], {"b": 1 << 62}]},
    ]
    for value in [*values, {"call": values, "named": {}}]:
        text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        assert encoded(value) == text.encode("utf-8", "surrogatepass")
    with pytest.raises(TypeError, match="not JSON serializable"):
        encoded({"call": [object()]})


def test_frames_of_any_size_are_read_whole():
    reading, writing = os.pipe()
    peer = Peer(reading, writing, token, lambda error: pytest.fail(str(error)))
    texts = ["", "x" * 4090, "y" * 20_000, "z" * 30_000]
    for text in texts:
        peer.tell({"call": text})
    assert [peer.hear()["call"] for _ in texts] == texts
    os.close(reading)
    os.close(writing)
