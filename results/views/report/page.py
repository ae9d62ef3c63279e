"""A report as a self-contained HTML page: no network, no script. It has a light, a dark and a print style.

Jinja2 escapes all text from records, after `plain` has written out what could hide or steer in it; the page's content
security policy blocks whatever might slip through.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from results.views.leaderboard_text import explanation
from results.views.page_environment import page_environment
from results.views.report.markdown import some
from results.views.report.plots import CROSS, cost_plots, crosses, legend
from results.views.report.problems import SIGNS
from results.views.report.searches import EXPLANATION
from results.views.report.small_multiples import telemetry_table
from results.views.report.table import table_lines
from results.views.report.titles import shared_family
from results.views.searches.text import SEARCH_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jinja2 import Environment

    from results.compare.leaderboard import Table
    from results.views.report.contents import Report
    from results.views.report.context import PlainTable
    from results.views.report.plots import Family, Plot
    from results.views.report.problems import Problems
    from results.views.report.table import Column, Line
    from results.views.report.verdict import Verdict

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class _Section:
    """What the page shows of one table. id: of its element. family: what the names leave out. suffix: distinguishes
    what is said of its parts from that of other tables.
    """

    id: str
    title: str
    family: str
    verdict: Verdict
    columns: list[Column]
    lines: list[Line]
    explanation: str
    conclusions: Sequence[str]
    plots: list[Plot]
    legend: list[Family]
    crosses: bool
    problems: Problems
    contexts: Sequence[PlainTable]
    difficulties: Sequence[PlainTable]
    suffix: str


def page(report: Report) -> str:
    """The whole page."""
    failures = [(each.label, each.status, each.why, each.hint) for each in report.failures]
    failures += [(label, "not started", "", "") for label in report.waiting]
    differing = [(name, value, some(labels)) for name, values in report.differing for value, labels in values]
    rows = [row.record for table in report.tables for row in table.rows]
    return (
        _environment()
        .get_template("page.html.jinja")
        .render(
            report=report,
            sections=[_section(report, number, table) for number, table in enumerate(report.tables)],
            failures=failures,
            differing=differing,
            telemetry=telemetry_table(report.telemetry),
            ids=[
                *((report.names[record.run_id], record.run_id) for record in rows),
                *((search.name, search.run_id) for search in report.searches),
            ],
            search_columns=SEARCH_COLUMNS,
            search_explanation=EXPLANATION,
            cross=CROSS,
            signs=[*SIGNS.values()],
        )
    )


def _section(report: Report, number: int, table: Table) -> _Section:
    names, verdict = report.table_names[number], report.verdicts[number]
    columns, lines = table_lines(table, names, verdict.run_id)
    return _Section(
        id=f"table-{number}",
        title=table.title,
        family=shared_family(table),
        verdict=verdict,
        columns=columns,
        lines=lines,
        explanation=explanation(table),
        conclusions=report.conclusions[number],
        plots=cost_plots(table, names, name=f"plot-{number}"),
        legend=legend(table),
        crosses=crosses(table),
        problems=report.problems[number],
        contexts=report.contexts[number],
        difficulties=report.difficulties[number],
        suffix=f" of table {number + 1}" if len(report.tables) > 1 else "",
    )


def _environment() -> Environment:
    from jinja2 import FileSystemLoader

    return page_environment(FileSystemLoader(TEMPLATES))
