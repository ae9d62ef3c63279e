"""The preflight report: a table, or JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from results.json_text import encode_indented
from results.views.terminal import print_table, say, size_text
from sweeps.preflight.engine import engine_json, print_engine_findings, print_units

if TYPE_CHECKING:
    from sweeps.preflight.checks import Need, Preflight
    from sweeps.preflight.engine import EngineCheck

HEADER = ("run", "what", "server", "GPU", "cards", "memory", "fits", "time")
_GIB = 1 << 30
_STYLES: dict[str, dict[str, Any]] = {
    "error": {"fg": "red", "bold": True},
    "warning": {"fg": "yellow"},
    "total": {"bold": True},
}


def print_preflight(report: Preflight, *, as_json: bool = False, engine: EngineCheck | None = None) -> None:
    """Print the report on stdout. engine: what it would do with the plan."""
    if as_json:
        click.echo(to_json(report, engine), nl=False)
        return
    lines = _lines(report)
    styles = [{"no": "red"}.get(line[HEADER.index("fits")]) for line in lines]
    print_table(HEADER, lines, numbers=set(HEADER) - {"what", "fits"}, styles=styles)
    for level, text in remarks(report):
        say(text, **_STYLES.get(level, {}))
    if engine is not None:
        print_units(engine)


def print_findings(found: Preflight, engine: EngineCheck | None = None) -> None:
    """Print notes, warnings and errors on stderr, for a sweep that starts. Raises UsageError if the engine can't."""
    for note in found.notes:
        say(f"note: {note}", err=True)
    labels = {need.index: f"{need.label}: " for need in found.needs}
    for finding in found.findings:
        label = "" if finding.index is None else labels[finding.index]
        say(f"{finding.level}: {label}{finding.text}", err=True)
    if engine is not None:
        engine.require_ok()
        print_engine_findings(engine.findings, err=True)


def to_json(report: Preflight, engine: EngineCheck | None = None) -> str:
    """The whole report as JSON."""
    import msgspec

    ok = report.ok and (engine is None or engine.ok)
    more = {"engine": engine_json(engine)} if engine is not None else {}
    return encode_indented({"ok": ok, **msgspec.to_builtins(report), **more}, indent=2).decode()


def remarks(report: Preflight) -> list[tuple[str, str]]:
    """The lines below the table, each with its level: error, warning, note or total."""
    found: list[tuple[str, str]] = []
    concerned: dict[tuple[str, str], list[int]] = {}
    for finding in report.findings:
        runs = concerned.setdefault((finding.level, finding.text), [])
        runs += [] if finding.index is None else [finding.index + 1]
    for (level, text), runs in concerned.items():
        where = f"run{'s' * (len(runs) > 1)} {', '.join(map(str, runs))}: " if runs else ""
        found.append((level, f"{level}: {where}{text}"))
    found += [
        ("note", f"note: {need.model}: {caveat}")
        for need in report.needs
        for caveat in (need.memory.caveats if need.memory else ())
    ]
    found += [("note", f"note: {note}") for note in report.notes]
    found += [
        ("note", f"note: run {need.index + 1} is reused: {need.reused} (--fresh runs it anew)")
        for need in report.needs
        if need.reused
    ]
    found.append(("total", f"total: {_total(report)}"))
    return list(dict.fromkeys(found))


def duration(seconds: float) -> str:
    """A duration as text, such as 45 s, 12 min, 3 h 05 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02} min"


def _total(report: Preflight) -> str:
    to_do = [need for need in report.needs if not need.done]
    reused = sum(bool(need.reused) for need in report.needs)
    done = len(report.needs) - len(to_do) - reused
    more = (f", {done} already done" if done else "") + (f", {reused} finished earlier" if reused else "")
    parts = [f"{len(to_do)} runs on {report.servers} servers{more}"]
    if report.expected_s is not None:
        more = f" and {report.unknown} runs of unknown length" if report.unknown else ""
        parts.append(f"about {duration(report.expected_s)}{more}, one after another")
    elif to_do:
        parts.append("time unknown, because nothing similar has run undisturbed before")
    parts.append(
        f"up to {size_text(report.disk_bytes)} of results, {report.machine.disk_free_bytes / _GIB:.0f} GiB free"
    )
    return "; ".join(parts)


def _lines(report: Preflight) -> list[tuple[str, ...]]:
    servers = {
        group: str(number)
        for number, group in enumerate(dict.fromkeys(need.group for need in report.needs), 1)
    }
    return [_line(need, servers[need.group]) for need in report.needs]


def _line(need: Need, server: str) -> tuple[str, ...]:
    if need.done:
        time = "reused" if need.reused else "done"
    else:
        time = duration(need.expected_s) if need.expected_s is not None else "?"
    return (
        str(need.index + 1),
        need.label,
        server,
        _size(need.gpu_bytes),
        "?" if need.cards is None else str(need.cards),
        _size(need.host_bytes),
        {"unknown": "?"}.get(need.fits, need.fits),
        time,
    )


def _size(size_bytes: int | None) -> str:
    if size_bytes is None:
        return "?"
    return f"{size_bytes / _GIB:.1f} GiB" if size_bytes else "-"
