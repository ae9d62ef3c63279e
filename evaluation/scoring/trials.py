"""What is executed to measure a solution against its reference, for each benchmark: its own tests, or a large input."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from evaluation.answers.syntax import syntax_tree
from evaluation.scoring.alternating import Execution, NotMeasured, Trial, execute
from sandbox import Program, UnitTests, VerdictKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from evaluation.benchmarks.tasks.file import CodingTask
    from evaluation.scoring.contract import CodingSample
    from sandbox import Limits, Sandbox

    Executions = Callable[[str], tuple[Execution, ...]]  # of a whole program

SLOWER = (
    10.0  # times what the reference takes: a solution that has not ended by then on a large input is too slow
)


@dataclass(frozen=True)
class Trials:
    """Of one task. scaled: on its large input, instead of its tests."""

    reference: tuple[Execution, ...]
    scaled: bool
    executions: Executions
    _sample: CodingSample
    _box: Sandbox

    @cached_property
    def empty(self) -> tuple[Execution, ...]:
        """Blocks the first time, while it is found out whether the tests run without a result. Raises SandboxError."""
        return tuple(_empty(one, self._sample, self._box) for one in self.reference)

    def of(self, program: str) -> Trial:
        """program: all of the solution, without its tests."""
        return Trial(self.empty, self.reference, self.executions(program))


def trials(sample: CodingSample, box: Sandbox, limits: Limits) -> Trials:
    """Blocks: the reference may be executed for it. limits: what a solution may take on its tests.

    Raises NotMeasured, SandboxError.
    """
    if not sample.reference.strip():
        raise NotMeasured("the task has no reference solution")
    scaled, code = False, sample.reference
    if sample.benchmark == "tasks":
        scaled = sample.data.scale is not None
        executions = _of_scale(sample.data, box, limits) if scaled else _of_cases(sample.data, limits)
    elif sample.benchmark == "human_eval":
        executions = _of_human_eval(sample.data, limits)
    elif sample.benchmark == "mbpp":
        executions = _of_mbpp(sample.data, limits)
        # Some references of the sanitized set need what it imports for their tests.
        code = "".join(f"{line}\n" for line in sample.data["imports"]) + code
    else:
        executions = _of_evalplus(sample, box, limits)
    return Trials(executions(code), scaled, executions, sample, box)


def _of_cases(task: CodingTask, limits: Limits) -> Executions:
    from evaluation.benchmarks.tasks.grading import executed, given, is_right

    def of(program: str) -> tuple[Execution, ...]:
        code = executed(program, task)
        return tuple(
            Execution(
                Program(code=code, stdin=given(case, task), script=True),
                limits if case.timeout_s is None else replace(limits, cpu_s=case.timeout_s),
                is_right(case, task),
            )
            for case in task.cases
        )

    return of


def _of_scale(task: CodingTask, box: Sandbox, limits: Limits) -> Executions:
    from evaluation.benchmarks.tasks.scaling import MOST_BYTES, NotScaled, scaled

    try:
        found = scaled(task, box, limits)
    except NotScaled as error:
        raise NotMeasured(f"scale: {error}") from error
    longest_s = max(limits.cpu_s, SLOWER * found.reference_s)
    return _of_cases(found.task, replace(limits, cpu_s=longest_s, output_bytes=MOST_BYTES))


def _of_human_eval(problem: dict[str, Any], limits: Limits) -> Executions:
    from evaluation.benchmarks.human_eval.task import program as judged

    return lambda program: (Execution(replace(judged(problem, ""), code=f"{program}\n"), limits),)


def _of_mbpp(problem: dict[str, Any], limits: Limits) -> Executions:
    from evaluation.benchmarks.mbpp.unit_tests import program as judged

    return lambda program: (Execution(judged(problem, program), limits),)


def _of_evalplus(sample: CodingSample, box: Sandbox, limits: Limits) -> Executions:
    from evaluation.benchmarks.evalplus.expected import expected_outputs
    from evaluation.benchmarks.evalplus.task import Judged
    from evaluation.benchmarks.evalplus.task import program as judged

    problem = sample.data
    expected = expected_outputs([problem], box, workers=1)[sample.task_id]
    if why := next((one.failed for one in expected.values() if one.failed), ""):
        raise NotMeasured(why)
    asked = {
        inputs: replace(limits, cpu_s=max(limits.cpu_s, SLOWER * one.seconds))
        for inputs, one in expected.items()
        if inputs == "base" or problem.plus_input
    }
    return lambda program: tuple(
        Execution(judged(sample.benchmark, Judged(problem, expected), inputs, f"{program}\n"), own)
        for inputs, own in asked.items()
    )


def _empty(execution: Execution, sample: CodingSample, box: Sandbox) -> Execution:
    """A program that does no work under the same load: it is given the same input, or is called as often.

    Its tests go on after every failure. Where they can't, since they need a result to go on with, it is only loaded;
    what it costs to pass values then counts for both the solution and the reference.
    """
    program, tests = execution.program, execution.program.tests
    if program.script:
        code = ""
        if sample.entry_point:
            from evaluation.benchmarks.tasks.grading import executed

            code = executed(_nothing(sample.entry_point), sample.data)
        return replace(execution, program=replace(program, code=code), is_right=None)
    code = _nothing(tests.entry_point)
    called = replace(program, code=code, tests=replace(tests, code=lenient(tests.code)))
    if execute(box, replace(execution, program=called)).kind is VerdictKind.PASSED:
        return replace(execution, program=called)
    loaded = UnitTests(code="", entry_point=tests.entry_point, before=tests.before)
    return replace(execution, program=replace(program, code=code, tests=loaded))


def _nothing(function: str) -> str:
    return f"def {function}(*_, **__):\n    return None\n"


def lenient(code: str) -> str:
    """Tests that go on after what fails. Those that can't be read stay as they are."""
    tree = syntax_tree(code)
    return code if tree is None else ast.unparse(ast.fix_missing_locations(_Lenient().visit(tree)))


class _Lenient(ast.NodeTransformer):
    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        return _tried(ast.Expr(node.test))

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        del node
        return ast.Pass()

    def visit_If(self, node: ast.If) -> ast.AST:
        self.generic_visit(node)
        return _tried(node)

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        return _tried(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        return _tried(node)


def _tried(statement: ast.stmt) -> ast.Try:
    ignored = ast.ExceptHandler(type=ast.Name("Exception", ast.Load()), name=None, body=[ast.Pass()])
    return ast.Try(body=[statement], handlers=[ignored], orelse=[], finalbody=[])
