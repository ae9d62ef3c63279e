"""The composites of two runs side by side, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from results.views.composites.composite_text import list_text

if TYPE_CHECKING:
    from results.compare.comparison import Comparison


def composite_pair_facts(comparison: Comparison) -> list[tuple[str, str]]:
    """By name; [] if no run has a composite."""
    found = comparison.composite
    if found is None:
        return [("composite", comparison.composite_apart)] if comparison.composite_apart else []
    of = f", of {list_text(found.of)} only" if found.is_partial else ""
    interval = f"95 % interval {found.low:+.1f} to {found.high:+.1f}"
    verdict = f"{'B' if found.difference > 0 else 'A'} is better" if found.shown else "not shown to differ"
    parts = ", ".join(f"{name} {value:+.1f}" for name, value in found.parts.items())
    return [
        ("composite", f"A {found.first:.1f}, B {found.second:.1f} of 100, on {found.samples} samples{of}"),
        ("", f"difference {found.difference:+.1f} ({interval}): {verdict}"),
        ("", f"by part: {parts}"),
    ]
