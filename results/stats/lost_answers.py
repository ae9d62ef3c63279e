"""When a run has lost so many answers that its score says little about its model.

Answers are not lost at random: long prompts don't fit, and slow answers time out. So the remaining ones may be easier
or harder, by an unknown amount.
"""

MOST_LOST = 0.02  # share of answers; so many change a score by at most 2 points


def too_many_lost(lost: int, answers: int) -> bool:
    """Whether the run lost too many answers to be called the best, or to test others against it."""
    return lost > MOST_LOST * answers
