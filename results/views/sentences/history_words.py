"""How a model's score went over time, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from results.compare.versus_best import Rank
from results.views.comparison_text import p_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from results.compare.run_history import Step


class Words(NamedTuple):
    """head: the newest real change, or that there is none. kind: "bad" where it got worse, "good" where it got better,
    "calm" otherwise. sentences: every real change, newest first.
    """

    head: str
    kind: str
    sentences: tuple[str, ...]


def history_words(steps: Sequence[Step]) -> Words:
    """Of the runs of one model, oldest first."""
    tested = [step for step in steps if step.rank not in {None, Rank.UNTESTED}]
    if not tested:
        head = "Only one run so far" if len(steps) == 1 else "No two of these runs can be compared"
        return Words(head, "calm", tuple(dict.fromkeys(step.why for step in steps if step.why))[:3])
    real = [step for step in reversed(steps) if step.rank in {Rank.WORSE, Rank.BETTER}]
    if not real:
        return Words(f"No real change in {len(tested)} comparisons of a run with the one before", "calm", ())
    newest = real[0]
    since = "with the newest run" if newest.row is steps[-1].row else f"on {newest.row.timestamp[:10]}"
    head = f"{'Worse' if newest.rank is Rank.WORSE else 'Better'} by {_points(newest)} points {since}"
    return Words(head, "bad" if newest.rank is Rank.WORSE else "good", tuple(map(_sentence, real)))


def step_words(step: Step) -> str:
    """One step, for a table."""
    if step.rank is None:
        return ""
    if step.rank is Rank.UNTESTED:
        return f"not tested: {step.why}"
    p_value = p_text(step.adjusted_p) if step.adjusted_p is not None else ""
    if step.rank is Rank.SAME:
        return f"not distinguishable ({p_value})"
    return f"{step.rank} by {_points(step)} ({p_value})"


def _sentence(step: Step) -> str:
    what = (
        f", with {', '.join(step.changed)}" if step.changed else ", with nothing else changed that is known"
    )
    return f"{step.row.timestamp[:10]}: {step_words(step)}{what}"


def _points(step: Step) -> str:
    return f"{100 * abs(step.difference or 0.0):.1f}"
