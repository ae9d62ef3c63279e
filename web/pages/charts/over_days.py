"""A model's score over days, with intervals, and a line where the server's build changed."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import TYPE_CHECKING

from results.plain_text import plain
from results.views.report.page_text import page_text
from web.pages.charts.chart import Chart, Frame, ends

if TYPE_CHECKING:
    from collections.abc import Sequence

    from results.store.reading.run_row import RunRow

_WIDTH, _HEIGHT = 860, 300
_DAY_S = 86_400
_MOST_TICKS = 6


def history_chart(rows: Sequence[RunRow], name: str) -> Chart | None:
    """rows: oldest first. None with fewer than two scores."""
    scored = [
        (when, row) for row in rows if row.score is not None and (when := _seconds(row.timestamp)) is not None
    ]
    if len(scored) < 2:
        return None
    whens = [when for when, _ in scored]
    values = [
        end for _, row in scored for end in (row.score_low, row.score, row.score_high) if end is not None
    ]
    low, high = ends(values)
    frame = Frame(_WIDTH, _HEIGHT, ends(whens), (max(0.0, low), min(100.0, high)), top=34)
    days = [min(whens) + (max(whens) - min(whens)) * n / (_MOST_TICKS - 1) for n in range(_MOST_TICKS)]
    body = frame.grid(_day, x_ticks=days) + _builds(scored, frame)
    path = "L".join(f"{frame.across(when):.1f},{frame.up(row.score or 0.0):.1f}" for when, row in scored)
    body += f'<path class="series f0 faint" d="M{path}"/>'
    for when, row in scored:
        x, score = frame.across(when), row.score or 0.0
        if row.score_low is not None and row.score_high is not None:
            ends_of = f"{frame.up(row.score_low):.1f}V{frame.up(row.score_high):.1f}"
            body += f'<path class="interval f0" d="M{x:.1f},{ends_of}"/>'
        words = page_text(f"{_day(when)}: {score:.1f}, build {row.server_build or 'unknown'}")
        body += (
            f'<path class="mark f0" transform="translate({x:.1f},{frame.up(score):.1f})" '
            f'd="M-4.5,0a4.5,4.5 0 1,0 9,0a4.5,4.5 0 1,0 -9,0z"><title>{words}</title></path>'
        )
    title = f"Score of {plain(name)} over time, {len(scored)} runs"
    points = [
        [when, row.score, row.score_low, row.score_high, 0, plain(row.server_build or row.run_id), True]
        for when, row in scored
    ]
    front = [[when, row.score] for when, row in scored]
    changes = [
        [when, plain(row.server_build or "unknown")[:12]]
        for (_, before), (when, row) in itertools.pairwise(scored)
        if row.server_build != before.server_build
    ]
    data = {"kind": "scatter", "time": True, "unit": "", "points": points, "front": front, "events": changes}
    return Chart("history", "Score over time; dashed lines: another build of the server",
                 frame.drawing("history", title, body), data)  # fmt: skip


def _builds(scored: Sequence[tuple[float, RunRow]], frame: Frame) -> str:
    """A line where the build changes, and its name where there is room."""
    parts, before, free = [], None, 0.0
    for when, row in scored:
        if row.server_build == before:
            continue
        first, before = before is None, row.server_build
        x = frame.across(when)
        if not first:
            parts.append(
                f'<path class="event" d="M{x:.1f},{frame.top - 6:g}V{frame.height - frame.bottom:g}"/>'
            )
        text = plain(row.server_build or "unknown")[:12]
        left = x - 3.4 * len(text)
        if left >= free and row.server_build:
            parts.append(
                f'<text x="{x:.1f}" y="{frame.top - 12:g}" text-anchor="middle">{page_text(text)}</text>'
            )
            free = x + 3.4 * len(text) + 10
    return "".join(parts)


def _seconds(timestamp: str) -> float | None:
    try:
        return dt.datetime.fromisoformat(timestamp).timestamp()
    except (ValueError, OverflowError):
        return None


def _day(seconds: float) -> str:
    moment = dt.datetime.fromtimestamp(seconds, dt.UTC)
    return f"{moment.day} {moment:%b %Y}"
