"""A suite that is declared in a file, against any OpenAI-compatible server: `python -m scripts.run_suite --help`."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from results.errors import ResumeMismatch, ServerError
from results.files import user_path
from results.leaving import leave
from scripts.arguments import parse
from scripts.program import run_program

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from evaluation.loop.grader import Grader
    from evaluation.models.prompt_style import StyleChoice
    from evaluation.suites.loader import SuiteFile
    from scripts.arguments import Arguments
    from scripts.events import Events

_ABOUT = (
    "A suite: tasks, prompts, answers and metrics as a YAML file declares them. Code of a model is executed in a "
    "sandbox, where answers are code."
)
_MAX_TOKENS = 1024
_ANSWERED_BY, _BY_LETTER, _BY_LIKELIHOOD = "answered_by", "letter", "likelihood"
_CHAT = "chat"
_RULE = "completion, because likelihoods of continuations are those of a text, unless a chat is asked for"


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
    from evaluation.suites.kinds.code import known_programs
    from evaluation.suites.loader import of_split, read_suite_file
    from evaluation.suites.task import SuiteRows, SuiteTask, executes_code
    from scripts.benchmark_program import BenchmarkProgram
    from scripts.session import run_benchmark
    from settings.suites import suite_facts, suite_identity

    file = read_suite_file(arguments.options["suite"])
    facts = suite_facts(file.path)
    rows = SuiteRows(file)
    if arguments.options["check"]:
        SuiteTask(rows, style=PromptStyle.CHAT).identity()
        return
    arguments = _with_room(arguments, file)
    way = _Way(file, arguments.earlier, events)

    def task(style: PromptStyle, grader: Grader | None = None, among: SuiteRows = rows) -> SuiteTask:
        return SuiteTask(
            among,
            style=style,
            likelihoods=way.by_likelihood,
            in_chat=way.in_chat(arguments.prompt_style),
            grader=grader,
        )

    benchmark = BenchmarkProgram(
        name=file.suite.name,
        data_sha256=rows.sha256,
        make_task=task,
        known_programs=known_programs if executes_code(file) else None,
        options=suite_identity(file.path),
        style_options=lambda _: way.options(),
        other_data=lambda path, split: partial(task, among=SuiteRows(of_split(file, path, split))),
        prepare=lambda interface, _style: way.find(interface),
        find_style=way.style,
        scoring=SuiteTask(rows, style=PromptStyle.CHAT).scoring,
        identity=lambda style: task(style).identity(),
        details=lambda _: {
            "suite": {"file": file.path.name, "version": facts.version, "sha256": facts.sha256},
            **({"likelihoods": way.technique} if way.technique else {}),
        },
    )
    await run_benchmark(benchmark, arguments, events)


def _with_room(arguments: Arguments, file: SuiteFile) -> Arguments:
    """With a limit of answers that is large enough for all tasks, where none was asked for."""
    from msgspec.structs import replace

    sampling = arguments.sampling
    most = max((task.max_tokens or 0 for task in file.suite.tasks.values()), default=0)
    if "max_tokens" in sampling.given or most <= sampling.max_tokens:
        return arguments
    return replace(arguments, sampling=replace(sampling, max_tokens=most))


class _Way:
    """How choices are answered: by their likelihood, where the server tells it, or else by letter.

    A run that goes on keeps its way, and one that is judged again. technique: how the server tells likelihoods.
    """

    def __init__(self, file: SuiteFile, earlier: Path, events: Events) -> None:
        from evaluation.loop.checkpoint import read_settings
        from evaluation.suites.format import ChoiceAnswer

        self._events = events
        answers = [task.answer for task in file.suite.tasks.values()]
        choices = [answer for answer in answers if isinstance(answer, ChoiceAnswer)]
        self._matters = bool(choices)
        self._is_all = len(choices) == len(answers)
        self._needs_likelihoods = not all(answer.letters for answer in choices)
        before = read_settings(earlier)
        self._before = None if before is None else before.options.get(_ANSWERED_BY)
        self._chat_before = before is not None and before.style_choice.get("requested") == _CHAT
        self._is_found = False
        self.by_likelihood = self._before == _BY_LIKELIHOOD
        self.technique = ""

    def in_chat(self, prompt_style: str) -> bool:
        """Whether likelihoods are those of a model's turn in a chat: only where that was asked for."""
        return prompt_style == _CHAT or self._chat_before

    def options(self) -> dict[str, Any]:
        now = _BY_LIKELIHOOD if self.by_likelihood else _BY_LETTER
        return {_ANSWERED_BY: now} if self._matters else {}

    async def find(self, interface: Any) -> None:
        """Ask the server, once. Raises ResumeMismatch where it was another way at first, and ServerError."""
        if self._is_found or not self._matters:
            return
        self._is_found = True
        find_scorer = getattr(interface, "find_scorer", None)
        why = "providers don't tell how likely given tokens are"
        if find_scorer is not None:
            self.technique, why = await find_scorer()
        self.by_likelihood = bool(self.technique)
        if self._needs_likelihoods and not self.by_likelihood:
            raise ServerError(
                f"this suite needs the likelihoods of its choices: {why}",
                hint="take llama-server or vLLM, or say `letters: true` in the suite",
            )
        now = self.options()[_ANSWERED_BY]
        if self._before not in (None, now):
            raise ResumeMismatch(
                f"choices were answered by {self._before}, and this server only takes {now}",
                hint="go on with the server of the first time, or choose another --output",
            )
        told = f"likelihood ({self.technique})" if self.by_likelihood else f"letter: {why}"
        self._events.say(f"choices are answered by {told}")

    async def style(self, interface: Any) -> StyleChoice | None:
        """Where all there is are likelihoods, as lm-eval has it by default: texts, without the chat template."""
        from evaluation.models.prompt_style import StyleChoice
        from evaluation.protocols import PromptStyle

        await self.find(interface)
        if not (self._is_all and self.by_likelihood):
            return None
        return StyleChoice(requested="auto", chosen=PromptStyle.COMPLETION, rule=_RULE)


if __name__ == "__main__":
    leave(run_program(_read_arguments, _main))
