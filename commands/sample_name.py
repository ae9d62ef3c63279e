"""The name of a sample on a command line, completed from a run's answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from results.plain_text import plain

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_MOST_COMPLETED = 300


class SampleName(click.ParamType):  # type: ignore[type-arg] # generic only in newer versions of click
    """What names a sample, read by `RunAnswers.task_id`. Completes ids, with the outcome as help.

    run: the parameter that names the run.
    """

    name = "task"

    def __init__(self, run: str) -> None:
        self._run = run

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        from results.errors import BenchError
        from results.store.answers import read_answers
        from results.store.run_folder import RunFolder, default_results_dir

        del param
        try:
            folder = RunFolder.find(
                ctx.params.get("results_dir") or default_results_dir(), ctx.params.get(self._run) or ""
            )
            answers = read_answers(folder)
        except BenchError:  # nothing can be said in the middle of a command line
            return []
        outcomes = {each.task_id: str(each.outcome) for each in answers.completions.values()}
        fitting = [each for each in outcomes if each.casefold().startswith(incomplete.casefold())]
        return [CompletionItem(plain(each), help=outcomes[each]) for each in fitting[:_MOST_COMPLETED]]
