"""`inspect`: single answers of a run, and why they failed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from commands.options import RunName, SampleName, results_dir_option
from results.folders import default_results_dir

if TYPE_CHECKING:
    from pathlib import Path

    from results.records import Completion
    from results.store.answers import RunAnswers

EXAMPLES = """
\b
Examples:
  bench_runner.py inspect last HumanEval/17
  bench_runner.py inspect last --failed
  bench_runner.py inspect last --failed --brief
  bench_runner.py inspect Q4_K_M --flipped Q8_0
"""


@click.command(epilog=EXAMPLES)
@click.argument("name", metavar="RUN", type=RunName())
@click.argument("task", metavar="[TASK]", required=False, type=SampleName("name"))
@click.option("--failed", is_flag=True, help="Those that did not pass.")
@click.option(
    "--flipped",
    "other",
    metavar="OTHER",
    type=RunName(),
    help="Those with another outcome, or value of the metric, than in the run OTHER.",
)
@click.option(
    "--completion",
    "index",
    metavar="N",
    type=click.IntRange(min=0),
    help="Of several per sample, only number N, from 0 on.",
)
@click.option("--brief", is_flag=True, help="One line each: outcome, tokens, and why.")
@click.option("--json", "as_json", is_flag=True, help="Print each as a line of JSON, with its prompt.")
@results_dir_option
def inspect(
    *,
    name: str,
    task: str | None,
    failed: bool,
    other: str | None,
    index: int | None,
    brief: bool,
    as_json: bool,
    results_dir: Path | None,
) -> None:
    """Show answers of a run: the prompt as it was sent, the thought, the answer, the executed code, and why it failed.

    RUN is a run's id or a unique beginning of it, its label, last, last~N, or words that fit only one run (in quotes).
    TASK is a sample, such as HumanEval/17 or 17. Without TASK, --failed or --flipped, one line for each answer.
    """
    from results.compare.metric_pair import metric_of_answers
    from results.errors import UsageError
    from results.store.answers import read_answers
    from results.store.run_folder import RunFolder
    from results.views.answer_text import print_answers, print_index
    from results.views.terminal import say

    if task is None and re.fullmatch(r"\w+/\d+", name):
        raise UsageError(
            f"{name} is a sample, and no run is named", hint=f"put the run first: inspect last {name}"
        )
    folder = results_dir or default_results_dir()
    run = RunFolder.find(folder, name)
    answers = read_answers(run)
    chosen = list(answers.completions.values())
    if task is not None:
        task_id = answers.task_id(task)
        chosen = [each for each in chosen if each.task_id == task_id]
    if index is not None:
        chosen = [each for each in chosen if each.index == index]
        if not chosen:
            raise UsageError(
                f"{answers.run_id} has no completion {index} of that", hint="they are numbered from 0 on"
            )
    was = None
    if other is not None:
        before = read_answers(RunFolder.find(folder, other))
        metric = metric_of_answers(run.read_record())
        chosen = [
            each
            for each in chosen
            if (then := before.completions.get((each.task_id, each.index))) is not None
            and (then.outcome is not each.outcome or then.metrics.get(metric) != each.metrics.get(metric))
        ]
        was = {
            key: f"{each.outcome} {each.metrics[metric]:.2g}" if metric in each.metrics else str(each.outcome)
            for key, each in before.completions.items()
        }
    if failed:
        chosen = [each for each in chosen if not each.passed]
    if as_json:
        _print_json(answers, chosen)
        return
    if not chosen:
        say(f"{answers.run_id}: none of {len(answers.completions)} answers is of that kind")
        return
    filtered = failed or other is not None
    many = task is not None and index is None and len(chosen) > 1
    if brief or many or (task is None and not filtered):
        print_index(chosen, was)
        if many and not brief:
            say(f"one of them whole: --completion {chosen[0].index}", err=True, dim=True)
    else:
        print_answers(answers, chosen, was=was, with_index=filtered and len(chosen) > 1)


def _print_json(answers: RunAnswers, chosen: list[Completion]) -> None:
    from results.json_text import encode

    for each in chosen:
        parts = answers.parts.get((each.task_id, each.index))
        shown = {"run_id": answers.run_id, "prompt": answers.prompt_of(each), "completion": each}
        click.echo(encode(shown if parts is None else {**shown, "parts": parts}))
