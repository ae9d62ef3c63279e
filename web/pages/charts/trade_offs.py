"""Score against what it costs: the plots of a report, and their points for the script."""

from __future__ import annotations

from typing import TYPE_CHECKING

from results.plain_text import plain
from results.views.report.plots import cost_plots
from web.pages.charts.chart import Chart

if TYPE_CHECKING:
    from results.compare.leaderboard import Table
    from results.views.report.plots import Plot


def trade_off_charts(table: Table, names: dict[str, str]) -> list[Chart]:
    """A chart for each cost that is known of two runs or more. names: by run id."""
    return [
        _chart(plot, f"plot-{number}") for number, plot in enumerate(cost_plots(table, names, name="plot"))
    ]


def _chart(plot: Plot, name: str) -> Chart:
    note = (
        f"{plot.left_out} of the labels have no room; the table below names every run."
        if plot.left_out
        else ""
    )
    points = [
        [point.cost, point.score, point.low, point.high, point.family, plain(point.name), point.fair]
        for point in plot.points
    ]
    data = {
        "kind": "scatter",
        "unit": plot.cost.name,
        "points": points,
        "front": [list(each) for each in plot.front],
    }
    return Chart(name, plot.caption, plot.svg, data, note)
