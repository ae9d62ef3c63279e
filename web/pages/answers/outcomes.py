"""How outcomes look on pages: a colour, a sign and a word each, so that none of them has to be seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from results.records import Outcome

if TYPE_CHECKING:
    from results.store.reading.problems import GridCell


class Look(NamedTuple):
    """kind: of its colour: p solved, f wrong, c neither, s in part."""

    sign: str
    words: str
    kind: str


LOOKS = {
    Outcome.PASSED: Look("✓", "solved", "p"),
    Outcome.FAILED: Look("✗", "wrong", "f"),
    Outcome.TRUNCATED: Look("…", "cut at the token limit", "c"),
    Outcome.NO_ANSWER: Look("∅", "no answer", "c"),
    Outcome.INFRASTRUCTURE_ERROR: Look("!", "lost", "c"),
}


def look_of(cell: GridCell) -> Look:
    """Of a run's completions of one problem."""
    if cell.total == 1:
        return LOOKS[cell.outcome]
    kind = "p" if cell.passed == cell.total else "s" if cell.passed else LOOKS[cell.outcome].kind
    return Look(f"{cell.passed}/{cell.total}", f"{cell.passed} of {cell.total} solved", kind)
