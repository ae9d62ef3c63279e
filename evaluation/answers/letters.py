"""Find the letter of the choice in an answer that a model wrote."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# Around a letter: **B**, (B), [B], "B", `B`, $B$, \boxed{B}, \text{B}, <B>. In front also what introduces it.
_BEFORE = r"(?:[\s*_`\"'(\[{<$:]|\\boxed|\\text(?:bf)?|\\mathbf|\\\(){0,16}"
_AFTER = r"(?!\w|['’-]\w)"  # noqa: RUF001 - an apostrophe as typographers set it


def chosen_letter(text: str, letters: Sequence[str]) -> str | None:
    r"""The letter that an answer chooses, or None where it is not clear.

    In this order: the last statement, such as `The answer is (B)`, `Answer: B`, `\boxed{B}` or `B is correct`; the
    letter that the answer begins with, such as `B`, `B.`, `**B)** text`; the same for its last line; the one letter
    that is set apart, as `(B)` or `**B**`, anywhere. Letters are upper case. The article in `A femur is a bone` is no
    answer, nor is the first line of a list of all choices.
    """
    of = f"([{re.escape(''.join(letters))}])"
    stated = [
        *re.finditer(
            rf"(?i:\b(?:answer|choice|option|letter)\b)(?i:\s+(?:is|would\s+be|must\s+be|should\s+be)\b)?{_BEFORE}"
            rf"(?i:(?:option|choice|letter)\s+)?{_BEFORE}{of}{_AFTER}",
            text,
        ),
        *re.finditer(rf"\\boxed\s*\{{{_BEFORE}{of}{_AFTER}", text),
        *re.finditer(
            rf"(?<![\w'])[(*]{{0,3}}{of}{_AFTER}[)*.]{{0,4}}\s+(?i:is\s+(?:the\s+)?(?:correct|right|best|true)\b)",
            text,
        ),
    ]
    if stated:
        return str(max(stated, key=re.Match.start)[1])
    lines = [line for line in text.splitlines() if line.strip()]
    begun = [letter for line in lines if (letter := _at_the_beginning(line, of))]
    if lines and len(set(begun)) == 1:
        for line in (lines[0], lines[-1]):
            if letter := _at_the_beginning(line, of):
                return letter
    if begun and len(set(begun)) > 1:
        # Choices are listed; only a last line that is nothing but a letter decides.
        alone = re.fullmatch(rf"{_BEFORE}{of}[\s*_`\"').\]}}$>]*", lines[-1])
        return alone[1] if alone else None
    apart = {found[1] for found in re.finditer(rf"(?:\(|\*\*|\[|`){of}(?:\)|\*\*|\]|`|\.\*\*|\)\*\*)", text)}
    return apart.pop() if len(apart) == 1 else None


def _at_the_beginning(line: str, of: str) -> str | None:
    """`B`, `B.`, `(B) text`, `**B:** text`; not `A femur`, `B-cells` or `A.I.`."""
    found = re.match(rf"{_BEFORE}{of}(?:[*_`\"')\]}}$>.:,]+(?!\w)|\s*$)", line)
    return found[1] if found else None
