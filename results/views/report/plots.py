"""Plots of score against cost: every run with its 95 % interval, and the Pareto front.

Drawn here and not by matplotlib, so that the text has the page's font and colours and at least 12 px, and no label
covers another one, a point or an interval.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, NamedTuple

from results.compare.pick import undisturbed
from results.compare.versus_best import Rank, lost_too_many
from results.plain_text import plain
from results.stats.machines import energy_doubts
from results.views.leaderboard_text import GIB
from results.views.report.label_places import Box, place_labels, text_width
from results.views.report.page_text import page_text
from results.views.report.table import short_number

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from results.compare.leaderboard import Row, Table

FAMILIES = 8  # that have a colour and a shape of their own
WIDTH, HEIGHT = 400, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 12, 12, 46
_LONGEST_LABEL = 22
_SHAPES = (
    "M-4.5,0a4.5,4.5 0 1,0 9,0a4.5,4.5 0 1,0 -9,0z",
    "M-4,-4h8v8h-8z",
    "M0,-5.5l5.5,5.5l-5.5,5.5l-5.5,-5.5z",
    "M0,-5l5,9h-10z",
    "M0,5l5,-9h-10z",
    "M-5,-1.7h3.3v-3.3h3.4v3.3h3.3v3.4h-3.3v3.3h-3.4v-3.3h-3.3z",
    "M-5,0l2.5,-4.4h5l2.5,4.4l-2.5,4.4h-5z",
    "M0,-5.2l4.9,3.6l-1.9,5.8h-6l-1.9,-5.8z",
)
CROSS = "M-4,-4l8,8M-4,4l8,-8"


class Point(NamedTuple):
    """label: shown beside it. name: of the run. family: position of its colour. cost: on the horizontal axis. fair:
    whether it may be compared with the others.
    """

    label: str
    name: str
    family: int
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


class Plot(NamedTuple):
    """caption: in a few words. left_out: how many labels had no place. points, front: what is drawn, and the corners of
    the Pareto front, as (cost, score); for a page that draws it again.
    """

    caption: str
    svg: str
    left_out: int
    cost: Cost
    points: tuple[Point, ...]
    front: tuple[tuple[float, float], ...]


class Family(NamedTuple):
    """An entry of the legend that all plots of a table share."""

    name: str
    number: int
    shape: str


def _energy_sure(row: Row) -> bool:
    return not energy_doubts(row.record)


def _host_gib(row: Row) -> float | None:
    if row.gpu_memory_bytes is not None or row.host_memory_bytes is None:
        return None
    return row.host_memory_bytes / GIB


COSTS = (
    Cost(
        "GPU memory, GiB",
        "memory of the GPU",
        lambda row: None if row.gpu_memory_bytes is None else row.gpu_memory_bytes / GIB,
        more_is_better=False,
        fair=lambda _: True,
    ),
    Cost("host memory, GiB", "memory of the host", _host_gib, more_is_better=False, fair=lambda _: True),
    Cost("tokens/s", "speed", lambda row: row.tokens_per_s, more_is_better=True, fair=undisturbed),
    Cost(
        "J per solved sample",
        "energy",
        lambda row: row.joules_per_solved,
        more_is_better=False,
        fair=_energy_sure,
    ),
    Cost(
        "USD per solved sample",
        "what a provider charges",
        lambda row: row.usd_per_solved,
        more_is_better=False,
        fair=lambda _: True,
    ),
)


def cost_plots(table: Table, names: Mapping[str, str], *, name: str) -> list[Plot]:
    """A plot for each cost measured in at least two scored runs. names: by run id. name: prefix of ids."""
    families = _families(table)
    made = []
    for number, cost in enumerate(COSTS):
        points = [point for row in table.rows if (point := _point(row, cost, families, names)) is not None]
        if len(points) < 2 or len({point.cost for point in points}) < 2:
            continue
        made.append(_Drawing(points, cost, f"{name}-{number}").plot())
    return made


def worth_drawing(table: Table, most: int) -> list[Row]:
    """At most so many rows, in the table's order: those on a front first, then the highest scores. The fronts of these
    are the fronts of all.
    """
    if len(table.rows) <= most:
        return list(table.rows)
    families, ids = _families(table), {row.record.run_id: row.record.run_id for row in table.rows}
    chosen: dict[str, None] = {}
    for cost in COSTS:
        points = [point for row in table.rows if (point := _point(row, cost, families, ids)) is not None]
        front = pareto_front(points, more_is_better=cost.more_is_better)
        chosen |= dict.fromkeys(points[i].name for i in reversed(front))
    scored = sorted((row for row in table.rows if row.score is not None), key=lambda row: -(row.score or 0.0))
    chosen |= dict.fromkeys(plain(row.record.run_id) for row in scored)
    kept = {*list(chosen)[:most]}
    return [row for row in table.rows if plain(row.record.run_id) in kept]


def legend(table: Table) -> list[Family]:
    """Models, if there are several and each has its colour."""
    families = _families(table)
    if len(set(families.values())) < 2:
        return []
    return [Family(plain(name), number, _SHAPES[number]) for name, number in families.items()]


def crosses(table: Table) -> bool:
    """Whether some run isn't fair in some plot."""
    return any(not _fair(row) or not cost.fair(row) for row in table.rows for cost in COSTS if cost.of(row))


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


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers from low to high, at most about `most`."""
    if not math.isfinite(low + high) or high <= low:
        return [low] if math.isfinite(low) else []
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * each for each in (1, 2, 5, 10) if power * each >= rough)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def _families(table: Table) -> dict[str, int]:
    names = dict.fromkeys(row.family for row in table.rows)
    return {name: number if len(names) <= FAMILIES else 0 for number, name in enumerate(names)}


def _fair(row: Row) -> bool:
    stopped = row.versus is not None and row.versus.rank is Rank.STOPPED
    return not stopped and not lost_too_many(row.record)


def _point(row: Row, cost: Cost, families: Mapping[str, int], names: Mapping[str, str]) -> Point | None:
    value = cost.of(row)
    if value is None or row.score is None or not math.isfinite(value):
        return None
    name = plain(names[row.record.run_id])
    label = name
    if len(set(families.values())) > 1 and row.quantization:
        label = plain(" ".join([row.quantization, *row.settings.values()]))
    return Point(
        label,
        name,
        families[row.family],
        value,
        row.score,
        row.score_low,
        row.score_high,
        fair=cost.fair(row) and _fair(row),
    )


class _Axis:
    """Maps values to places. Logarithmic if a linear one would crowd most points."""

    def __init__(self, values: Sequence[float], begin: float, end: float) -> None:
        low, high = min(values), max(values)
        self.logarithmic = low > 0 and high / low > 12
        if self.logarithmic:
            low, high = math.log10(low), math.log10(high)
        elif high - low < 0.1 * high:
            low, high = low - 0.1 * abs(low), high + 0.1 * abs(high)
        room = 0.09 * (high - low) or 1.0
        self._low = low - room if self.logarithmic or low < 0 else max(0.0, low - room)
        self._high = high + room
        self._begin, self._end = begin, end

    def at(self, value: float) -> float:
        scaled = math.log10(value) if self.logarithmic else value
        share = (scaled - self._low) / (self._high - self._low)
        return self._begin + share * (self._end - self._begin)

    def ticks(self) -> list[float]:
        if not self.logarithmic:
            return ticks(self._low, self._high)
        powers = range(math.floor(self._low), math.ceil(self._high) + 1)
        for factors in ((1, 2, 5), (1, 3), (1,)):
            found = [
                factor * 10.0**power
                for power in powers
                for factor in factors
                if self._low <= math.log10(factor * 10.0**power) <= self._high
            ]
            if len(found) <= 6:
                return found
        return found[:: math.ceil(len(found) / 5)]


class _Drawing:
    def __init__(self, points: Sequence[Point], cost: Cost, name: str) -> None:
        self._points, self._cost, self._name = _distinct(points), cost, name
        self._x = _Axis([point.cost for point in points], _LEFT, WIDTH - _RIGHT)
        ends = [end for point in points for end in (point.low, point.score, point.high) if end is not None]
        low, high = max(0.0, min(ends) - 3), min(100.0, max(ends) + 3)
        self._low, self._high = low, high if high > low else low + 1
        self._front = pareto_front(points, more_is_better=cost.more_is_better)

    def plot(self) -> Plot:
        labels, left_out = self._labels()
        title = f"Score against {self._cost.words}, {len(self._points)} runs"
        body = "".join([self._grid(), self._front_line(), *map(self._interval, self._points), labels])
        marks = "".join(map(self._mark, self._points))
        svg = (
            f'<svg role="img" class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" aria-labelledby="{self._name}-title">'
            f'<title id="{self._name}-title">{page_text(title)}</title>{body}{marks}</svg>'
        )
        front = tuple(self._corners([(point.cost, point.score) for point in self._on_front()]))
        return Plot(
            f"Score against {self._cost.words}", svg, left_out, self._cost, tuple(self._points), front
        )

    def _y(self, score: float) -> float:
        bottom = HEIGHT - _BOTTOM
        return bottom - (score - self._low) / (self._high - self._low) * (bottom - _TOP)

    def _grid(self) -> str:
        bottom = HEIGHT - _BOTTOM
        parts = []
        for value in ticks(self._low, self._high):
            y = self._y(value)
            parts.append(f'<path class="grid" d="M{_LEFT},{y:.1f}H{WIDTH - _RIGHT}"/>')
            parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>')
        last = -math.inf
        for value in self._x.ticks():
            x, text = self._x.at(value), short_number(value)
            half = text_width(text) / 2
            if x - half < last + 6 or x + half > WIDTH or x < _LEFT:
                continue
            last = x + half
            parts.append(f'<path class="grid" d="M{x:.1f},{_TOP}V{bottom}"/>')
            parts.append(f'<text x="{x:.1f}" y="{bottom + 17}" text-anchor="middle">{page_text(text)}</text>')
        better = "more is better" if self._cost.more_is_better else "less is better"
        middle = (_LEFT + WIDTH - _RIGHT) / 2
        parts.append(f'<path class="axis" d="M{_LEFT},{_TOP}V{bottom}H{WIDTH - _RIGHT}"/>')
        parts.append(
            f'<text class="name" x="{middle}" y="{HEIGHT - 8}" text-anchor="middle">'
            f"{page_text(self._cost.name)} ({better})</text>"
        )
        return "".join(parts)

    def _on_front(self) -> list[Point]:
        return sorted((self._points[i] for i in self._front), key=lambda point: point.cost)

    def _front_corners(self) -> list[tuple[float, float]]:
        """The corners of the front's steps, as places."""
        return self._corners([(self._x.at(point.cost), self._y(point.score)) for point in self._on_front()])

    def _corners(self, places: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
        corners = list(places[:1])
        for x, y in places[1:]:
            before = corners[-1]
            corners += [(before[0], y) if self._cost.more_is_better else (x, before[1]), (x, y)]
        return corners

    def _front_line(self) -> str:
        corners = self._front_corners()
        if len(corners) < 2:
            return ""
        path = "L".join(f"{x:.1f},{y:.1f}" for x, y in corners)
        return f'<path class="front" d="M{path}"/>'

    def _interval(self, point: Point) -> str:
        if point.low is None or point.high is None:
            return ""
        place = f"M{self._x.at(point.cost):.1f},{self._y(point.low):.1f}V{self._y(point.high):.1f}"
        return f'<path class="interval f{point.family}" d="{place}"/>'

    def _mark(self, point: Point) -> str:
        shape = _SHAPES[point.family] if point.fair else CROSS
        kind = "mark" if point.fair else "cross"
        words = f"{point.name}: {point.score:.1f}, {short_number(point.cost)} {self._cost.name}"
        place = f"translate({self._x.at(point.cost):.1f},{self._y(point.score):.1f})"
        return (
            f'<path class="{kind} f{point.family}" transform="{place}" d="{shape}">'
            f"<title>{page_text(words)}</title></path>"
        )

    def _labels(self) -> tuple[str, int]:
        places = [(self._x.at(point.cost), self._y(point.score)) for point in self._points]
        taken = [Box(x - 7, y - 7, x + 7, y + 7) for x, y in places]
        for point, (x, _) in zip(self._points, places, strict=True):
            if point.low is not None and point.high is not None:
                taken.append(Box(x - 3, self._y(point.high), x + 3, self._y(point.low)))
        corners = self._front_corners()
        for (x, y), (to_x, to_y) in itertools.pairwise(corners):
            taken.append(Box(min(x, to_x) - 1, min(y, to_y) - 1, max(x, to_x) + 1, max(y, to_y) + 1))
        room = Box(_LEFT + 2, 0, WIDTH, HEIGHT - _BOTTOM - 2)
        on_front = set(self._front)
        order = sorted(range(len(places)), key=lambda i: (i not in on_front, -self._points[i].score))
        found = place_labels([(self._points[i].label, *places[i]) for i in order], taken, room)
        text = ""
        for i, each in zip(order, found, strict=True):
            if each is not None and each.far:
                (x, y), (to_x, to_y) = places[i], each.nearest(*places[i])
                text += f'<path class="leader" d="M{x:.1f},{y:.1f}L{to_x:.1f},{to_y:.1f}"/>'
        text += "".join(
            f'<text class="label" x="{each.box.left:.1f}" y="{each.box.bottom - 4.5:.1f}">'
            f"{page_text(self._points[i].label)}</text>"
            for i, each in zip(order, found, strict=True)
            if each is not None
        )
        return text, found.count(None)


def _distinct(points: Sequence[Point]) -> list[Point]:
    """With the full name as label where a short one is ambiguous; a long one loses its middle."""
    short = [(point.family, point.label) for point in points]
    named = [
        point if short.count((point.family, point.label)) == 1 else point._replace(label=point.name)
        for point in points
    ]
    return [point._replace(label=_shortened(point.label)) for point in named]


def _shortened(text: str) -> str:
    if len(text) <= _LONGEST_LABEL:
        return text
    return f"{text[: _LONGEST_LABEL // 2 - 1]}…{text[-_LONGEST_LABEL // 2 :]}"
