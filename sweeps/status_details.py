"""All that is known of a sweep: the machine of each run, what it measured, each attempt, and everything as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from results.json_text import encode_indented
from results.records import Outcome
from results.store.attempts import STARTED, Attempts
from results.views.terminal import print_table, say
from sweeps.status_lines import Readers, clock, look, run_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from results.records import RunRecord
    from results.store.attempts import AttemptEntry
    from results.store.run_folder import RunFolder
    from results.store.sweep_folder import SweepFolder
    from sweeps.status_lines import Line, SweepState

RUNS = ("run", "machine", "GPU", "driver", "server", "passed", "of", "lost", "GPU GiB", "joules", "error")
ATTEMPTS = ("unit", "attempt", "state", "machine", "known as", "since", "why")
_GIB = 1 << 30


def print_details(folder: SweepFolder, *, warn: Callable[[str], None]) -> None:
    """Print tables of machines and measurements, and of attempts; below what `print_status` prints."""
    state = look(folder, warn, Readers())
    say()
    print_table(RUNS, [_measured(line) for line in state.lines], optional=("driver", "joules", "error"))
    attempts = attempts_of(state)
    if attempts:
        say()
        print_table(ATTEMPTS, attempts)


def print_run_details(run: RunFolder) -> None:
    """Print the machine of a single run and what it measured. Raises ResultsError."""
    say()
    print_table(RUNS, [_measured(run_line(run, Readers()))])


def attempts_of(state: SweepState) -> list[tuple[str, ...]]:
    """A row for each attempt that was started, in the order of their first start."""
    labels: dict[str, str] = {}
    for line in state.lines:
        if line.planned is not None:
            labels.setdefault(line.planned.group, line.cells[0])
    newest: dict[tuple[str, int], AttemptEntry] = {}
    handles: dict[tuple[str, int], str] = {}
    for entry in Attempts(state.folder.path).entries():
        key = (entry.unit_id, entry.number)
        newest[key] = entry
        handles[key] = entry.handle or handles.get(key, "")
    return [
        (
            labels.get(entry.unit_id, entry.unit_id),
            str(entry.number),
            _state(entry, state),
            entry.place,
            handles[key],
            clock(entry.at),
            entry.why,
        )
        for key, entry in newest.items()
    ]


def _state(entry: AttemptEntry, state: SweepState) -> str:
    if entry.what != STARTED:
        return entry.what
    return "running" if state.goes_on else "not followed"


def to_json(folder: SweepFolder, *, warn: Callable[[str], None]) -> str:
    """Everything as JSON: the sweep, a record for each planned run that has one, and the journal of its attempts."""
    import msgspec

    state = look(folder, warn, Readers())
    waits = Attempts(folder.path).waits()
    document = {
        "sweep": msgspec.to_builtins(state.sweep),
        "state": state.text,
        "coordinator": state.pid,
        "waits_for": waits.text if state.pid is not None and waits is not None else "",
        "runs": [
            {
                "label": line.cells[0],
                "status": line.status,
                "where": line.cells[-1],
                "done": line.progress.done,
                "total": line.progress.total,
                "record": msgspec.to_builtins(line.record) if line.record is not None else None,
            }
            for line in state.lines
        ],
        "attempts": [msgspec.to_builtins(entry) for entry in Attempts(folder.path).entries()],
    }
    return encode_indented(document, indent=2).decode()


def _measured(line: Line) -> tuple[str, ...]:
    record = line.record
    if record is None:
        return (line.cells[0], line.cells[-1], *[""] * (len(RUNS) - 2))
    score, telemetry = record.score, record.telemetry
    peak = telemetry.peak_memory_bytes if telemetry is not None else None
    energy = telemetry.energy_j if telemetry is not None else None
    return (
        line.cells[0],
        line.cells[-1] or str(record.host.get("hostname") or ""),
        _each(record, "name"),
        _each(record, "driver"),
        _server(record),
        "" if score is None or score.passed is None else str(score.passed),
        "" if score is None or score.completions is None else str(score.completions),
        "" if score is None else str(score.outcomes.get(Outcome.INFRASTRUCTURE_ERROR, 0)),
        "" if not peak else f"{peak / _GIB:.1f}",
        "" if energy is None else f"{energy:.0f}",
        record.error.message if record.error is not None else "",
    )


def _each(record: RunRecord, name: str) -> str:
    """Of the machine's cards, as far as they differ."""
    cards: Sequence[Any] = record.host.get("gpus") or ()
    return ", ".join(dict.fromkeys(str(card.get(name) or "?") for card in cards if isinstance(card, dict)))


def _server(record: RunRecord) -> str:
    """Its kind, and the build as it says it itself."""
    if record.server is None:
        return ""
    build = record.server.effective.get("build") or record.server.effective.get("version") or ""
    return f"{record.server.kind} {build}".strip()
