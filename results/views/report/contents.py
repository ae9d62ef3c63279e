"""Collect the facts of a report from the records of a sweep's runs, or of any runs, for any output format."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from results.compare.leaderboard import make_tables
from results.records import RunStatus
from results.stats.machines import energy_doubts, speed_doubts
from results.store.choices import choice_about
from results.store.reading.run_figures import short
from results.views.choice_text import choice_card
from results.views.conclusion import conclusion
from results.views.energy_cost import why_unknown
from results.views.leaderboard_text import judged_text
from results.views.report.by_difficulty import difficulty_tables
from results.views.report.context import context_tables
from results.views.report.problems import MOST_BYTES, problems_of
from results.views.report.searches import found_prompts
from results.views.report.titles import facts, report_title, row_names
from results.views.report.verdict import verdict
from results.views.run_text import shown_status
from results.views.sweep_text import race_text, reduction_text
from results.views.telemetry_lines import read_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from results.compare.leaderboard import Row, Table
    from results.records import RunRecord
    from results.store.run_folder import RunFolder
    from results.store.run_store import RunStore
    from results.store.sweep_folder import SweepFolder
    from results.views.choice_text import ChoiceCard
    from results.views.report.context import PlainTable
    from results.views.report.problems import Problems
    from results.views.report.searches import FoundPrompt
    from results.views.report.verdict import Verdict
    from results.views.telemetry_lines import RunLines

_SAYS_NOTHING = {"path", "port", "nonce", "options", "limit", "shuffle", "family_style"}


@dataclass(frozen=True)
class Failure:
    """A planned run without a result. log_tail: the last lines of the log that explains why."""

    label: str
    status: str
    why: str
    hint: str
    log_tail: str


@dataclass(frozen=True)
class Report:
    """title: what it is about. facts: the machine and builds, by name. sweep_id: empty for runs that were chosen one by
    one. names: a short name of each run with a result, unique in the report, by its id; table_names: in its table.
    verdicts, conclusions, problems, contexts, difficulties: of each table. shared: settings and facts that are the same
    for all runs. differing: the others, with the names of the runs that have each value. notes: about single runs, by
    name. telemetry: by name. left_out: how many runs were left out, by reason. choice: what `recommend` made of these
    runs. searches: of better prompts; they stand in no table.
    """

    title: str
    facts: tuple[tuple[str, str], ...]
    sweep_id: str
    planned: int
    tables: tuple[Table, ...]
    names: dict[str, str]
    table_names: tuple[dict[str, str], ...]
    verdicts: tuple[Verdict, ...]
    conclusions: tuple[tuple[str, ...], ...]
    problems: tuple[Problems, ...]
    contexts: tuple[tuple[PlainTable, ...], ...]
    difficulties: tuple[tuple[PlainTable, ...], ...]
    failures: tuple[Failure, ...]
    waiting: tuple[str, ...]
    notes: tuple[tuple[str, str], ...]
    shared: tuple[tuple[str, str], ...]
    differing: tuple[tuple[str, tuple[tuple[str, tuple[str, ...]], ...]], ...]
    telemetry: dict[str, RunLines]
    left_out: dict[str, int] = field(default_factory=dict)
    choice: ChoiceCard | None = None
    searches: tuple[FoundPrompt, ...] = ()

    @property
    def counts(self) -> str:
        """How many of the runs have a result, in words."""
        done = sum(len(table.rows) for table in self.tables) + len(self.searches)
        parts = [f"{self.planned} planned run{'s' * (self.planned != 1)}"] if self.sweep_id else []
        parts += [f"{done} succeeded" if self.sweep_id else f"{done} run{'s' * (done != 1)}"]
        parts += [f"{len(self.failures)} without a result"] if self.failures else []
        parts += [f"{len(self.waiting)} not started"] if self.waiting else []
        return ", ".join(parts)

    @property
    def left_out_text(self) -> str:
        """How many runs were left out, in words."""
        words = {
            "started": "running",
            "older": "older of the same configuration (see --all)",
            "shard": "shards of other runs",
            "search": "made by a search for a better prompt (see list)",
        }
        return ", ".join(f"{count} {words.get(why, why)}" for why, count in self.left_out.items())


def sweep_report(
    folder: SweepFolder,
    *,
    warn: Callable[[str], None],
    price_per_kwh: float | None = None,
    store: RunStore | None = None,
) -> Report:
    """The report of a sweep. warn: called for runs that can't be read. price_per_kwh: see `Row`.

    Raises ResultsError.
    """
    sweep = folder.read()
    planned = folder.planned(warn=warn)
    runs = [*{found[1].run_id: found for _, found in planned if found is not None}.values()]
    report = runs_report(runs, warn=warn, price_per_kwh=price_per_kwh, store=store)
    deleted = [run for run, found in planned if found is None and folder.is_deleted(run)]
    return replace(
        report,
        sweep_id=folder.sweep_id,
        planned=len(sweep.runs),
        failures=(*report.failures, *(_deleted(folder, run.label) for run in deleted)),
        waiting=tuple(run.label for run, found in planned if found is None and run not in deleted),
    )


def runs_report(
    runs: Sequence[tuple[RunFolder, RunRecord]],
    *,
    warn: Callable[[str], None],
    left_out: dict[str, int] | None = None,
    price_per_kwh: float | None = None,
    store: RunStore | None = None,
) -> Report:
    """The report of these runs. warn, price_per_kwh, left_out: as in `sweep_report` and `Report`.

    Raises ResultsError.
    """
    ended = [(run, record) for run, record in runs if record.status is RunStatus.SUCCEEDED]
    done = [(run, record) for run, record in ended if not record.is_search]
    tables = make_tables(done, warn=warn, price_per_kwh=price_per_kwh, store=store)
    table_names = tuple(row_names(table) for table in tables)
    names = _names(tables, table_names)
    searches = found_prompts([run for run in ended if run[1].is_search])
    names |= {each.run_id: each.name for each in searches}
    shared, differing = _settings([record for _, record in ended if record.run_id in names], names)
    rows = [row for table in tables for row in table.rows]
    lines = {names[row.record.run_id]: read_lines(row.folder.telemetry, row.record.telemetry) for row in rows}
    return Report(
        title=report_title([record for _, record in ended or runs]),
        facts=facts([record for _, record in ended]),
        sweep_id="",
        planned=len(runs),
        tables=tuple(tables),
        names=names,
        table_names=table_names,
        verdicts=tuple(verdict(table, each) for table, each in zip(tables, table_names, strict=True)),
        conclusions=tuple(
            tuple(conclusion(_called(table, each))) for table, each in zip(tables, table_names, strict=True)
        ),
        problems=tuple(
            problems_of(
                table, each, prefix=f"p{number}", most_bytes=MOST_BYTES // len(tables), warn=lambda _: None
            )
            for number, (table, each) in enumerate(zip(tables, table_names, strict=True))
        ),
        contexts=tuple(context_tables(table, each) for table, each in zip(tables, table_names, strict=True)),
        difficulties=tuple(
            difficulty_tables(table, each) for table, each in zip(tables, table_names, strict=True)
        ),
        failures=tuple(
            _failure(record, run.effective_status(record))
            for run, record in runs
            if record.status is not RunStatus.SUCCEEDED
        ),
        waiting=(),
        notes=tuple((names[row.record.run_id], note) for row in rows for note in _notes(row)),
        shared=shared,
        differing=differing,
        telemetry={name: each for name, each in lines.items() if each is not None},
        left_out=left_out or {},
        choice=_choice(runs),
        searches=searches,
    )


def _choice(runs: Sequence[tuple[RunFolder, RunRecord]]) -> ChoiceCard | None:
    if not runs:
        return None
    found = choice_about(runs[0][0].path.parent, {record.run_id for _, record in runs})
    return choice_card(found) if found is not None else None


def _called(table: Table, names: dict[str, str]) -> Table:
    return replace(table, rows=tuple(replace(row, called=names[row.record.run_id]) for row in table.rows))


def _names(tables: Sequence[Table], table_names: Sequence[dict[str, str]]) -> dict[str, str]:
    found = {}
    for table, names in zip(tables, table_names, strict=True):
        for run_id, name in names.items():
            found[run_id] = f"{name}, {table.title}" if len(tables) > 1 else name
    return found


def label(record: RunRecord) -> str:
    """What names a run that has no result."""
    return record.sweep.label if record.sweep is not None else f"{record.model} {record.benchmark}"


def _deleted(folder: SweepFolder, label: str) -> Failure:
    hint = f"to run it again: sweep --resume {folder.sweep_id}"
    return Failure(label, "deleted", "its run was deleted", hint, "")


def _failure(record: RunRecord, status: RunStatus) -> Failure:
    error = record.error
    if error is None:
        return Failure(label(record), shown_status(status), "", "", "")
    return Failure(label(record), shown_status(status), error.message, error.hint, error.log_tail)


def _notes(row: Row) -> list[str]:
    record = row.record
    place, score = record.sweep, record.score
    found = []
    found += [f"speed not comparable: {why}" for why in speed_doubts(record)]
    found += [f"energy unsure: {why}" for why in energy_doubts(record)]
    if row.price_per_kwh is not None and row.cost_per_1000_solved is None:
        found.append(f"no cost: {why_unknown(record)}")
    if place is not None:
        found += [f"reduced: {reduction_text(each)}" for each in place.reductions]
    if row.race_result is not None:
        found.append(f"race: {race_text(row.race_result)}")
    found += list(record.server.differences) if record.server is not None else []
    found += list(score.warnings) if score is not None else []
    found += [f"composite: {each}" for each in (record.composite.warnings if record.composite else ())]
    found += [judged_text(row)] if row.lost else []
    if record.incidents:
        found.append(f"its server died or hung and was restarted {len(record.incidents)} times")
    return found


_Shared = tuple[tuple[str, str], ...]
_Differing = tuple[tuple[str, tuple[tuple[str, tuple[str, ...]], ...]], ...]


def _settings(records: Sequence[RunRecord], names: dict[str, str]) -> tuple[_Shared, _Differing]:
    each_facts = {names[record.run_id]: _facts(record) for record in records}
    known = dict.fromkeys(name for each in each_facts.values() for name in each)
    shared, differing = [], []
    for name in known:
        values: dict[str, list[str]] = {}
        for run, each in each_facts.items():
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
