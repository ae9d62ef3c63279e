"""What the test split says of the prompt that was found: asked once, as a paired test against the seed prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evaluation.optimise.contract import Stopped
from evaluation.optimise.ledger import Halt
from results.prompts.prompt_file import Gain
from results.stats.paired import compare_fractions, compare_verdicts

if TYPE_CHECKING:
    from evaluation.optimise.contract import Item
    from evaluation.optimise.ledger import Ledger
    from results.prompts.prompt_file import PromptText

LEVEL = 0.05


def judged_gain(
    ledger: Ledger, test: tuple[Item, ...], *, seed_prompt: PromptText, found: PromptText
) -> Gain | None:
    """None without a test split, and where the budget, after calls that were lost in kills, has no room for it."""
    if not test:
        return None
    try:
        before = [outcome.score for outcome in ledger.evaluate(seed_prompt, test, final=True)]
        after = [outcome.score for outcome in ledger.evaluate(found, test, final=True)]
    except Halt as halt:
        if halt.stopped is Stopped.BUDGET:
            return None
        raise
    return gain_of(before, after, same=seed_prompt.sha256 == found.sha256)


def gain_of(before: list[float], after: list[float], *, same: bool = False) -> Gain:
    """before, after: one score, 0 to 1, for each test sample, of the seed prompt and of the one found."""
    if all(score in {0, 1} for score in (*before, *after)):
        result = compare_verdicts([score == 1 for score in before], [score == 1 for score in after])
    else:
        result = compare_fractions(before, after)
    shown = result.p_value < LEVEL and result.difference > 0
    points = f"{result.first * 100:.1f} -> {result.second * 100:.1f} on {len(before)} test samples"
    if same:
        says = f"no gain shown: no prompt did better than the seed prompt on validation ({points})"
    elif shown:
        says = f"gain shown: {points} (p = {result.p_value:.2g}, {result.test})"
    elif result.p_value < LEVEL:
        says = f"no gain shown, but a loss: {points} (p = {result.p_value:.2g}, {result.test})"
    else:
        says = f"no gain shown: {points} (p = {result.p_value:.2g}, {result.test})"
    return Gain(
        seed_score=result.first * 100,
        score=result.second * 100,
        samples=len(before),
        p_value=None if same else result.p_value,
        shown=shown and not same,
        says=says,
    )
