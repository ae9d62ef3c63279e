"""A user's own tasks against any OpenAI-compatible server: `python -m scripts.run_tasks --help`."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from results.files import user_path
from results.leaving import leave
from scripts.arguments import parse, whole
from scripts.program import run_program

if TYPE_CHECKING:
    from scripts.arguments import Arguments
    from scripts.events import Events

_ABOUT = (
    "Coding tasks from a file, written by a model, judged by their test cases in a sandbox. Prints pass@k, also by "
    "difficulty, and the weighted share of passed cases."
)


def _add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--tasks",
        type=user_path,
        metavar="FILE",
        help="YAML or JSON (default: the starter set of twenty tasks)",
    )
    add(
        "--difficulty",
        type=_difficulties,
        default=[],
        metavar="LIST",
        help="only these difficulties, such as easy,hard (default: all)",
    )
    add(
        "--sample",
        type=whole(1),
        metavar="N",
        help="draw N tasks at random, in proportion from each difficulty (default: all)",
    )
    add(
        "--sample-seed",
        type=whole(0, 2**63 - 1),
        default=0,
        metavar="S",
        help="seed of --sample (default: 0)",
    )
    add("--check", action="store_true", help="only check the file and these options")


def _difficulties(text: str) -> list[str]:
    from evaluation.benchmarks.tasks.file import DIFFICULTIES

    given = {word.strip() for word in text.split(",")}
    for word in sorted(given - {*DIFFICULTIES}):
        raise argparse.ArgumentTypeError(f"{word!r} is not one of {', '.join(DIFFICULTIES)}")
    return [level for level in DIFFICULTIES if level in given]


def _read_arguments() -> Arguments:
    # Programs are longer than HumanEval's functions, and a model may explain them.
    return parse(
        sys.argv[1:], benchmark="tasks", about=_ABOUT, add_options=_add_options, defaults={"max_tokens": 2048}
    )


async def _main(arguments: Arguments, events: Events) -> None:
    from evaluation.benchmarks.tasks import task as tasks_task
    from evaluation.benchmarks.tasks.file import read_task_file
    from evaluation.benchmarks.tasks.sampling import choose_tasks
    from scripts.benchmark_program import BenchmarkProgram, only_file
    from scripts.session import run_benchmark

    asked: dict[str, Any] = dict(arguments.options)
    file = read_task_file(asked["tasks"] or tasks_task.STARTER_SET)
    tasks = choose_tasks(
        file.tasks, difficulties=asked["difficulty"], count=asked["sample"], seed=asked["sample_seed"]
    )
    if asked["check"]:
        return
    versions = {task.id: task.version for task in tasks if task.version}
    benchmark = BenchmarkProgram(
        name=tasks_task.NAME,
        data_sha256=file.sha256,
        make_task=lambda style, grader: tasks_task.OwnTasks(tasks, style=style, grader=grader),
        other_data=lambda path, split: (
            lambda style, grader: tasks_task.OwnTasks(
                read_task_file(only_file(path, split, tasks_task.NAME)).tasks, style=style, grader=grader
            )
        ),
        known_programs=lambda: tasks_task.known_solutions(tasks),
        options={
            "version": file.version,
            "difficulty": asked["difficulty"],
            "sample": asked["sample"],
            "sample_seed": asked["sample_seed"] if asked["sample"] else None,
        },
        details=lambda _: {
            "tasks": {"file": file.path.name, "version": file.version, "sha256": file.sha256},
            **({"task_versions": versions} if versions else {}),
        },
    )
    await run_benchmark(benchmark, arguments, events)


if __name__ == "__main__":
    leave(run_program(_read_arguments, _main))
