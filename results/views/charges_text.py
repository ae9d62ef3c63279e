"""What a provider charged for a run, and which answers it did not have to give, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from results.store.reading.charges import usd_per_solved
from results.views.energy_cost import money

if TYPE_CHECKING:
    from results.records import Score


def charge_rows(score: Score) -> list[tuple[str, str]]:
    """The charge and the kept answers as facts; nothing where nobody charges and all was asked."""
    rows = []
    spent = score.details.get("spent")
    all_tries = spent.get("most_cost_usd") if isinstance(spent, dict) else None
    if score.cost_usd is not None:
        parts = [f"{money(score.cost_usd)} USD for the answers"]
        if (each := usd_per_solved(score)) is not None:
            parts.append(f"{money(each)} a solved sample")
        if isinstance(all_tries, int | float) and all_tries > score.cost_usd * 1.001:
            parts.append(f"at most {money(all_tries)} with the requests whose answers were lost")
        rows.append(("charged", ", ".join(parts)))
    if score.cached:
        rows.append(
            (
                "kept answers",
                f"{score.cached} of {score.completions} were not asked for again, so there is no speed",
            )
        )
    return rows
