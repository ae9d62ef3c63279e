"""`compare`: two runs on the same samples, and a gate for checks that nobody watches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from commands.options import ANY_LOSS, Margin, RunName, SampleName, results_dir_option
from results.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from results.store.run_folder import RunFolder

EXAMPLES = """
\b
Examples:
  bench_runner.py compare Q8_0 Q4_K_M
  bench_runner.py compare 'Q8_0 human_eval' 'Q4_K_M human_eval'
  bench_runner.py compare Q8_0 Q4_K_M --show HumanEval/17
  bench_runner.py compare baseline last --fail-if-worse
  bench_runner.py compare baseline last --fail-if-worse 5
"""


@click.command(epilog=EXAMPLES)
@click.argument("first", metavar="A", type=RunName())
@click.argument("second", metavar="B", type=RunName())
@click.option(
    "--fail-if-worse",
    "margin",
    metavar="[POINTS]",
    type=Margin(),
    is_flag=False,
    flag_value=ANY_LOSS,
    help="Exit with 8 if B is shown to be worse than A; with POINTS, unless B is shown to lose less than that.",
)
@click.option(
    "--show",
    "task",
    metavar="TASK",
    type=SampleName("first"),
    help="Show both answers to one sample, and a diff of the code. The runs need not be comparable.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print the facts as JSON, including every flipped sample."
)
@results_dir_option
@click.pass_context
def compare(
    context: click.Context,
    /,
    *,
    first: str,
    second: str,
    margin: float | str | None,
    task: str | None,
    as_json: bool,
    results_dir: Path | None,
) -> None:
    """Compare two runs on the same samples.

    Each is named by its id or a unique beginning of it, its label, last, last~N, or words that fit only one run: Q8_0,
    or 'Q8_0 human_eval' in quotes. Shows which samples only one of them solved, whether the difference is real, and
    what each costs. Runs with different data or sampling are refused: exit code 9. Two prompts (--prompt or
    --system-prompt) are compared if the model and all else are the same.
    """
    from results.compare.comparison import compare_runs
    from results.compare.divergence_pair import are_of_kld
    from results.compare.gate import GATE_FAILED, judge
    from results.folders import default_results_dir
    from results.store.run_folder import RunFolder

    folder = results_dir or default_results_dir()
    runs = RunFolder.find(folder, first), RunFolder.find(folder, second)
    if task is not None:
        if margin is not None:
            raise UsageError("--show and --fail-if-worse don't go together", hint="leave one of them out")
        _show(*runs, task, as_json=as_json)
        return
    if are_of_kld(*runs):
        if margin is not None:
            raise UsageError(
                "--fail-if-worse compares scores, and runs of kld have none",
                hint="compare them without it, or gate on a benchmark with a score",
            )
        _compare_divergences(*runs, as_json=as_json)
        return
    comparison = compare_runs(*runs)
    gate = None
    if margin is not None:
        gate = judge(comparison, margin if isinstance(margin, float) else None)
    if as_json:
        from results.json_text import as_json_keeps, encode

        facts = as_json_keeps(_as_dict(comparison))
        click.echo(encode(facts if gate is None else {**facts, "gate": gate}))
    else:
        from results.views.comparison_text import print_comparison, print_gate

        print_comparison(comparison)
        if gate is not None:
            print_gate(gate)
    if gate is not None and not gate.passed:
        context.exit(GATE_FAILED)


def _compare_divergences(first: RunFolder, second: RunFolder, *, as_json: bool) -> None:
    from results.compare.divergence_pair import compare_divergences

    pair = compare_divergences(first, second)
    if as_json:
        from results.json_text import as_json_keeps, encode

        click.echo(encode(as_json_keeps(_as_dict(pair))))
    else:
        from results.views.divergence_text import print_divergences

        print_divergences(pair)


def _show(first: RunFolder, second: RunFolder, task: str, *, as_json: bool) -> None:
    from results.compare.answer_pair import answer_pairs
    from results.json_text import encode
    from results.views.answer_pair_text import print_pairs

    pairs = answer_pairs(first, second, task)
    if as_json:
        for pair in pairs:
            click.echo(encode(pair))
    else:
        print_pairs(pairs, (f"A  {first.run_id}", f"B  {second.run_id}"))


def _as_dict(comparison: Any) -> dict[str, Any]:
    import msgspec

    facts: dict[str, Any] = msgspec.to_builtins(comparison)
    return facts
