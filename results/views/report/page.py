"""A report as a self-contained HTML page: no network, no script. It has a light, a dark and a print style.

All text from records goes through `page_text`; the page's content security policy blocks whatever might slip through.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from results.compare.versus_best import Rank
from results.views.leaderboard_text import explanation, table_cells
from results.views.report.markdown import some
from results.views.report.page_text import page_lines, page_text
from results.views.report.plots import cost_plots
from results.views.report.small_multiples import telemetry_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from results.compare.leaderboard import Table
    from results.views.report.contents import Report

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_STYLE = """
:root { color-scheme: light dark; --ink: #1f2328; --dim: #656d76; --ground: #fff; --line: #d0d7de; --soft: #f6f8fa;
  --accent: #3b82c4; --good: #1a7f37; --bad: #b35900 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --dim: #9198a1; --ground: #0d1117; --line: #3d444d; --soft: #161b22;
    --accent: #58a6ff; --good: #3fb950; --bad: #e09b4f } }
* { box-sizing: border-box }
body { margin: 0 auto; padding: 1.5rem; max-width: 82rem; font: 15px/1.5 system-ui, sans-serif;
  color: var(--ink); background: var(--ground) }
h1 { font-size: 1.5rem; margin: 0; overflow-wrap: anywhere }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem; border-bottom: 1px solid var(--line); padding-bottom: .3rem }
.dim { color: var(--dim); font-size: .87em }
.conclusion { background: var(--soft); border-left: 4px solid var(--accent); padding: .6rem 1rem .6rem 2rem;
  margin: 0 0 1rem; overflow-wrap: anywhere }
.conclusion li:first-child { font-weight: 600 }
.wide { overflow-x: auto; margin: 0 0 .5rem }
table { border-collapse: collapse; font-size: .87rem; font-variant-numeric: tabular-nums }
caption { text-align: left; color: var(--dim); padding: 0 0 .4rem }
th, td { text-align: left; vertical-align: top; padding: .35rem .7rem .35rem 0; border-bottom: 1px solid var(--line) }
thead th { white-space: nowrap }
.runs td, .runs th { white-space: nowrap }
.runs td.long { white-space: normal; min-width: 14rem }
tr.best th, tr.best td { font-weight: 600; color: var(--good) }
tr.worse td, tr.worse th, tr.stopped td, tr.stopped th { color: var(--dim) }
.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(23rem, 100%), 1fr)); gap: 1rem }
figure { margin: 0 }
figure svg { width: 100%; height: auto }
figcaption { color: var(--dim); font-size: .87rem }
.telemetry svg { display: block }
.telemetry br { display: none }
.telemetry .dim { display: block }
.telemetry .line { fill: none; stroke: var(--accent); stroke-width: 1.2; vector-effect: non-scaling-stroke }
.telemetry .axis { stroke: var(--line) }
.telemetry .load { fill: var(--dim); opacity: .18 }
pre { background: var(--soft); padding: .6rem; overflow-x: auto; font-size: .8rem; white-space: pre-wrap }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; font-size: .87rem }
dt { color: var(--dim) } dd { margin: 0; overflow-wrap: anywhere }
@page { size: landscape; margin: 12mm }
@media print { body { max-width: none; padding: 0; font-size: 11px }
  h2 { break-after: avoid } figure, tr { break-inside: avoid } .wide { overflow: visible }
  .runs td { white-space: normal } }
"""


def page(report: Report) -> str:
    title = page_text(report.title)
    body = "\n".join(_body(report))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<title>{title}</title>
<style>{_STYLE}</style>
</head>
<body>
<header><h1>{title}</h1>
<p class="dim">{page_text(report.counts)}.</p></header>
<main>
{body}
</main>
</body>
</html>
"""


