"""Draw a run's `telemetry.jsonl` as a picture and as a self-contained page."""

from __future__ import annotations

import html
import io
import itertools
import math
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import msgspec

from results.durable import explained, replace_file
from results.errors import UsageError
from results.plain_text import plain
from results.views.token_rate import TokenRate
from telemetry.summary import read_ticks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from results.telemetry import TelemetrySummary
    from telemetry.contract import Tick

MOST_POINTS = 2000  # per line, as many as a wide screen can show; each place keeps its lowest and its highest
GIB = 2**30
_Points: TypeAlias = "list[tuple[float, float | None]]"
_BANDS = {"baseline": "#eeeeee", "load": "#fdf0d5", "generate": "#e3f1e3", "stop": "#f6e3e3"}
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>body {{ margin: 1.5rem; font-family: sans-serif; background: #fff; color: #222 }}
svg {{ width: 100%; max-width: 75rem; height: auto }}</style></head>
<body><h1>{title}</h1>
{svg}</body></html>
"""


class Line(NamedTuple):
    """Seconds and values; a NaN breaks the line."""

    label: str
    times_s: list[float]
    values: list[float]


class Panel(NamedTuple):
    unit: str
    lines: list[Line]


def device_names(measured: TelemetrySummary | None) -> dict[str, str]:
    """What the devices of a run are called in its plots, by uuid."""
    devices = measured.devices if measured is not None else ()
    return {
        str(uuid): f"{device.get('index')}: {device.get('name') or uuid}"
        for device in devices
        if (uuid := device.get("uuid"))
    }


def plot(folder: Path, names: Mapping[str, str] | None = None) -> tuple[Path, Path]:
    """Write `telemetry.png` and `telemetry.html` beside the run's `telemetry.jsonl`; return their paths.

    names: the devices' names by uuid. The page has the same picture as SVG and needs no network. Raises
    UsageError when there is nothing to draw, and ResultsError when the files can't be written.
    """
    path = folder / "telemetry.jsonl"
    with explained("read", path):
        ticks = continued(read_ticks(path))
    if not ticks:
        raise UsageError(
            f"nothing was measured in {folder}", hint="see `show` without --plot for what happened to the run"
        )
    shown = {reading.uuid: _short(reading.uuid) for tick in ticks for reading in tick.devices}
    picture, drawing = _draw(ticks, panels(ticks), {**shown, **(names or {})})
    page = _PAGE.format(title=html.escape(f"Telemetry of {folder.name}"), svg=drawing)
    paths = folder / "telemetry.png", folder / "telemetry.html"
    for path, data in zip(paths, (picture, page.encode()), strict=True):
        with explained("write", path):
            replace_file(path, data)
    return paths


def continued(ticks: Sequence[Tick]) -> list[Tick]:
    """A resumed run starts again at 0 s; draw its parts one after the other."""
    made: list[Tick] = []
    before_s = 0.0
    for tick in ticks:
        if made and before_s + tick.time_s < made[-1].time_s:
            before_s = made[-1].time_s
        made.append(msgspec.structs.replace(tick, time_s=before_s + tick.time_s) if before_s else tick)
    return made


def panels(ticks: Sequence[Tick]) -> list[Panel]:
    """The panels to draw; there are none for what was never measured."""
    cpu_s = _told(ticks, "processes", "cpu_s")
    running, waiting = _told(ticks, "server", "requests_running"), _told(ticks, "server", "requests_waiting")
    host = [(tick.time_s, tick.host_cpu_utilization) for tick in ticks]
    made = [
        Panel("power, W", _by_device(ticks, "power_w")),
        Panel("GPU memory, GiB", _by_device(ticks, "memory_used_bytes", GIB)),
        Panel("utilisation, %", [*_by_device(ticks, "utilization", 0.01), _line("host's CPUs", host, 0.01)]),
        Panel("temperature, °C", _by_device(ticks, "temperature_c")),
        Panel("server's CPU, cores", [_line("processes", _rates(cpu_s))]),
        Panel("server's memory, GiB", [_line("processes", _told(ticks, "processes", "memory_bytes"), GIB)]),
        Panel("tokens/s", _token_lines(ticks)),
        Panel("requests", [_line("running", running), _line("waiting", waiting)]),
    ]
    drawn = [
        Panel(unit, [line for line in lines if not all(map(math.isnan, line.values))]) for unit, lines in made
    ]
    return [panel for panel in drawn if panel.lines]


def thinned(line: Line, most: int = MOST_POINTS) -> Line:
    """At most that many points: the lowest and the highest of each stretch, so that no peak is lost."""
    if len(line.values) <= most:
        return line
    stretch = math.ceil(len(line.values) / (most // 2))
    kept: list[int] = []
    for begin in range(0, len(line.values), stretch):
        here = range(begin, min(begin + stretch, len(line.values)))
        numbers = [index for index in here if not math.isnan(line.values[index])] or [begin]
        kept += sorted({min(numbers, key=line.values.__getitem__), max(numbers, key=line.values.__getitem__)})
    return Line(line.label, [line.times_s[index] for index in kept], [line.values[index] for index in kept])


def phases(ticks: Sequence[Tick]) -> list[tuple[str, float, float]]:
    """Name, begin and end, in order; each lasts until the next begins."""
    begins = [(name, next(group).time_s) for name, group in itertools.groupby(ticks, lambda tick: tick.phase)]
    ends = [begin for _, begin in begins[1:]] + [ticks[-1].time_s]
    return [(name, begin, end) for (name, begin), end in zip(begins, ends, strict=True)]


def _by_device(ticks: Sequence[Tick], name: str, unit: float = 1) -> list[Line]:
    lines: dict[str, _Points] = {}
    for tick in ticks:
        for reading in tick.devices:
            told = math.nan if reading.error else getattr(reading, name)
            lines.setdefault(reading.uuid, []).append((tick.time_s, told))
    return [_line(uuid, points, unit) for uuid, points in lines.items()]


def _told(ticks: Sequence[Tick], source: str, name: str) -> _Points:
    return [(tick.time_s, getattr(told, name)) for tick in ticks if (told := getattr(tick, source))]


def _line(label: str, points: _Points, unit: float = 1) -> Line:
    """Skip None: the line continues to the next value, because a slow device answers a tick later."""
    known = [(time_s, value / unit) for time_s, value in points if value is not None]
    return Line(label, [time_s for time_s, _ in known], [value for _, value in known])


def _rates(points: _Points) -> _Points:
    known = [(time_s, value) for time_s, value in points if value is not None]
    pairs = [(was, now) for was, now in itertools.pairwise(known) if now[0] > was[0]]
    return [(now_s, max(0.0, now - was) / (now_s - was_s)) for (was_s, was), (now_s, now) in pairs]


def _token_lines(ticks: Sequence[Tick]) -> list[Line]:
    prompt, generation = TokenRate(), TokenRate()
    prompts: _Points = []
    answers: _Points = []
    for tick in ticks:
        told = tick.server
        if told is None:
            continue
        # Prompts are read one after another, so their seconds are those of the clock.
        prompts.append((tick.time_s, prompt.after(tick.time_s, told.prompt_tokens, told.prompt_s, 1)))
        spent_s = None if told.generation_s is None else told.generation_s + (told.prompt_s or 0)
        rate = generation.after(tick.time_s, told.generation_tokens, spent_s, told.requests_running)
        answers.append((tick.time_s, rate))
    return [_line("prompt", prompts), _line("generation", answers)]


def _short(uuid: str) -> str:
    return uuid if len(uuid) <= 16 else f"{uuid[:12]}…"


def _draw(ticks: Sequence[Tick], made: Sequence[Panel], names: Mapping[str, str]) -> tuple[bytes, str]:
    """As PNG and as SVG."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    names = {uuid: plain(name) for uuid, name in names.items()}
    lost: dict[str, tuple[float, str]] = {}
    for tick in ticks:
        lost = {**{told.uuid: (tick.time_s, told.error) for told in tick.devices if told.error}, **lost}
    # A driver's words may hold a $, which would begin a formula.
    with mpl.rc_context(
        {"svg.fonttype": "none", "svg.hashsalt": "telemetry", "font.size": 9, "text.parse_math": False}
    ):
        made = made or [Panel("nothing was measured", [])]
        figure = Figure(figsize=(11, 0.8 + 1.7 * len(made)), layout="constrained")
        axes = figure.subplots(len(made), sharex=True, squeeze=False)[:, 0]
        colours: dict[str, int] = {}  # a device has one colour everywhere
        bands = {}
        for axis, panel in zip(axes, made, strict=True):
            axis.set_ylabel(panel.unit)
            for label, times_s, values in map(thinned, panel.lines):
                colour = f"C{colours.setdefault(label, len(colours))}"
                axis.plot(times_s, values, label=names.get(label, label), color=colour, linewidth=1)
            if panel.lines:
                axis.set_ylim(bottom=0)
                axis.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
            for name, begin, end in phases(ticks):
                bands[plain(name)] = axis.axvspan(begin, end, color=_BANDS.get(name, "#e8eaf6"), zorder=0)
            for time_s, _ in lost.values():
                axis.axvline(time_s, color="red", linestyle="--", linewidth=1)
        figure.legend(bands.values(), bands.keys(), loc="outside upper left", ncols=len(bands), frameon=False)
        told = "".join(
            f"\n{names[uuid]} at {time_s:.1f} s: {plain(error)}" for uuid, (time_s, error) in lost.items()
        )
        axes[-1].set_xlabel(f"seconds{told}")
        picture, drawing = io.BytesIO(), io.StringIO()
        figure.savefig(picture, format="png", dpi=120)
        figure.savefig(drawing, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    svg = drawing.getvalue()
    return picture.getvalue(), svg[svg.index("<svg") :]
