"""Plots of score against cost: every run with its 95 % interval, and the Pareto front."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from results.compare.versus_best import Rank, lost_too_many
from results.plain_text import plain
from results.views.report.inline_svg import INK, drawing, inline_svg

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.axes import Axes

    from results.compare.leaderboard import Row, Table

GIB = 1 << 30
_MOST_LABELS = 24
_COLOURS = ("#3b82c4", "#d9822b", "#3a9e6b", "#c2518d", "#8a6fd1", "#b0902f", "#2fa3a8", "#c75548", "#7d8590")
_MARKERS = "osD^vP*X"
# Possible places of a label beside its point, in points; the first without overlap is used.
_PLACES = ((6, 5, "left"), (6, -11, "left"), (-6, 5, "right"), (-6, -11, "right"), (0, 12, "center"),
           (0, -18, "center"), (6, 17, "left"), (6, -23, "left"), (-6, 17, "right"), (-6, -23, "right"))  # fmt: skip


class Point(NamedTuple):
    """label: shown beside it; name: used in sentences. cost: on the horizontal axis. fair: whether it may be compared
    with the others.
    """

    label: str
    name: str
    family: str
    cost: float
    score: float
    low: float | None
    high: float | None
    fair: bool


class Cost(NamedTuple):
    """A horizontal axis. more_is_better: true for a speed. fair: whether a run's value may be compared."""

    name: str
    words: str
    of: Callable[[Row], float | None]
    more_is_better: bool
    fair: Callable[[Row], bool]


def _undisturbed(row: Row) -> bool:
    return row.record.telemetry is None or not row.record.telemetry.not_comparable


def _energy_sure(row: Row) -> bool:
    return row.record.telemetry is None or not row.record.telemetry.energy_doubts


COSTS = (
    Cost(
        "GPU memory, GiB",
        "memory of a GPU",
        lambda row: None if row.gpu_memory_bytes is None else row.gpu_memory_bytes / GIB,
        more_is_better=False,
        fair=lambda _: True,
    ),
    Cost(
        "host memory, GiB",
        "memory of the host",
        lambda row: (
            None
            if row.gpu_memory_bytes is not None or row.host_memory_bytes is None
            else row.host_memory_bytes / GIB
        ),
        more_is_better=False,
        fair=lambda _: True,
    ),
    Cost(
        "tokens/s", "tokens per second", lambda row: row.tokens_per_s, more_is_better=True, fair=_undisturbed
    ),
    Cost(
        "J per solved sample",
        "joules per solved sample",
        lambda row: row.joules_per_solved,
        more_is_better=False,
        fair=_energy_sure,
    ),
)


def cost_plots(table: Table, *, name: str) -> list[tuple[str, str]]:
    """A caption and an <svg> for each cost measured in at least two scored runs. name: prefix of their ids."""
    made = []
    for number, cost in enumerate(COSTS):
        points = _distinct([point for row in table.rows if (point := _point(row, cost)) is not None])
        if len(points) < 2:
            continue
        front = pareto_front(points, more_is_better=cost.more_is_better)
        caption = f"{table.title}: score against {cost.words}. " + _front_words(points, front)
        made.append((caption, _draw(points, front, cost, name=f"{name}-{number}", title=caption)))
    return made


def pareto_front(points: Sequence[Point], *, more_is_better: bool) -> list[int]:
    """Positions of the fair points that no other beats in one dimension without losing in the other, cheapest first."""
    sign = -1 if more_is_better else 1
    order = sorted(
        (i for i, point in enumerate(points) if point.fair),
        key=lambda i: (sign * points[i].cost, -points[i].score),
    )
    front: list[int] = []
    highest = -math.inf
    for i in order:
        if points[i].score > highest:
            front.append(i)
            highest = points[i].score
    return front


def _point(row: Row, cost: Cost) -> Point | None:
    value = cost.of(row)
    if value is None or row.score is None or not math.isfinite(value):
        return None
    stopped = row.versus is not None and row.versus.rank is Rank.STOPPED
    parts = [row.quantization or row.record.model, *row.settings.values()]
    label = " ".join(part if len(part) <= 16 else f"{part[:15]}…" for part in parts)
    return Point(
        plain(label),
        plain(row.name),
        plain(row.family),
        value,
        row.score,
        row.score_low,
        row.score_high,
        fair=cost.fair(row) and not stopped and not lost_too_many(row.record),
    )


def _distinct(points: list[Point]) -> list[Point]:
    """The points, with the full name as label where a short one is ambiguous or there are more models than colours."""
    short = [(point.family, point.label) for point in points]
    few = len({family for family, _ in short}) <= len(_COLOURS)
    return [
        point if few and short.count((point.family, point.label)) == 1 else point._replace(label=point.name)
        for point in points
    ]