def _body(report: Report) -> Iterator[str]:
    for number, (table, sentences) in enumerate(zip(report.tables, report.conclusions, strict=True)):
        yield f"<section>\n<h2>{page_text(table.title)}</h2>"
        items = "\n".join(f"<li>{page_text(sentence)}</li>" for sentence in sentences)
        yield f'<ul class="conclusion">\n{items}\n</ul>'
        yield _runs(table)
        plots = cost_plots(table, name=f"plot{number}")
        if plots:
            figures = (
                f"<figure>\n{svg}\n<figcaption>{page_text(text)}</figcaption></figure>" for text, svg in plots
            )
            yield '<div class="plots">\n' + "\n".join(figures) + "\n</div>"
        yield "</section>"
    if not report.tables:
        yield "<p>No run succeeded.</p>"
    if report.failures or report.waiting:
        yield _failures(report)
    if report.notes:
        yield "<section>\n<h2>Notes on single runs</h2>"
        yield _table("What else to know about single runs", ["run", "note"], report.notes, row_heads=True)
        yield "</section>"
    drawn = telemetry_table(report.telemetry)
    if drawn:
        yield f"<section>\n<h2>Telemetry</h2>\n{drawn}\n</section>"
    if report.differing:
        rows = [
            [name if not position else "", value, some(labels)]
            for name, values in report.differing
            for position, (value, labels) in enumerate(values)
        ]
        yield "<section>\n<h2>What differs</h2>"
        yield _table("Settings and facts that differ between the runs", ["what", "value", "runs"], rows)
        yield "</section>"
    if report.shared:
        pairs = "".join(
            f"<dt>{page_text(name)}</dt><dd>{page_text(value)}</dd>" for name, value in report.shared
        )
        yield f"<section>\n<h2>The same for all</h2>\n<dl>{pairs}</dl>\n</section>"


def _runs(table: Table) -> str:
    header, lines = table_cells(table)
    rows = []
    for row, line in zip(table.rows, lines, strict=True):
        rank = row.versus.rank if row.versus is not None else None
        kind = {Rank.BEST: "best", Rank.WORSE: "worse", Rank.STOPPED: "stopped"}.get(rank) if rank else None
        cells = "".join(
            f'<td class="long">{page_text(cell)}</td>' if len(cell) > 40 else f"<td>{page_text(cell)}</td>"
            for cell in line[1:]
        )
        opening = f'<tr class="{kind}">' if kind else "<tr>"
        run_id = page_text(row.record.run_id)
        rows.append(f'{opening}<th scope="row" title="{run_id}">{page_text(line[0])}</th>{cells}</tr>')
    heads = "".join(f'<th scope="col">{page_text(name)}</th>' for name in header)
    caption = page_text(f"{table.title}: the runs. {explanation(table)}".strip())
    body = "\n".join(rows)
    return (
        f'<div class="wide"><table class="runs">\n<caption>{caption}</caption>\n<thead><tr>{heads}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody></table></div>"
    )


def _failures(report: Report) -> str:
    rows = [[each.label, each.status, each.why, each.hint] for each in report.failures]
    rows += [[label, "not started", "", ""] for label in report.waiting]
    table = _table("Planned runs without a result", ["run", "status", "why", "try"], rows, row_heads=True)
    logs = "\n".join(
        f"<details><summary>Last lines of the log of {page_text(each.label)}</summary>\n"
        f"<pre>{page_lines(each.log_tail)}</pre></details>"
        for each in report.failures
        if each.log_tail
    )
    return f"<section>\n<h2>What failed, and why</h2>\n{table}\n{logs}\n</section>"


def _table(
    caption: str, header: Sequence[str], rows: Sequence[Sequence[str]], *, row_heads: bool = False
) -> str:
    heads = "".join(f'<th scope="col">{page_text(name)}</th>' for name in header)
    lines = []
    for row in rows:
        cells = [f"<td>{page_text(cell)}</td>" for cell in row]
        if row_heads:
            cells[0] = f'<th scope="row">{page_text(row[0])}</th>'
        lines.append(f"<tr>{''.join(cells)}</tr>")
    body = "\n".join(lines)
    return (
        f'<div class="wide"><table>\n<caption>{page_text(caption)}</caption>\n<thead><tr>{heads}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody></table></div>"
    )
