"""Find places for labels beside points, so that no label covers another one or anything else that is drawn."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

SIZE = 12  # of the text, in the drawing's units
_HEIGHT = 16  # of a line, with room for fonts that are taller on small screens
_GAPS = (9, 20, 34, 50, 70)  # from a point to its label
_FAR = 12


class Box(NamedTuple):
    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Box) -> bool:
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )

    def inside(self, other: Box) -> bool:
        return (
            self.left >= other.left
            and self.right <= other.right
            and self.top >= other.top
            and self.bottom <= other.bottom
        )


class Place(NamedTuple):
    """far: whether a line should lead to it."""

    box: Box
    far: bool

    def near(self, x: float, y: float) -> str:
        """The point of the box that is nearest to a place, as a path's coordinates."""
        box = self.box
        return f"{min(max(x, box.left), box.right):.1f},{min(max(y, box.top), box.bottom):.1f}"


def text_width(text: str) -> float:
    """An upper estimate for any sans-serif font: what is drawn may be narrower."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return SIZE * (0.68 * (len(text) - wide) + 1.05 * wide)


def place_labels(
    labels: Sequence[tuple[str, float, float]], taken: Sequence[Box], room: Box
) -> list[Place | None]:
    """A place for each label (text, x, y), the first ones first; None if there is none.

    taken: what may not be covered. room: what labels stay inside of.
    """
    covered = [*taken]
    found: list[Place | None] = []
    for text, x, y in labels:
        box = next(
            (
                (each, gap)
                for gap in _GAPS
                for each in _around(x, y, text_width(text), gap)
                if each.inside(room) and not any(each.meets(other) for other in covered)
            ),
            None,
        )
        found.append(Place(box[0], far=box[1] > _FAR) if box is not None else None)
        if box is not None:
            covered.append(box[0])
    return found


def _around(x: float, y: float, width: float, gap: float) -> list[Box]:
    """Boxes beside, above and below a point, the best first."""
    corners = [
        (x + gap, y - _HEIGHT / 2),
        (x - gap - width, y - _HEIGHT / 2),
        (x + gap * 0.8, y - gap * 0.8 - _HEIGHT),
        (x + gap * 0.8, y + gap * 0.8),
        (x - gap * 0.8 - width, y - gap * 0.8 - _HEIGHT),
        (x - gap * 0.8 - width, y + gap * 0.8),
        (x - width / 2, y - gap - _HEIGHT),
        (x - width / 2, y + gap),
    ]
    return [Box(left, top, left + width, top + _HEIGHT) for left, top in corners]
