"""The verdicts that a rejudgement changed, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from results.records import Outcome
from results.views.terminal import Fact, say_facts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from results.compare.flipped_verdicts import FlippedVerdict
    from results.records import RunRecord

_WIDTH = 16


def print_flips(flips: Sequence[FlippedVerdict], parent: RunRecord, now: RunRecord, *, at_most: int) -> None:
    """How many verdicts changed, both scores, and each change with its reason, up to `at_most`."""
    gained = sum(flip.now is Outcome.PASSED for flip in flips)
    lost = sum(flip.was is Outcome.PASSED for flip in flips)
    facts = [
        Fact("judged again", f"the answers of {parent.run_id}"),
        Fact("score", f"{_score(parent)} -> {_score(now)} of 100"),
        Fact("changed", f"{len(flips)} verdicts: {gained} now pass, {lost} no longer do"),
    ]
    facts += [
        Fact(
            f"{flip.task_id}{f' #{flip.index}' if flip.index else ''}",
            f"{_words(flip.was)} -> {_words(flip.now)}; {flip.why}",
        )
        for flip in flips[:at_most]
    ]
    if len(flips) > at_most:
        facts.append(Fact("and", f"{len(flips) - at_most} more; --json has all"))
    say_facts(facts, width=_WIDTH)


def _score(record: RunRecord) -> str:
    score = record.score.score if record.score is not None else None
    return "none" if score is None else f"{score:.1f}"


def _words(outcome: Outcome) -> str:
    return str(outcome).replace("_", " ")