def _front_words(points: Sequence[Point], front: Sequence[int]) -> str:
    named = ", ".join(points[i].name for i in front)
    words = f"On the Pareto front: {named}." if named else "No run qualifies for a Pareto front."
    if not all(point.fair for point in points):
        words += " Crosses: disturbed, or stopped early by the race; not on the front."
    return words


def _draw(points: Sequence[Point], front: Sequence[int], cost: Cost, *, name: str, title: str) -> str:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    families = list(dict.fromkeys(point.family for point in points))
    with drawing(name):
        figure = Figure(figsize=(4.7, 3.6), layout="constrained")
        FigureCanvasAgg(figure)
        axis = figure.subplots()
        axis.grid(visible=True, alpha=0.15, linewidth=0.6)
        axis.spines[["top", "right"]].set_visible(False)
        for family_number, family in enumerate(families):
            _draw_family(axis, [point for point in points if point.family == family], family, family_number)
        if len(front) > 1:
            ordered = sorted(front, key=lambda i: points[i].cost)
            axis.plot(
                [points[i].cost for i in ordered],
                [points[i].score for i in ordered],
                color=INK,
                linewidth=1,
                linestyle=(0, (4, 3)),
                drawstyle="steps-pre" if cost.more_is_better else "steps-post",
                alpha=0.55,
                zorder=1,
                label="Pareto front",
            )
        axis.margins(x=0.16, y=0.12)
        _scale(axis, [point.cost for point in points])
        axis.set_xlabel(f"{cost.name} ({'more' if cost.more_is_better else 'less'} is better)")
        axis.set_ylabel("score, percent")
        handles, names = axis.get_legend_handles_labels()
        in_legend = {"Pareto front", *(families if len(families) <= len(_COLOURS) else ())}
        shown_names = [i for i, each in enumerate(names) if each in in_legend]
        figure.legend(
            [handles[i] for i in shown_names],
            [names[i] for i in shown_names],
            loc="outside upper left",
            ncols=3,
            frameon=False,
            fontsize=8,
        )
        shown = range(len(points)) if len(points) <= _MOST_LABELS else front
        figure.draw_without_rendering()
        _label(axis, points, shown)
        return inline_svg(figure, name=name, title=title)


def _draw_family(axis: Axes, points: Sequence[Point], family: str, number: int) -> None:
    colour, marker = _COLOURS[number % len(_COLOURS)], _MARKERS[number % len(_MARKERS)]
    label: str | None = family
    for fair in (True, False):
        chosen = [point for point in points if point.fair is fair]
        if not chosen:
            continue
        for point in chosen:
            if point.low is not None and point.high is not None:
                axis.vlines(
                    point.cost, point.low, point.high, color=colour, linewidth=1.2, alpha=0.45, zorder=2
                )
        axis.plot(
            [point.cost for point in chosen],
            [point.score for point in chosen],
            color=colour,
            marker=marker if fair else "x",
            linestyle="none",
            markersize=6,
            zorder=3,
            label=label,
        )
        label = None  # once in the legend


def _scale(axis: Axes, costs: Sequence[float]) -> None:
    """Use a logarithmic axis if a linear one would crowd most points; widen it if the points hardly differ."""
    if min(costs) > 0 and max(costs) / min(costs) > 12:
        from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

        axis.set_xscale("log")
        axis.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.xaxis.set_minor_formatter(NullFormatter())
    elif max(costs) - min(costs) < 0.1 * max(costs):
        axis.set_xlim(0.8 * min(costs), 1.2 * max(costs))


def _label(axis: Axes, points: Sequence[Point], shown: Sequence[int]) -> None:
    """Place each label where it covers other labels and points least; greedy, highest score first."""
    renderer = axis.figure.canvas.get_renderer()  # type: ignore[attr-defined]
    taken: list[Any] = []
    from matplotlib.transforms import Bbox

    for point in points:
        x, y = axis.transData.transform((point.cost, point.score))
        taken.append(Bbox.from_extents(x - 5, y - 5, x + 5, y + 5))
    inside = axis.get_window_extent(renderer)
    for i in sorted(shown, key=lambda i: -points[i].score):
        best: tuple[float, Any, Any] | None = None
        for dx, dy, side in _PLACES:
            text = axis.annotate(
                points[i].label,
                (points[i].cost, points[i].score),
                (dx, dy),
                textcoords="offset points",
                ha=side,
                fontsize=7.5,
                annotation_clip=False,
            )
            box = text.get_window_extent(renderer)
            covered = sum(_common(box, other) for other in taken)
            outside = box.width * box.height - _common(box, inside)
            if best is None or covered + outside < best[0]:
                if best is not None:
                    best[1].remove()
                best = (covered + outside, text, box)
            else:
                text.remove()
            if best[0] == 0:
                break
        if best is not None:
            taken.append(best[2])


def _common(one: Any, other: Any) -> float:
    """The area that two boxes share, in square pixels."""
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    return max(0.0, float(width)) * max(0.0, float(height))
