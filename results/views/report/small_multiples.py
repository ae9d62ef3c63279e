"""Telemetry of many runs side by side: a small plot for each run and quantity, with one scale per quantity.

Drawn here and not by matplotlib, because a hundred of them take only milliseconds and use the page's own colours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from results.views.report.page_text import page_text
from results.views.report.table import short_number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from results.views.telemetry_lines import Points, RunLines

WIDTH, HEIGHT = 164, 52


def telemetry_table(runs: Mapping[str, RunLines]) -> str:
    """A <table> with a row for each run and a column for each quantity; empty without runs. runs: by name."""
    names = list(dict.fromkeys(name for lines in runs.values() for name in lines.lines))
    if not names:
        return ""
    peaks = {name: max(_peak(lines.lines.get(name, [])) for lines in runs.values()) for name in names}
    heads = "".join(
        f'<th scope="col">{page_text(name)}<br><span class="dim">0 to {short_number(peaks[name])}</span></th>'
        for name in names
    )
    rows = "\n".join(
        f'<tr><th scope="row">{page_text(run)}<br><span class="dim">{lines.seconds:.0f} s</span></th>'
        + "".join(f"<td>{_cell(run, name, lines, peaks[name])}</td>" for name in names)
        + "</tr>"
        for run, lines in runs.items()
    )
    return (
        '<table class="telemetry">\n<caption>Telemetry over time. All runs in a column have the same '
        "vertical scale; each run has its own time axis. Shaded: loading the model; the rest is mostly generating. "
        "Tokens/s are as counted by the server; llama.cpp counts when a request ends."
        f'</caption>\n<thead><tr><th scope="col">run</th>{heads}</tr></thead>\n<tbody>\n{rows}\n</tbody></table>'
    )


def _cell(run: str, name: str, lines: RunLines, peak: float) -> str:
    points = lines.lines.get(name, [])
    if not points:
        return '<span class="dim">not measured</span>'
    across = WIDTH / (lines.seconds or 1.0)
    up = (HEIGHT - 4) / (peak or 1.0)
    path = " ".join(f"{x * across:.1f},{HEIGHT - 1 - y * up:.1f}" for x, y in points)
    bands = "".join(
        f'<rect class="load" x="{begin * across:.1f}" y="0" width="{(end - begin) * across:.1f}" height="{HEIGHT}"/>'
        for phase, begin, end in lines.phases
        if phase in {"baseline", "load"}
    )
    title = page_text(f"{run}: {name}, at most {short_number(_peak(points))}")
    return (
        f'<svg role="img" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"><title>{title}</title>'
        f'{bands}<line class="axis" x1="0" y1="{HEIGHT - 0.5}" x2="{WIDTH}" y2="{HEIGHT - 0.5}"/>'
        f'<polyline class="line" points="{path}"/></svg><br><span class="dim">peak {short_number(_peak(points))}</span>'
    )


def _peak(points: Points) -> float:
    return max((value for _, value in points), default=0.0)
