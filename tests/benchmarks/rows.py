"""One line of the table that `make bench` prints."""

from __future__ import annotations

import dataclasses
import json
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


# The columns have widths of their own, since a row is printed before the next one is known; what may be long is last.
_WIDTHS = (18, 18, 7, 17, 6)


def _line(cells: Sequence[str], about: str) -> str:
    return "  ".join(
        [*(cell.ljust(width) for cell, width in zip(cells, _WIDTHS, strict=True)), about]
    ).rstrip()


HEADING = _line(("ours", "reference", "ratio", "target", ""), "benchmark: what it is")


def as_text(row: Row) -> str:
    """A line of the table below HEADING."""
    ratio = row.ratio if row.ratio is not None else (row.value if row.unit == "x" else None)
    unit = "" if ratio is not None or row.unit == "s" else f" {row.unit}"
    if row.bound is None:
        verdict = ""
    elif row.judged is None:
        verdict = "?"
    else:
        verdict = "ok" if row.kept else "MISSED"
    cells = (
        "" if row.unit == "x" or row.value is None else f"{row.value:.4g} {row.unit}",
        "" if row.reference is None else f"{row.reference:.4g} {row.unit}",
        "" if ratio is None else f"{ratio:.3f}",
        "" if row.bound is None else f"<= {row.bound:.4g}{unit}",
        verdict,
    )
    return _line(cells, f"{row.name}: {row.note}" if row.note else row.name)


def as_json(benchmark: str, row: Row) -> str:
    """One line. kept: null where there is no bound, or nothing was measured."""
    kept = None if row.bound is None or row.judged is None else row.kept
    return json.dumps({"benchmark": benchmark, **dataclasses.asdict(row), "kept": kept})
