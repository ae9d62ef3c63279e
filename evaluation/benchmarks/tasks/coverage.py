"""Which lines of a task's reference solution its cases execute: executed in the sandbox, worked out by coverage.py."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from evaluation.benchmarks.tasks.grading import given
from results.errors import ScriptError
from results.extras import install_command
from results.json_text import NOT_THAT_JSON
from sandbox import Program

if TYPE_CHECKING:
    from evaluation.benchmarks.tasks.file import CodingTask
    from evaluation.benchmarks.tasks.scaling import Executes
    from sandbox import Limits

_SLOWER = 30.0  # times, at most, that a program takes longer where each of its lines is told
_MOST_LINES = 1_000_000
_MARK = "\x1elines "
_ENCODING = re.compile(r"^[ \t\f]*#.*?coding[:=].*")
# coverage.py's own tracer is not in the sandbox, and need not be: it, too, collects the numbers of lines.
_TRACED = f"""
import json as __json, sys as __sys, threading as __threading
__seen = set()
def __trace(frame, event, argument):
    if frame.f_code.co_filename != "<reference>":
        return None
    if event == "line":
        __seen.add(frame.f_lineno)
    return __trace
__names = {{{{"__name__": "__main__"}}}}
try:
    __code = compile({{code!r}}, "<reference>", "exec")
    __threading.settrace(__trace)
    __sys.settrace(__trace)
    exec(__code, __names)
    if {{function!r}}:
        __names[{{function!r}}](*__json.loads(__sys.stdin.read()))
finally:
    __sys.settrace(None)
    __sys.__stdout__.write("\\n" + {_MARK!r} + __json.dumps(sorted(__seen)) + "\\n")
    __sys.__stdout__.flush()
"""


@dataclass(frozen=True)
class Covered:
    """lines: that can be executed. missing: those that no case does, such as "5, 9-11"; empty where all are. why_not:
    why nothing of that is known; empty where it is.
    """

    lines: int
    executed: int
    missing: str
    why_not: str = ""


def require_coverage() -> None:
    """Raises ScriptError where coverage.py is not installed."""
    try:
        import coverage  # noqa: F401
    except ImportError as error:
        raise ScriptError("coverage.py is not installed", hint=install_command("scoring")) from error


def covered(task: CodingTask, box: Executes, limits: Limits) -> Covered:
    """Of a task whose reference solution passes. Blocks. Raises SandboxError."""
    program = _TRACED.format(code=task.reference_solution, function=task.function or "")
    seen: set[int] = set()
    for case in task.cases:
        cpu_s = _SLOWER * (limits.cpu_s if case.timeout_s is None else case.timeout_s)
        verdict = box.run(
            Program(code=program, stdin=given(case, task), script=True), replace(limits, cpu_s=cpu_s)
        )
        seen |= _told(verdict.stdout)
    return _worked_out(task.reference_solution, seen)


def _told(stdout: bytes) -> set[int]:
    """The lines that a program says were executed; none where it wrote something else at its end."""
    _, mark, told = stdout.decode("utf-8", "replace").rpartition(_MARK)
    try:
        return {line for line in msgspec.json.decode(told, type=list[int]) if mark and 0 < line < _MOST_LINES}
    except NOT_THAT_JSON:
        return set()


def _worked_out(code: str, seen: set[int]) -> Covered:
    import coverage

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "reference.py"
        path.write_text(_without_encoding(code), encoding="utf-8")
        found = coverage.Coverage(data_file=None, config_file=False)
        found.get_data().add_lines({str(path): seen})
        try:
            _, lines, _excluded, missing, told = found.analysis2(str(path))
        except (coverage.CoverageException, SyntaxError, ValueError):
            return Covered(0, 0, "", "coverage.py can't read it")
    return Covered(len(lines), len(lines) - len(missing), told)


def _without_encoding(code: str) -> str:
    """The text is written in UTF-8, whatever a comment in its first lines says."""
    lines = code.splitlines(keepends=True)
    lines[:2] = [_ENCODING.sub("#", line) for line in lines[:2]]
    return "".join(lines)
