"""Where the runs of a sweep are while an engine has them: on which machine, in which attempt, and how far.

Read from the sweep's folder alone, so that any terminal may ask, also after the coordinator is gone.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from engines.node.attempt_files import read_node
from engines.run_copies import read_bounded
from results.errors import BenchError, ResultsError
from results.records import decode_record
from results.store.attempts import STARTED, UNITS, Attempts, runs_in
from results.store.names import match_name
from results.store.sweep_folder import SWEEPS, SweepFolder, all_sweeps
from sweeps.engine_choice import engine_for

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from results.records import RunRecord
    from results.store.attempts import AttemptEntry
    from results.store.run_folder import RunFolder
    from results.store.sweep_folder import PlanEntry, Sweep
    from results.sweep_place import SweepPlace


class LiveRun(NamedTuple):
    """A run in the folder of an attempt that goes on."""

    folder: RunFolder
    record: RunRecord
    attempt: AttemptEntry
    place: str


@dataclass(frozen=True, kw_only=True)
class Whereabouts:
    """running: the attempts that were started and have no end, by unit. runs: those that have a record, by fingerprint
    and by label. lost: the attempts that were lost or refused, oldest first. ended: those that ended, by unit.
    """

    running: dict[str, AttemptEntry]
    runs: dict[str, LiveRun]
    lost: tuple[AttemptEntry, ...]
    ended: dict[str, list[AttemptEntry]]
    attempts: Attempts | None = None

    def run(self, planned: PlanEntry) -> LiveRun | None:
        """The run that stands for a planned one."""
        return self.runs.get(planned.fingerprint) or self.runs.get(planned.label)

    def place_of(self, planned: PlanEntry, record: RunRecord) -> str:
        """Where a run was made that is back: as its engine calls the machine, otherwise as that calls itself."""
        said = record.host.get("hostname")
        host = said if isinstance(said, str) else ""
        ended = self.ended.get(planned.group, [])
        places = {entry.place for entry in ended if entry.place}
        if len(places) > 1 and self.attempts is not None:  # it moved
            places = {entry.place for entry in ended if _said_host(self.attempts, entry) == host}
        return places.pop() if len(places) == 1 else host

    def attempt(self, planned: PlanEntry) -> AttemptEntry | None:
        """The attempt that has it, begun or not."""
        return self.running.get(planned.group)


NOWHERE = Whereabouts(running={}, runs={}, lost=(), ended={})


def whereabouts(folder: SweepFolder, warn: Callable[[str], None]) -> Whereabouts:
    """Of a sweep's runs. What can't be read is left out, with a warning."""
    attempts = Attempts(folder.path)
    entries = attempts.entries()
    if not entries:
        return NOWHERE
    running: dict[tuple[str, int], AttemptEntry] = {}
    ended: dict[str, list[AttemptEntry]] = {}
    lost = []
    for entry in entries:
        key = (entry.unit_id, entry.number)
        if entry.what == STARTED:
            running[key] = entry
        else:
            running.pop(key, None)
            ended.setdefault(entry.unit_id, []).append(entry)
            if entry.what in {"lost", "refused"}:
                lost.append(entry)
    runs: dict[str, LiveRun] = {}
    planned = folder.read().runs
    for entry in running.values():
        path = attempts.folder(entry.unit_id, entry.number)
        place = entry.place or _said_host(attempts, entry)
        for run in runs_in(path):
            try:
                record = decode_record(read_bounded(run.run_json), where=str(run.run_json))
            except (BenchError, OSError) as error:
                warn(
                    error.message if isinstance(error, BenchError) else f"cannot read {run.run_json}: {error}"
                )
                continue
            if record.sweep is not None and record.sweep.sweep_id == folder.sweep_id:
                live = LiveRun(run, record, entry, place)
                for each in _stands_for(record.sweep, planned, entry.unit_id):
                    runs[each.fingerprint or each.label] = runs[each.label] = live
    return Whereabouts(
        running={entry.unit_id: entry for entry in running.values()},
        runs=runs,
        lost=tuple(lost),
        ended=ended,
        attempts=attempts,
    )


def _stands_for(run: SweepPlace, planned: Sequence[PlanEntry], unit_id: str) -> list[PlanEntry]:
    """The planned runs of that unit that the run is one of: a machine may have written anything into its record."""
    return [
        each
        for each in planned
        if each.group == unit_id
        and (each.fingerprint == run.fingerprint or (not each.fingerprint and each.label == run.label))
    ]


def _said_host(attempts: Attempts, entry: AttemptEntry) -> str:
    """The machine's own name, once it has said it."""
    node = read_node(attempts.folder(entry.unit_id, entry.number))
    said = node.host.get("hostname") if node is not None else None
    return said if isinstance(said, str) else ""


_OF_SWEEP = 3  # of a run in an attempt: SWEEP/units/UNIT/NUMBER/RUN


class RunAway(NamedTuple):
    """A run that is on a machine now, and its sweep."""

    sweep: SweepFolder
    run: RunFolder


def find_away(results_dir: Path, name: str) -> RunAway:
    """The run on a machine that `name` names, as `match_name` says. Raises UsageError, ResultsError."""
    found = {
        run.run_id: RunAway(sweep, run)
        for sweep in all_sweeps(results_dir)
        for run in Attempts(sweep.path).live_runs()
    }
    return found[match_name(name, found, functools.cache(lambda run_id: found[run_id].run.facts()))]


def away(run: RunFolder) -> RunAway | None:
    """The newest copy of an unfinished run that an engine has brought to a machine; None if there is none."""
    parents = run.path.absolute().parents
    if len(parents) > _OF_SWEEP and parents[_OF_SWEEP - 1].name == UNITS:  # it is that copy
        sweep = SweepFolder(parents[_OF_SWEEP])
        if any(each.path == run.path for each in Attempts(sweep.path).live_runs()):
            return RunAway(sweep, run)
    try:
        place = run.read_record().sweep
    except ResultsError:
        return None
    if place is None:
        return None
    sweep = SweepFolder(run.path.parent / SWEEPS / place.sweep_id)
    copies = (each for each in Attempts(sweep.path).live_runs() if each.run_id == run.run_id)
    return next((RunAway(sweep, each) for each in copies), None)


def goes_on_alone(sweep: Sweep) -> bool:
    """Whether the engine's work goes on while no process coordinates it."""
    from runner.display import Lines

    try:
        engine = engine_for(sweep, Lines())
    except BenchError:
        return False
    return engine is not None and engine.capabilities.outlives_coordinator
