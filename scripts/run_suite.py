"""A suite that is declared in a file, against any OpenAI-compatible server: `python -m scripts.run_suite --help`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from results.errors import ResumeMismatch
from results.files import user_path
from scripts.arguments import parse
from scripts.program import leave, run_program

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from evaluation.suites.loader import SuiteFile
    from scripts.arguments import Arguments
    from scripts.events import Events

_ABOUT = (
    "A suite: tasks, prompts, answers and metrics as a YAML file declares them. Executes no code of a model."
)
_MAX_TOKENS = 1024
_ANSWERED_BY, _BY_LETTER = "answered_by", "letter"


def _add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--suite", required=True, type=user_path, metavar="FILE", help="the suite's file, YAML")
    add("--check", action="store_true", help="only check the suite, its data and these options")


def _read_arguments() -> Arguments:
    return parse(
        sys.argv[1:],
        benchmark="suite",
        about=_ABOUT,
        add_options=_add_options,
        defaults={"max_tokens": _MAX_TOKENS},
    )


async def _main(arguments: Arguments, events: Events) -> None:
    from evaluation.protocols import PromptStyle
    from evaluation.suites.loader import read_suite_file
    from evaluation.suites.task import SuiteRows, SuiteTask
    from scripts.benchmark_program import BenchmarkProgram
    from scripts.session import run_benchmark
    from settings.suites import suite_facts

    file = read_suite_file(arguments.options["suite"])
    facts = suite_facts(file.path)
    rows = SuiteRows(file)
    if arguments.options["check"]:
        SuiteTask(rows, style=PromptStyle.CHAT).identity()
        return
    way = _Way(file, arguments.rejudge or arguments.output)

    def task(style: PromptStyle) -> SuiteTask:
        return SuiteTask(rows, style=style, likelihoods=bool(way.likelihoods))

    benchmark = BenchmarkProgram(
        name=file.suite.name,
        data_sha256=rows.sha256,
        make_task=lambda style, _grader: task(style),
        options={"suite_version": facts.version, "suite_sha256": facts.sha256},
        style_options=lambda _: way.options(),
        prepare=lambda interface, _style: way.find(interface),
        identity=lambda style: task(style).identity(),
        details=lambda _: {
            "suite": {"file": file.path.name, "version": facts.version, "sha256": facts.sha256}
        },
    )
    await run_benchmark(benchmark, arguments, events)


class _Way:
    """How choices are answered: by likelihood, in a way that the server has, or else by letter.

    A run that goes on keeps its way. likelihoods: the way; "" for letters.
    """

    def __init__(self, file: SuiteFile, earlier: Path) -> None:
        from evaluation.loop.checkpoint import read_settings
        from evaluation.suites.format import ChoiceAnswer

        self._matters = any(isinstance(task.answer, ChoiceAnswer) for task in file.suite.tasks.values())
        before = read_settings(earlier)
        self._before = None if before is None else before.options.get(_ANSWERED_BY)
        self.likelihoods = "" if self._before in (None, _BY_LETTER) else str(self._before)

    def options(self) -> dict[str, Any]:
        return {_ANSWERED_BY: self.likelihoods or _BY_LETTER} if self._matters else {}

    async def find(self, interface: Any) -> None:
        """Ask the server. Raises ResumeMismatch where it was another way at first."""
        find_scorer = getattr(interface, "find_scorer", None) if self._matters else None
        self.likelihoods = (await find_scorer())[0] if find_scorer is not None else ""
        now = self.likelihoods or _BY_LETTER
        if self._matters and self._before not in (None, now):
            raise ResumeMismatch(
                f"choices were answered by {self._before}, and this server only takes {now}",
                hint="go on with the server of the first time, or choose another --output",
            )


if __name__ == "__main__":
    leave(run_program(_read_arguments, _main))
