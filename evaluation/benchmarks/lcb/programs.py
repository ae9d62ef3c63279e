"""The programs that are executed for one solution: the solution, and what feeds it and tells what came out.

Nothing of a test but its input goes into them; its output is compared outside, by `evaluation.benchmarks.lcb.checker`.
What a solution could do to the lines around it therefore gains it nothing: it has to know the right output.

Two ways of executing, on purpose:

- `stdin_program`, `function_program`: one process a test, where a solution runs as programs run on the judges that the
  problems come from. This gives the score.
- `official_program`: all tests in one process, under what the official runner (LiveCodeBench at commit 28fef95,
  `lcb_runner/evaluation/testing_util.py`) puts around a solution, its faults included. A program becomes the body of a
  function, so that `global` names nothing; sys.stdin is an imitation that can't be iterated, and whose
  `buffer.readline()` gives the first line again and again; `sys.stdout.buffer` is missing; `open(0)` gives nothing;
  `quit` and much of `os` is None; `sys.exit()` in a function that is called ends the evaluation; a solution finds what
  it left behind at the test before. This gives the verdict that is kept beside the score.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_NAMED = (
    *("string", "re", "datetime", "collections", "heapq", "bisect", "copy", "math", "random", "statistics"),
    *("itertools", "functools", "operator", "io", "sys", "json"),
)
# What the official runner puts before every solution, as LeetCode does: solutions rely on it.
PRELUDE = (
    "".join(f"from {name} import *\n" for name in (*_NAMED, "builtins", "typing"))
    + "".join(f"import {name}\n" for name in _NAMED)
    + "sys.setrecursionlimit(50000)\n"
)


def stdin_program(code: str) -> str:
    """A program of its own; `sys.exit(1)` is an end like any other, as the official rule has it."""
    return f"""\
import sys
if hasattr(sys, "set_int_max_str_digits"):
    sys.set_int_max_str_digits(50000)
{PRELUDE}
try:
    exec(compile({code!r}, "<solution>", "exec", dont_inherit=True))
except SystemExit:
    pass
"""


def function_program(code: str, function: str) -> str:
    """Calls a function with the arguments that come on stdin, a JSON value a line; prints what it returned, coded."""
    return f"{_inside()}\ncall_function({code!r}, {function!r}, {PRELUDE!r})\n"


def official_program(code: str, function: str | None, *, timeout_s: float) -> str:
    """Reads `official_input`; prints a JSON list a test. timeout_s: of processor time, for one test."""
    return f"{_inside()}\nrun_as_official({code!r}, {function!r}, {PRELUDE!r}, {timeout_s!r})\n"


def official_input(inputs: Sequence[str]) -> str:
    """What `official_program` reads."""
    return json.dumps(inputs)


@functools.cache
def _inside() -> str:
    return Path(__file__).with_name("inside.py").read_text(encoding="utf-8")
