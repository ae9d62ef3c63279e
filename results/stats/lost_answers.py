"""When a run has lost so many answers that its score says little of its model.

Answers are not lost at random: it is the long prompts that don't fit, and the slow answers that time out. So the ones
that are left may be the easier ones, or the harder ones, and by how much nobody can tell.
"""

MOST_LOST = 0.02  # of the answers; that many change a score by 2 points at most


def too_many_lost(lost: int, answers: int) -> bool:
    """Whether the run can't be called the best, nor others be measured against it."""
    return lost > MOST_LOST * answers
