"""Check a file of tasks: its structure, and that the reference solutions pass: `python -m scripts.validate_tasks`."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

from results.errors import BenchError
from results.files import user_path
from results.plain_text import indented, plain_lines
from scripts.arguments import add_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from documents.problems import Problem
    from evaluation.benchmarks.tasks.file import CodingTask, TaskFile
    from evaluation.loop.grader import Grader


_TOO_SHORT_S = 0.02  # of processor time; a process alone takes a tenth of it


def main(argv: Sequence[str]) -> int:
    """0: all is right; 2: the file is wrong; 4: there is no sandbox."""
    parser = argparse.ArgumentParser(prog="python -m scripts.validate_tasks", description=__doc__)
    parser.add_argument("file", metavar="FILE")
    parser.add_argument(
        "--coverage", action="store_true", help="tell which lines of the reference solutions no case executes"
    )
    add_settings(parser, ("sandbox", "cpu_limit", "memory_limit"))
    arguments = parser.parse_args(argv)
    try:
        print(plain_lines(_validated(arguments)))
    except BenchError as error:
        hint = f"\ntry: {indented(error.hint)}" if error.hint else ""
        print(f"error: {indented(error.message)}{hint}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    return 0


def _validated(arguments: argparse.Namespace) -> str:
    """What was found, in some lines. Raises BenchError."""
    from evaluation.benchmarks.tasks.coverage import require_coverage
    from evaluation.benchmarks.tasks.file import read_task_file, refuse_tasks
    from evaluation.loop.grader import Grader

    if arguments.coverage:
        require_coverage()
    file = read_task_file(user_path(arguments.file))
    solved = [task for task in file.tasks if task.reference_solution]
    notes: list[str] = []
    if solved:
        grader = Grader(
            level=arguments.sandbox, timeout_s=arguments.cpu_limit, memory_bytes=arguments.memory_limit
        )
        grader.open()
        try:
            with ThreadPoolExecutor(grader.workers) as pool:
                found = list(pool.map(lambda task: _examined(task, grader, file), solved))
                refuse_tasks(file.path, [problem for one in found for problem in one.problems])
                notes += [note for one in found for note in one.notes]
                if arguments.coverage:
                    notes += _coverage(file, solved, grader, pool)
        finally:
            grader.close()
    return "\n".join([*_report(file, len(solved)), *notes])


class _Examined(NamedTuple):
    problems: list[Problem]
    notes: list[str]


def _examined(task: CodingTask, grader: Grader, file: TaskFile) -> _Examined:
    """Its reference solution by its cases, and on its large input. Raises SandboxError."""
    from documents.problems import Problem
    from evaluation.benchmarks.tasks.grading import grade
    from evaluation.benchmarks.tasks.scaling import NotScaled, scaled

    found = grade(task.reference_solution, task, grader)
    problems = [
        Problem(case.line, f"{task.field}.test_cases[{number}]", f"the reference solution fails: {why}")
        for number, (case, why) in enumerate(zip(task.cases, found.failures, strict=True))
        if why
    ]
    if problems or task.scale is None:
        return _Examined(problems, [])
    try:
        took_s = scaled(task, grader, grader.limits()).reference_s
    except NotScaled as error:
        return _Examined([Problem(task.scale.line, f"{task.field}.scale", str(error))], [])
    where = f"{file.path}:{task.scale.line}: {task.field}.scale"
    note = f"note: {where}: the reference solution takes {took_s:.2g} s of processor time"
    if took_s < _TOO_SHORT_S:
        note += ", too little to tell solutions apart: give a larger size"
    return _Examined([], [note])


def _coverage(
    file: TaskFile, solved: Sequence[CodingTask], grader: Grader, pool: ThreadPoolExecutor
) -> Iterator[str]:
    """A line for each task whose cases leave something out, and one for all. Raises SandboxError."""
    from evaluation.benchmarks.tasks.coverage import covered

    lines = executed = 0
    for task, found in zip(
        solved, pool.map(lambda task: covered(task, grader, grader.limits()), solved), strict=True
    ):
        lines, executed = lines + found.lines, executed + found.executed
        where = f"{file.path}:{task.solution_line}: {task.field}.reference_solution"
        if found.why_not:
            yield f"note: {where}: what the test cases of {task.id} execute is not known: {found.why_not}"
        if found.missing:
            counts = f"{found.executed} of {found.lines} lines"
            yield f"note: {where}: the test cases of {task.id} execute {counts}; not {found.missing}"
    yield (
        f"coverage: the test cases execute {executed} of {lines} lines of the reference solutions "
        f"({100 * executed / max(1, lines):.1f} %)"
    )


def _report(file: TaskFile, solved: int) -> Iterator[str]:
    from evaluation.benchmarks.tasks.file import DIFFICULTIES

    counts = Counter(task.difficulty for task in file.tasks)
    levels = ", ".join(f"{counts[level]} {level}" for level in DIFFICULTIES if counts[level])
    version = f", version {file.version}" if file.version else ""
    cases = sum(len(task.cases) for task in file.tasks)
    text = f"{file.path}{version}: {len(file.tasks)} tasks ({levels}), {cases} test cases"
    unsolved = len(file.tasks) - solved
    if not unsolved:
        yield f"{text}; all reference solutions pass"
        return
    yield f"{text}; {solved} reference solutions pass"
    yield f"note: {unsolved} of the tasks have no reference_solution, so nothing proves that they are solvable"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
