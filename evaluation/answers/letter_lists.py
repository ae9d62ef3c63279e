"""Lists of all choices in an answer, and the one that a mark or a figure in them chooses."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from evaluation.answers import letter_cues as cues
from evaluation.answers.letter_text import BEGINS_WITH_A_AND_B

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_ITEM = re.compile(r"^[ \t]*(?:[-*+•][ \t]+)?(\*\*|__)?\(?([A-Z])[).:]\s?[^\n]*$", re.MULTILINE)
_LIKELIHOOD = re.compile(r"(?<!\w)\(?([A-Z])\)?\s*[:(=~]\s*(\d{1,3}(?:\.\d{1,6})?|\.\d{1,6})\s*%?\)?[,;]?")
_ROUNDING = 0.02
_AROUND = 160  # characters


def in_bold(text: str, letters: Sequence[str]) -> str | None:
    """The only bold one of all choices, each in a line."""
    items = _ITEM.findall(text)
    bold = [letter for marks, letter in items if marks]
    return bold[0] if [letter for _, letter in items] == list(letters) and len(bold) == 1 else None


def likeliest(plain: str, letters: Sequence[str]) -> tuple[str | None, str]:
    """Of a text that gives a probability of each choice, the one with the largest, and what else it says; None where it
    doesn't, or where several are as likely.
    """
    found = _LIKELIHOOD.findall(plain[:5000])
    values = [float(figure) for _, figure in found]
    total = sum(values)
    if [letter for letter, _ in found] != list(letters) or min(
        abs(total - 1), abs(total / 100 - 1)
    ) > _ROUNDING:
        return None, plain
    largest = [letter for (letter, _), value in zip(found, values, strict=True) if value == max(values)]
    return (largest[0] if len(largest) == 1 else None), _LIKELIHOOD.sub(" ", plain)


def in_order_of(begun: Sequence[str], letters: Sequence[str]) -> int:
    """How many lines at the beginning only repeat the choices, in their order."""
    count = 0
    while count < min(len(begun), len(letters)) and begun[count] == letters[count]:
        count += 1
    return count if count > 1 else 0


def is_affirmed(before: str, behind: str) -> bool:
    """Whether the first word for or against an item is for it: in its line, else in the next one."""
    own, _, below = behind.partition("\n")
    for said in (before + own, below.partition("\n")[0]):
        right, wrong = cues.AFFIRMED.search(said), cues.REJECTED.search(said)
        if right or wrong:
            return bool(right and (not wrong or right.start() < wrong.start()))
    return False


def only(found: Iterable[str]) -> str | None:
    """The one letter that these are; None where they are several, or none."""
    several = set(found)
    return several.pop() if len(several) == 1 else None


def is_first_item(lines: Sequence[str]) -> bool:
    """Whether a list begins with the last line."""
    return len(lines) > 1 and bool(cues.FIRST_ITEM.match(lines[-1]))


def begins_list(plain: str, start: int, end: int) -> bool:
    """Whether what stands before a letter says that a list follows: of the choices that are wrong, or of all that are
    yet to be looked at. `A is the answer` begins none. start, end: of the letter.
    """
    sentence = cues.SENTENCE_END.split(plain[max(0, start - _AROUND) : start])[-1]
    of_all = cues.ALL_FOLLOW.search(sentence) and BEGINS_WITH_A_AND_B.match(plain, start, start + 4 * _AROUND)
    follows = (of_all or cues.OTHERS_FOLLOW.search(sentence)) and not cues.NAMES_IT.search(sentence)
    return bool(follows) and not cues.IS_ANSWER.match(plain[end : end + _AROUND])
