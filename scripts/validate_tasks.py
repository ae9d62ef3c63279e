"""Check a file of tasks: its structure, and that the reference solutions pass: `python -m scripts.validate_tasks`."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from results.errors import BenchError
from results.files import user_path
from results.plain_text import indented, plain_lines
from scripts.arguments import add_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from documents.problems import Problem
    from evaluation.benchmarks.tasks.file import CodingTask, TaskFile
    from evaluation.loop.grader import Grader


def main(argv: Sequence[str]) -> int:
    """0: all is right; 2: the file is wrong; 4: there is no sandbox."""
    parser = argparse.ArgumentParser(prog="python -m scripts.validate_tasks", description=__doc__)
    parser.add_argument("file", metavar="FILE")
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
    """What was found, in a line or two. Raises BenchError."""
    from evaluation.benchmarks.tasks.file import read_task_file, refuse_tasks
    from evaluation.loop.grader import Grader

    file = read_task_file(user_path(arguments.file))
    solved = [task for task in file.tasks if task.reference_solution]
    if solved:
        grader = Grader(
            level=arguments.sandbox, timeout_s=arguments.cpu_limit, memory_bytes=arguments.memory_limit
        )
        grader.open()
        try:
            with ThreadPoolExecutor(grader.workers) as pool:
                found = pool.map(lambda task: _problems(task, grader), solved)
                problems = [problem for some in found for problem in some]
        finally:
            grader.close()
        refuse_tasks(file.path, problems)
    return _report(file, len(solved))


def _problems(task: CodingTask, grader: Grader) -> list[Problem]:
    from documents.problems import Problem
    from evaluation.benchmarks.tasks.grading import grade

    found = grade(task.reference_solution, task, grader)
    return [
        Problem(case.line, f"{task.field}.test_cases[{number}]", f"the reference solution fails: {why}")
        for number, (case, why) in enumerate(zip(task.cases, found.failures, strict=True))
        if why
    ]


def _report(file: TaskFile, solved: int) -> str:
    from evaluation.benchmarks.tasks.file import DIFFICULTIES

    counts = Counter(task.difficulty for task in file.tasks)
    levels = ", ".join(f"{counts[level]} {level}" for level in DIFFICULTIES if counts[level])
    version = f", version {file.version}" if file.version else ""
    cases = sum(len(task.cases) for task in file.tasks)
    text = f"{file.path}{version}: {len(file.tasks)} tasks ({levels}), {cases} test cases"
    unsolved = len(file.tasks) - solved
    if not unsolved:
        return f"{text}; all reference solutions pass"
    text += f"; {solved} reference solutions pass"
    return f"{text}\nnote: {unsolved} of the tasks have no reference_solution, so nothing proves that they are solvable"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
