"""Show or check a suite's file: `python -m scripts.validation.suites show FILE | validate FILE | schema`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import TYPE_CHECKING

from results.errors import BenchError
from results.files import user_path
from results.plain_text import indented, plain, plain_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from evaluation.suites.format import SuiteTask
    from evaluation.suites.loader import SuiteFile

TRIED_ROWS = 100  # of each task, by `validate`
_SHOWN_CHARS = 1500  # of a prompt


def main(argv: Sequence[str]) -> int:
    """0: all is right; 2: the file, or the data, is not; 4: the data can't be read."""
    parser = argparse.ArgumentParser(prog="python -m scripts.validation.suites", description=__doc__)
    parser.add_argument("action", choices=("show", "validate", "schema"))
    parser.add_argument("file", nargs="?", metavar="FILE")
    arguments = parser.parse_args(argv)
    try:
        if arguments.action == "schema":
            from evaluation.suites.format import json_schema

            print(json.dumps(json_schema(), indent=2))
            return 0
        if arguments.file is None:
            parser.error("FILE is missing")
        lines = _shown if arguments.action == "show" else _validated
        for line in lines(user_path(arguments.file)):
            print(plain_lines(line), flush=True)
    except BenchError as error:
        hint = f"\ntry: {indented(error.hint)}" if error.hint else ""
        print(f"error: {indented(error.message)}{hint}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever reads has seen enough
        os._exit(0)
    return 0


def _shown(path: Path) -> Iterator[str]:
    from evaluation.suites.loader import read_suite_file

    file = read_suite_file(path)
    suite = file.suite
    yield f"{suite.name}, version {suite.version}: {suite.about}"
    yield f"licence of the data: {suite.licence}"
    if suite.source:
        yield f"source: {suite.source}"
    if len(suite.tasks) > 1:
        weighed = "weighted by their rows" if suite.score == "samples" else "each weighs the same"
        yield f"score: mean of the tasks' main metrics, {weighed}"
    for name, task in suite.tasks.items():
        yield ""
        yield f"{name}: {task.about}" if task.about and not file.is_single else name
        yield from (f"  {line}" for line in _facts(file, name, task))


def _facts(file: SuiteFile, name: str, task: SuiteTask) -> Iterator[str]:
    from evaluation.suites.kinds import kind_of
    from evaluation.suites.rows import example_count

    data = task.data
    where = f"{data.hub} {data.config} {data.split}" if data.hub else data.file
    yield f"data      {' '.join(where.split())} ({'here' if _is_here(file, name) else 'not here'})"
    kind = type(task.answer).__struct_config__.tag
    yield f"answer    {kind}, measured by {', '.join(task.metrics or kind_of(task.answer).metrics)}"
    if count := example_count(task.few_shot):
        yield f"examples  {count} before each question"


def _validated(path: Path) -> Iterator[str]:
    from evaluation.suites.loader import read_suite_file

    file = read_suite_file(path)
    suite = file.suite
    tasks = f"{len(suite.tasks)} task{'s' * (len(suite.tasks) != 1)}"
    yield f"{file.path}: {suite.name}, version {suite.version}, {tasks}: the file is right"
    missing = [name for name in suite.tasks if not _is_here(file, name)]
    for name in suite.tasks:
        if name not in missing:
            yield ""
            yield from _tried(file, name)
    if missing:
        asked = suite.name if path == _shipped(suite.name) else path
        yield ""
        yield f"note: the data of {', '.join(missing)} is not here, so nothing of it was tried: `data fetch {asked}`"


def _tried(file: SuiteFile, name: str) -> Iterator[str]:
    """A task's first prompt, after its rows were tried. Raises BenchError."""
    from evaluation.protocols import PromptStyle
    from evaluation.suites.declared_task import DeclaredTask
    from evaluation.suites.rows import read_task_rows

    rows = read_task_rows(file, name)
    ways = [
        DeclaredTask(file, name, style, rows, likelihoods=likelihoods)
        for style in PromptStyle
        for likelihoods in (True, False)
    ]
    for row in rows.rows[:TRIED_ROWS]:
        for way in ways:
            way.prompt(way.sample(row))
        ways[0].require_metrics(row)
    sample = ways[0].sample(rows.rows[0])
    prompt = ways[0].prompt(sample)
    how = "its choices are scored as what goes on" if sample.continuations else "as it is asked in a chat"
    yield f"{name}: {len(rows.rows)} rows, {min(len(rows.rows), TRIED_ROWS)} tried; the first, {how}:"
    if prompt.system:
        yield from _quoted("system", prompt.system)
    for message in prompt.history:
        yield from _quoted(message.role, message.content)
    yield from _quoted("text" if sample.continuations else "user", prompt.user)
    for continuation in sample.continuations:
        yield from _quoted("choice", continuation)
    yield f"  expected: {plain(str(sample.expected))[:_SHOWN_CHARS]}"


def _quoted(role: str, text: str) -> Iterator[str]:
    short = text if len(text) <= _SHOWN_CHARS else f"{text[: _SHOWN_CHARS - 3]}..."
    yield f"  {role}:"
    for line in short.split("\n"):
        yield f"  | {line}"


def _is_here(file: SuiteFile, name: str) -> bool:
    """Whether the data of a task is on this machine."""
    from evaluation.data.hub import is_here
    from evaluation.suites.rows import examples_data, hub_data

    task = file.suite.tasks[name]
    if not task.data.hub:
        return True  # or an error tells that it is not
    examples = examples_data(task.data, task.few_shot) if task.few_shot is not None else None
    return is_here(hub_data(task.data)) and (examples is None or is_here(examples))


def _shipped(name: str) -> Path | None:
    from settings.suites import shipped_suites

    return shipped_suites().get(name)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
