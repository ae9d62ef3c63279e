"""What a page needs of a chart, whoever draws it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from results.views.report.page_text import page_text
from results.views.report.plots import ticks
from results.views.report.table import short_number

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True)
class Chart:
    """name: of its element, unique on the page. svg: drawn on the server, without a text that isn't escaped. data: for
    the script; empty: it stays as it is. note: a sentence below it.
    """

    name: str
    caption: str
    svg: str
    data: dict[str, Any] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True)
class Frame:
    """The place of a plot within its drawing, and the values at its ends."""

    width: float
    height: float
    x: tuple[float, float]
    y: tuple[float, float]
    left: float = 46
    right: float = 10
    top: float = 10
    bottom: float = 24

    def across(self, value: float) -> float:
        """Where a value stands horizontally."""
        low, high = self.x
        return self.left + (value - low) / ((high - low) or 1) * (self.width - self.left - self.right)

    def up(self, value: float) -> float:
        """Where a value stands vertically."""
        low, high = self.y
        room = self.height - self.top - self.bottom
        return self.height - self.bottom - (value - low) / ((high - low) or 1) * room

    def grid(
        self, x_text: Callable[[float], str], *, x_ticks: Sequence[float] | None = None, lines: int = 4
    ) -> str:
        """Lines and numbers of both axes."""
        ground = self.height - self.bottom
        parts = []
        for value in ticks(*self.y, lines):
            y = self.up(value)
            parts.append(f'<path class="grid" d="M{self.left:g},{y:.1f}H{self.width - self.right:g}"/>')
            parts.append(
                f'<text x="{self.left - 6:g}" y="{y + 4:.1f}" text-anchor="end">{page_text(short_number(value))}</text>'
            )
        last = -math.inf
        for value in ticks(*self.x, 6) if x_ticks is None else x_ticks:
            x, text = self.across(value), x_text(value)
            half = 3.6 * len(text)
            if x - half < last + 8 or x + half > self.width + 4:
                continue
            last = x + half
            parts.append(
                f'<text x="{x:.1f}" y="{ground + 17:g}" text-anchor="middle">{page_text(text)}</text>'
            )
        parts.append(f'<path class="axis" d="M{self.left:g},{ground:g}H{self.width - self.right:g}"/>')
        return "".join(parts)

    def drawing(self, name: str, title: str, body: str) -> str:
        """The whole drawing, with a title for those who don't see it."""
        return (
            f'<svg role="img" class="plot" viewBox="0 0 {self.width:g} {self.height:g}" '
            f'aria-labelledby="{name}-title"><title id="{name}-title">{page_text(title)}</title>{body}</svg>'
        )


def ends(values: Sequence[float], *, from_zero: bool = False) -> tuple[float, float]:
    """The ends of an axis for these values, with a little room."""
    known = [value for value in values if math.isfinite(value)]
    if not known:
        return 0.0, 1.0
    low, high = min(known), max(known)
    if from_zero:
        low = min(0.0, low)
    room = 0.06 * (high - low) or max(abs(high) * 0.1, 0.5)
    return (low if from_zero and low >= 0 else low - room), high + room
