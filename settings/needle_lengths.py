"""The lengths of the needle benchmark's texts; the script makes them, and the server's context is chosen for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from settings.speed_lengths import LongestRequest, token_count

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOM_TOKENS = 128  # of each length are for the answer, as in RULER: also the default limit of an answer
LEAST_LENGTH = 512
MOST_LENGTH = 1 << 20
FIRST_LENGTH = 1024  # of the powers of two that are measured if no lengths are given
DEPTHS = (0, 25, 50, 75, 100)  # percent
KINDS = ("single", "multikey", "dense", "multivalue", "tracking")
PER_CELL = 2
_SEVERAL_SLOTS = 4096  # longer texts are sent one by one: few cards hold several of them


def context_needed(length: int, max_tokens: int) -> int:
    """Tokens of context for prompt and answer; a longer answer than usual needs more than the length."""
    return length + max(0, max_tokens - ROOM_TOKENS)


def usual_lengths(context_tokens: int, max_tokens: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The powers of two up to a context, as those that fit with their answers, and those that don't."""
    powers = []
    length = FIRST_LENGTH if context_tokens >= FIRST_LENGTH else LEAST_LENGTH
    while length <= min(context_tokens, MOST_LENGTH):
        powers.append(length)
        length *= 2
    fit = tuple(each for each in powers if context_needed(each, max_tokens) <= context_tokens)
    return fit, tuple(powers[len(fit) :])


def length_text(tokens: int) -> str:
    """8k for 8192."""
    return f"{tokens >> 10}k" if tokens and not tokens % 1024 else str(tokens)


def longest_text(given: Mapping[str, object]) -> LongestRequest | None:
    """The longest request with these settings of a run; None if the lengths follow the server's context."""
    asked = given.get("lengths")
    if not asked:
        return None
    length = max(token_count(each) for each in str(asked).split(","))
    max_tokens = given.get("max_tokens")
    answer = max_tokens if isinstance(max_tokens, int) else ROOM_TOKENS
    more = max(0, answer - ROOM_TOKENS)
    said = f" with answers of {answer:,} tokens" if more else ""
    return LongestRequest(
        length,
        more,
        "lengths",
        at_once=1 if length > _SEVERAL_SLOTS else None,
        answer_setting="max_tokens",
        spare_tokens=0,
        least_prompt=LEAST_LENGTH,
        says=f"--lengths {length:,}{said} needs {length + more:,} tokens of context",
    )
