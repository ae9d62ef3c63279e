"""The composites of two runs side by side, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from results.views.composites.composite_text import list_text

if TYPE_CHECKING:
    from results.compare.comparison import Comparison


def composite_pair_facts(
    comparison: Comparison, first: str = "A", second: str = "B"
) -> list[tuple[str, str]]:
    """By name; [] if no run has a composite. first, second: what the runs are called."""
    found = comparison.composite
    if found is None:
        why = {"A": f"only {first} has one", "B": f"only {second} has one"}.get(comparison.composite_apart)
        return [("composite", why or comparison.composite_apart)] if comparison.composite_apart else []
    of = f", of {list_text(found.of)} only" if found.is_partial else ""
    interval = f"95 % interval {found.low:+.1f} to {found.high:+.1f}"
    verdict = (
        f"{second if found.difference > 0 else first} is better" if found.shown else "not shown to differ"
    )
    parts = ", ".join(f"{name} {value:+.1f}" for name, value in found.parts.items())
    return [
        (
            "composite",
            f"{first} {found.first:.1f}, {second} {found.second:.1f} of 100, on {found.samples} samples{of}",
        ),
        ("", f"difference {found.difference:+.1f} ({interval}): {verdict}"),
        ("", f"by part: {parts}"),
    ]
