"""Collect the facts of a sweep's report from its runs' records, for any output format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from results.compare.leaderboard import make_tables, short
from results.records import RunStatus
from results.views.conclusion import conclusion
from results.views.leaderboard_text import judged_text
from results.views.run_text import shown_status
from results.views.sweep_text import race_text, reduction_text
from results.views.telemetry_lines import read_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from results.compare.leaderboard import Row, Table
    from results.records import RunRecord
    from results.store.sweep_folder import SweepFolder
    from results.views.telemetry_lines import RunLines

_SAYS_NOTHING = {"path", "port", "nonce", "options", "limit", "shuffle"}


@dataclass(frozen=True)
class Failure:
    """A planned run without a result. log_tail: the last lines of the log that explains why."""

    label: str
    status: str
    why: str
    hint: str
    log_tail: str


@dataclass(frozen=True)
class SweepReport:
    """conclusions: sentences for each table. shared: settings and facts that are the same for all runs. differing: the
    others, with the labels of the runs that have each value. notes: about single runs, by label.
    """

    sweep_id: str
    created: str
    planned: int
    tables: tuple[Table, ...]
    conclusions: tuple[tuple[str, ...], ...]
    failures: tuple[Failure, ...]
    waiting: tuple[str, ...]
    notes: tuple[tuple[str, str], ...]
    shared: tuple[tuple[str, str], ...]
    differing: tuple[tuple[str, tuple[tuple[str, tuple[str, ...]], ...]], ...]
    telemetry: dict[str, RunLines]

    @property
    def counts(self) -> str:
        done = sum(len(table.rows) for table in self.tables)
        parts = [f"{self.planned} planned runs", f"{done} succeeded"]
        parts += [f"{len(self.failures)} without a result"] if self.failures else []
        parts += [f"{len(self.waiting)} not started"] if self.waiting else []
        return ", ".join(parts)


def make_report(folder: SweepFolder, *, warn: Callable[[str], None]) -> SweepReport:
    """Collect the report. warn: called for runs that can't be read. Raises ResultsError."""
    sweep = folder.read()
    planned = folder.planned(warn=warn)
    runs = [*{found[1].run_id: found for _, found in planned if found is not None}.values()]
    done = [(run, record) for run, record in runs if record.status is RunStatus.SUCCEEDED]
    tables = make_tables(done, warn=warn)
    records = [record for _, record in done]
    shared, differing = _settings(records)
    rows = [row for table in tables for row in table.rows]
    lines = {label(row.record): read_lines(row.folder.telemetry, row.record.telemetry) for row in rows}
    return SweepReport(
        sweep_id=folder.sweep_id,
        created=sweep.created,
        planned=len(sweep.runs),
        tables=tuple(tables),
        conclusions=tuple(tuple(conclusion(table)) for table in tables),
        failures=tuple(
            _failure(record, run.effective_status(record))
            for run, record in runs
            if record.status is not RunStatus.SUCCEEDED
        ),
        waiting=tuple(run.label for run, found in planned if found is None),
        notes=tuple((label(row.record), note) for row in rows for note in _notes(row)),
        shared=shared,
        differing=differing,
        telemetry={name: each for name, each in lines.items() if each is not None},
    )


def label(record: RunRecord) -> str:
    return record.sweep.label if record.sweep is not None else record.run_id


def _failure(record: RunRecord, status: RunStatus) -> Failure:
    error = record.error
    if error is None:
        return Failure(label(record), shown_status(status), "", "", "")
    return Failure(label(record), shown_status(status), error.message, error.hint, error.log_tail)


def _notes(row: Row) -> list[str]:
    record = row.record
    telemetry, place, score = record.telemetry, record.sweep, record.score
    found = []
    if telemetry is not None:
        found += [f"speed not comparable: {why}" for why in telemetry.not_comparable]
        found += [f"energy unsure: {why}" for why in telemetry.energy_doubts]
    if place is not None:
        found += [f"reduced: {reduction_text(each)}" for each in place.reductions]
    if row.race_result is not None:
        found.append(f"race: {race_text(row.race_result)}")
    found += list(record.server.differences) if record.server is not None else []
    found += list(score.warnings) if score is not None else []
    found += [judged_text(row)] if row.lost else []
    if record.incidents:
        found.append(f"its server died or hung and was restarted {len(record.incidents)} times")
    return found


_Shared = tuple[tuple[str, str], ...]
_Differing = tuple[tuple[str, tuple[tuple[str, tuple[str, ...]], ...]], ...]


def _settings(records: Sequence[RunRecord]) -> tuple[_Shared, _Differing]:
    facts = {label(record): _facts(record) for record in records}
    names = dict.fromkeys(name for each in facts.values() for name in each)
    shared, differing = [], []
    for name in names:
        values: dict[str, list[str]] = {}
        for run, each in facts.items():
            values.setdefault(short(each.get(name)), []).append(run)
        if len(values) == 1:
            shared.append((name, next(iter(values))))
        else:
            differing.append((name, tuple((value, tuple(runs)) for value, runs in values.items())))
    return tuple(shared), tuple(differing)


def _facts(record: RunRecord) -> dict[str, Any]:
    """The run's settings and machine, without what the tables show."""
    options = record.config.get("options")
    own = options if isinstance(options, dict) else {}
    gpus = [gpu for gpu in record.host.get("gpus") or () if isinstance(gpu, dict)]
    facts: dict[str, Any] = {
        **{name: value for name, value in record.config.items() if name not in _SAYS_NOTHING},
        **own,
        **{
            f"effective: {name}": value
            for name, value in (record.server.effective if record.server is not None else {}).items()
        },
        "host": record.host.get("hostname"),
        "processor": record.host.get("processor"),
        "GPUs": [gpu.get("name") for gpu in gpus] or None,
        "driver": sorted({str(gpu.get("driver")) for gpu in gpus}) or None,
        "bench_runner": record.harness.get("version"),
        "commit": record.harness.get("commit"),
    }
    return {name: value for name, value in facts.items() if value is not None}
