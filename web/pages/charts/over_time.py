"""A run's telemetry over time: one chart for each quantity, with the phases shaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from results.views.report.table import short_number
from web.pages.charts.chart import Chart, Frame, ends

if TYPE_CHECKING:
    from results.views.telemetry_lines import Points, RunLines

_WIDTH, _HEIGHT = 520, 170
_WORDS = {
    "baseline": "before the start",
    "load": "loading the model",
    "generate": "generating",
    "stop": "stopping",
}


def telemetry_charts(lines: RunLines) -> list[Chart]:
    """A chart for each quantity that was measured."""
    return [
        _chart(f"telemetry-{number}", name, points, lines)
        for number, (name, points) in enumerate(lines.lines.items())
    ]


def _chart(name: str, quantity: str, points: Points, lines: RunLines) -> Chart:
    words, _, unit = quantity.rpartition(", ")
    words, unit = (words, unit) if words else (quantity, "")
    seconds = max(lines.seconds, 1.0)
    frame = Frame(_WIDTH, _HEIGHT, (0, seconds), ends([value for _, value in points], from_zero=True))
    bands = [(phase, begin, end) for phase, begin, end in lines.phases if phase != "generate"]
    shaded = "".join(
        f'<rect class="phase" x="{frame.across(begin):.1f}" y="{frame.top:g}" '
        f'width="{max(0.0, frame.across(end) - frame.across(begin)):.1f}" '
        f'height="{frame.height - frame.top - frame.bottom:g}"/>'
        for _, begin, end in bands
    )
    path = "L".join(f"{frame.across(x):.1f},{frame.up(y):.1f}" for x, y in points)
    most = max(value for _, value in points)
    title = f"{words} over {seconds:.0f} seconds, at most {short_number(most)} {unit}"
    body = shaded + frame.grid(lambda value: f"{value:g} s") + f'<path class="series f0" d="M{path}"/>'
    return Chart(
        name,
        f"{words[:1].upper()}{words[1:]}{f', {unit}' if unit else ''}",
        frame.drawing(name, title, body),
        {
            "kind": "time",
            "unit": unit,
            "x": [round(x, 2) for x, _ in points],
            "y": [round(y, 3) for _, y in points],
            "bands": [
                [_WORDS.get(phase, phase), round(begin, 2), round(end, 2)] for phase, begin, end in bands
            ],
        },
    )
