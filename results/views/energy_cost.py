"""What the energy of a run costs, by a price in the user's currency. It is computed when shown, and never recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from results.records import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from results.compare.leaderboard import Row, Table
    from results.records import RunRecord


def money(cost: float | None) -> str:
    """An amount with at least three digits that count; empty if it isn't known."""
    if cost is None:
        return ""
    if cost == 0 or cost >= 1:
        return f"{cost:,.2f}"
    return f"{cost:.3g}" if cost >= 0.001 else f"{cost:.6f}"


def cost_text(record: RunRecord, price_per_kwh: float) -> str:
    """Energy and cost of a thousand solved samples, or why they aren't known."""
    from results.compare.leaderboard import cost_per_1000, wh_per_1000  # most runs are shown without a price

    joules = record.telemetry.joules_per_solved if record.telemetry is not None else None
    cost = cost_per_1000(joules, price_per_kwh)
    if cost is None:
        return f"unknown: {why_unknown(record)}"
    return f"{money(cost)} per 1,000 solved samples ({wh_per_1000(joules):,.1f} Wh, at {price_per_kwh:g} per kWh)"


def why_unknown(record: RunRecord) -> str:
    """Why a run has no energy for each solved sample."""
    telemetry, score = record.telemetry, record.score
    if telemetry is None:
        return "nothing was measured"
    if telemetry.energy_j is None:
        return "no device reported its energy (see docs/telemetry.md)"
    if score is None or score.score is None:
        return "it has no score"
    if not score.outcomes.get(Outcome.PASSED):
        return "no sample was solved"
    return "it was resumed, and only its last part was measured"


def unknown_costs(tables: Sequence[Table]) -> list[str]:
    """A sentence for each reason why rows have no cost, without a full stop; none if no price is given."""
    reasons: dict[str, list[Row]] = {}
    for table in tables:
        for row in table.rows:
            if row.price_per_kwh is not None and row.cost_per_1000_solved is None:
                reasons.setdefault(why_unknown(row.record), []).append(row)
    return [
        f"no cost for {rows[0].record.model if len(rows) == 1 else f'{len(rows)} runs'}: {why}"
        for why, rows in reasons.items()
    ]
