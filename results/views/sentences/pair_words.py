"""A comparison of two runs in sentences, by the runs' own names."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from results.views.comparison_text import about, changed_text, p_text

if TYPE_CHECKING:
    from results.compare.comparison import Comparison
    from results.stats.paired import PairedResult


class Words(NamedTuple):
    """head: which is better, or that it isn't shown. sentences: how that is known. shown: whether a difference is."""

    head: str
    sentences: tuple[str, ...]
    shown: bool


def comparison_words(comparison: Comparison, first: str, second: str) -> Words:
    """first, second: what the runs are called."""
    name, result = next(iter(comparison.results.items()))
    better = second if result.difference > 0 else first
    if result.shown:
        points = 100 * abs(result.difference)
        head = f"{better} is better by {points:.1f} points, and the difference is real"
    else:
        head = f"No real difference shown between {first} and {second}"
    sentences = []
    if comparison.prompts is not None:
        told, told_second = comparison.prompts
        sentences.append(
            f"Two prompts are compared; what {first} added to the benchmark's own: {told}; {second}: {told_second}"
        )
    for own, warnings in ((first, comparison.warnings[0]), (second, comparison.warnings[1])):
        sentences += [f"{own}: {warning}" for warning in warnings]
    sentences += [_scores(comparison, name, result, first, second), _difference(result, first, second)]
    if not result.shown and result.samples_needed is not None:
        needed = about(max(result.samples_needed, result.samples + 1))
        sentences.append(f"About {needed} problems would be needed to show a difference of this size")
    if comparison.not_judged:
        sentences.append(f"{len(comparison.not_judged)} problems are left out, because an answer was lost")
    for own, run in ((first, comparison.first), (second, comparison.second)):
        if run.lost_too_many:
            sentences.append(
                f"{own} lost {run.lost} of {run.completions} answers: only the others are compared, "
                "which may be easier or harder"
            )
    if comparison.answers is not None:
        sentences.append(f"Answers that changed: {changed_text(comparison.answers)}")
    return Words(head, tuple(sentences), result.shown)


def _scores(comparison: Comparison, name: str, result: PairedResult, first: str, second: str) -> str:
    what = "" if name == "pass@1" else f" ({name})"
    return (
        f"On the {result.samples} problems that both answered, {first} has {100 * result.first:.1f} and "
        f"{second} {100 * result.second:.1f} of 100{what}; {comparison.benchmark}"
    )


def _difference(result: PairedResult, first: str, second: str) -> str:
    interval = f"95 % interval {100 * result.low:+.1f} to {100 * result.high:+.1f}"
    points = f"{100 * result.difference:+.1f} points ({interval})"
    p_value = result.adjusted_p
    only = f"{second} did better on {result.only_second} problems, {first} on {result.only_first}"
    return (
        f"{only}: {points}, {p_text(p_value)} by the {result.test}{'' if 'test' in result.test else ' test'}"
    )
