"""A task's large input, made in the sandbox, with the answer that its reference solution gives to it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, Protocol

import msgspec

from evaluation.benchmarks.tasks.file import SCALED_INPUT, TaskCase
from evaluation.benchmarks.tasks.grading import answer, executed, given
from sandbox import Program, VerdictKind

if TYPE_CHECKING:
    from evaluation.benchmarks.tasks.file import CodingTask
    from sandbox import Limits, Verdict

MOST_BYTES = 32 << 20  # of an input, or an answer to it
_MARK = "\x1einput "
# Drawn alike each time.
_MAKE = f"""import random
random.seed(0)
{{code}}

import json as __json, sys as __sys
__made = __json.dumps({SCALED_INPUT}({{size}}))
__sys.__stdout__.write("\\n" + {_MARK!r} + __made + "\\n")
__sys.__stdout__.flush()
"""


class Executes(Protocol):
    """What of a sandbox, or a grader, is needed here."""

    def run(self, program: Program, limits: Limits) -> Verdict:
        """See `sandbox.Sandbox.run`."""
        ...


_KINDS = {str: "a text", list: "a list", dict: "a mapping", bool: "true or false", type(None): "nothing"}


class NotScaled(Exception):
    """Why there is no large input, or no answer to it."""


class Scaled(NamedTuple):
    """task: with the large input as its only case. reference_s: processor time that its reference took, all in all."""

    task: CodingTask
    reference_s: float


def scaled(task: CodingTask, box: Executes, limits: Limits) -> Scaled:
    """Of a task with a scale and a reference solution. Blocks. Raises NotScaled, SandboxError."""
    if task.scale is None:
        raise ValueError(f"{task.id} has no scale")
    limits = msgspec.structs.replace(limits, output_bytes=MOST_BYTES)
    program = _MAKE.format(code=task.scale.code, size=task.scale.size)
    verdict = box.run(Program(code=program, script=True), limits)
    if verdict.kind is not VerdictKind.PASSED:
        raise NotScaled(f"its input can't be made: {_why(verdict.kind, verdict.detail)}")
    _, mark, made = verdict.stdout.decode("utf-8", "replace").rpartition(_MARK)
    try:
        value = json.loads(made) if mark else None
    except (ValueError, RecursionError) as error:
        raise NotScaled(f"its input is no JSON: {error}") from error
    if not isinstance(value, str if task.function is None else list):
        wanted = "a text" if task.function is None else "the list of the function's arguments"
        kind = _KINDS.get(type(value), "a number")
        raise NotScaled(f"{SCALED_INPUT} must return {wanted}, not {kind}")
    case = TaskCase(input=value, expected_output=None, line=task.scale.line)
    program = executed(task.reference_solution, task)
    verdict = box.run(Program(code=program, stdin=given(case, task), script=True), limits)
    if verdict.kind is not VerdictKind.PASSED:
        raise NotScaled(f"the reference solution fails on its input: {_why(verdict.kind, verdict.detail)}")
    try:
        case = replace(case, expected_output=answer(verdict.stdout, task))
    except ValueError as error:
        raise NotScaled(f"the reference solution gives {error} to its input") from error
    return Scaled(replace(task, cases=(case,)), verdict.cpu_s)


def _why(kind: VerdictKind, detail: str) -> str:
    return f"{kind}: {detail}" if detail else str(kind)
