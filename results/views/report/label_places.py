"""Find places for labels beside points, so that none covers another one, its line, or anything else."""

from __future__ import annotations

import math
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

    def nearest(self, x: float, y: float) -> tuple[float, float]:
        """The point of the box that is nearest to a place."""
        box = self.box
        return min(max(x, box.left), box.right), min(max(y, box.top), box.bottom)


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
    found: list[Place | None] = []
    labels_there: list[Box] = []
    lines_there: list[Box] = []
    for text, x, y in labels:
        place, line = None, []
        for gap, box in [(each, box) for each in _GAPS for box in _around(x, y, text_width(text), each)]:
            if not box.inside(room) or any(map(box.meets, (*taken, *labels_there, *lines_there))):
                continue
            place = Place(box, far=gap > _FAR)
            line = _line(x, y, place)
            if not any(each.meets(label) for each in line for label in labels_there):
                break
            place = None
        found.append(place)
        if place is not None:
            labels_there.append(place.box)
            lines_there += line
    return found


def _line(x: float, y: float, place: Place) -> list[Box]:
    """Small boxes along the line that leads from a point to its label."""
    if not place.far:
        return []
    to_x, to_y = place.nearest(x, y)
    steps = max(2, round(math.hypot(to_x - x, to_y - y) / 3))
    shares = (number / steps for number in range(1, steps))
    places = [(x + share * (to_x - x), y + share * (to_y - y)) for share in shares]
    return [Box(at_x - 1, at_y - 1, at_x + 1, at_y + 1) for at_x, at_y in places]


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
