"""One line of the table that `make bench` prints."""

from __future__ import annotations

import dataclasses
import statistics
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclasses.dataclass(frozen=True)
class Row:
    """A measured value beside its bound, the most it may be; None where it is only shown.

    With a reference (in the same unit), the bound is that of the ratio. A value of None: not measured, the note
    says why.
    """

    name: str
    value: float | None
    unit: str
    bound: float | None = None
    note: str = ""
    reference: float | None = None
    ratio: float | None = None

    @property
    def judged(self) -> float | None:
        """What the bound is for."""
        return self.value if self.ratio is None else self.ratio

    @property
    def kept(self) -> bool:
        return self.bound is None or self.judged is None or self.judged <= self.bound


def compare(
    name: str,
    ours: Sequence[float],
    reference: Sequence[float],
    *,
    unit: str = "s",
    bound: float | None = None,
    note: str = "",
) -> Row:
    """The medians, and the median of the ratios pair by pair: what slowed the machine down slowed both."""
    ratios = [mine / other for mine, other in zip(ours, reference, strict=True)]
    spread = f"{len(ratios)} repeats, {min(ratios):.2f} to {max(ratios):.2f}"
    return Row(
        name,
        statistics.median(ours),
        unit,
        bound,
        f"{note}; {spread}" if note else spread,
        reference=statistics.median(reference),
        ratio=statistics.median(ratios),
    )
