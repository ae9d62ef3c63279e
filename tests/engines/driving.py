"""Drive an engine without the sweep's command: real units of a planned sweep, real attempts in a results folder.

    sweep = driven_sweep(tmp_path, models=2, limit=3)
    ends = sweep.drive(engine)
    sweep.scores()          # by label, as of `tests.sweep_runs.scores`

What is lost comes back as another attempt, which goes on with what came back; what is refused with `elsewhere` too.
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
import sys
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from engines.contract import Attempt, EndKind
from engines.lane import going_on, is_done
from engines.node.attempt_files import UNIT
from engines.unit import Unit, needs_of, write_unit
from results.durable import replace_file
from results.store.attempts import STARTED, AttemptEntry, Attempts, runs_in
from results.store.runs import Runs, end_record
from sweeps.manifest.reader import parse_manifest
from sweeps.plan import plan_runs
from sweeps.sweep import begin
from tests.command_line import PROGRAMS, lines
from tests.sweep_runs import models as model_files
from tests.sweep_runs import scores

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from engines.contract import Engine, UnitEnd
    from engines.planned_run import PlannedRun
    from engines.server_group import ToDo
    from engines.unit import Needs
    from results.store.sweep_folder import SweepFolder


ANSWERED = "answered.log"


class Said:
    """A display that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)

    def progress(self, event) -> None:
        pass

    def close(self) -> None:
        pass


@dataclass
class DrivenUnits:
    """`engines.contract.Units` over a fixed plan. again: which runs of a unit are left, with what they go on."""

    waiting: list[Unit]
    taken: dict[str, Unit] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)
    leaves: bool = False

    def take(self, fits: Callable[[Needs], bool] | None = None) -> Unit | None:
        with self.lock:
            for unit in self.waiting:
                if fits is None or fits(unit.needs):
                    self.waiting.remove(unit)
                    self.taken[unit.unit_id] = unit
                    return unit
        return None

    @property
    def is_done(self) -> bool:
        with self.lock:
            return not self.waiting and not self.taken


@dataclass
class DrivenStore:
    """`engines.contract.Store` over a sweep's folder."""

    folder: SweepFolder
    said: Said

    @property
    def attempts(self) -> Attempts:
        return Attempts(self.folder.path)

    @property
    def runs(self) -> Runs:
        return Runs(self.folder.results_dir, self.said.say)

    def partial(self, unit: Unit) -> Attempt:
        number, path = self.attempts.create(unit.unit_id)
        for each in unit.todo:
            if each.resume:
                shutil.copytree(self.folder.results_dir / each.resume, path / each.resume)
        replace_file(path / UNIT, write_unit(unit.document({})))
        return Attempt(unit=unit, number=number, folder=path)

    def started(self, attempt: Attempt, *, handle: str, place: str = "") -> Attempt:
        self.note(attempt, STARTED, handle=handle, place=place)
        return Attempt(
            unit=attempt.unit, number=attempt.number, folder=attempt.folder, handle=handle, place=place
        )

    def running(self) -> Sequence[Attempt]:
        return []

    def adopt(self, end: UnitEnd) -> None:
        self.note(end.attempt, end.kind, place=end.place, why=end.why)
        for found in runs_in(end.attempt.folder):
            there = self.folder.results_dir / found.run_id
            shutil.rmtree(there, ignore_errors=True)
            found.path.rename(there)
            entry = self.runs.entry(type(found)(there))
            entry.begin(entry.folder.read_record())
            end_record(entry.folder)
            entry.log.append_from(entry.folder, replace=True)
            entry.forget_note()

    def note(self, attempt: Attempt, what: str, **facts: str) -> None:
        self.attempts.note(
            AttemptEntry(
                unit_id=attempt.unit.unit_id,
                number=attempt.number,
                what=what,
                at=dt.datetime.now(dt.UTC).isoformat(),
                **facts,
            )
        )


@dataclass
class DrivenSweep:
    """One sweep. answered: gets a line a generated answer, from whichever machine. most: attempts at a unit."""

    folder: SweepFolder
    planned: tuple[PlannedRun, ...]
    answered: Path
    said: Said = field(default_factory=Said)
    most: int = 20
    units: DrivenUnits = field(init=False)
    store: DrivenStore = field(init=False)

    def __post_init__(self) -> None:
        self.store = DrivenStore(self.folder, self.said)
        self.units = DrivenUnits(self.left())

    @property
    def results(self) -> Path:
        return self.folder.results_dir

    def left(self) -> list[Unit]:
        """The units with something left to do, as the results folder says."""
        known = self.folder.runs(warn=self.said.say)
        groups: dict[str, list[ToDo]] = {}
        for planned in self.planned:
            found = known.get(planned.fingerprint)
            if not is_done(found, retry_requested=False):
                groups.setdefault(planned.group, []).append(going_on(planned, planned.spec, found))
        sweep = self.folder.read()
        return [
            Unit(
                unit_id=group,
                sweep_id=self.folder.sweep_id,
                nonce=sweep.nonce,
                may_reduce=sweep.may_reduce,
                total=len(self.planned),
                todo=tuple(todo),
            )
            for group, todo in groups.items()
        ]

    def drive(
        self,
        engine: Engine,
        *,
        on_end: Callable[[UnitEnd], None] | None = None,
        before: Callable[[UnitEnd], None] | None = None,
    ) -> list[UnitEnd]:
        """Do it all. Returns each attempt's end. before, on_end: called before its runs are taken over, and after."""
        ends = []
        for end in engine.run(self.units, self.store):
            ends.append(end)
            if before is not None:
                before(end)
            self.store.adopt(end)
            if on_end is not None:
                on_end(end)
            with self.units.lock:
                unit = self.units.taken.pop(end.attempt.unit.unit_id)
                again = end.kind is EndKind.LOST or (end.kind is EndKind.REFUSED and end.elsewhere)
                if again and end.attempt.number < self.most:
                    self.units.waiting += [each for each in self.left() if each.unit_id == unit.unit_id]
        return ends

    def scores(self):
        return scores(self.results)

    def generated(self) -> list[str]:
        """What the servers were asked, in order: model's path and task, once for each answer."""
        return self.answered.read_text().splitlines() if self.answered.exists() else []

    def here(self, attempt: Path) -> int:
        """How many whole completions of an attempt have come."""
        return sum(len(lines(run.completions)) for run in runs_in(attempt) if run.completions.exists())


def driven_manifest(
    folder: Path,
    *,
    models: int = 1,
    limit: int = 3,
    delay_s: float = 0.0,
    at_once: int = 1,
    models_dir: Path | None = None,
    **settings: object,
) -> dict[str, Any]:
    """A manifest over models that are none, answered by canonical_server.py: a unit a model. settings: its defaults."""
    files = model_files(models_dir or folder / "models", *(f"m{number}" for number in range(models)))
    words = [sys.executable, str(PROGRAMS / "canonical_server.py"), "--port", "{port}", "--wrong", "0.4"]
    words += ["--salt", "{model}", "--answered", str(folder / ANSWERED), "--delay", str(delay_s)]
    defaults = {
        "server_command": " ".join(words),
        "limit": limit,
        "parallel": at_once,
        "prompt_style": "chat",
        **settings,
    }
    return {
        "defaults": defaults,
        "matrix": {"model": [str(path) for path in files], "benchmark": ["human_eval"]},
    }


def driven_sweep(folder: Path, **facts: Any) -> DrivenSweep:
    """The sweep of `driven_manifest`, begun."""
    text = json.dumps(driven_manifest(folder, **facts))
    manifest = parse_manifest(text, form="json", name="driven.json", folder=folder)
    plan = plan_runs(manifest)
    assert needs_of(plan.runs[0]).gpus <= 1
    begun = begin(manifest, plan, results_dir=folder / "results")
    return DrivenSweep(folder=begun, planned=plan.runs, answered=folder / ANSWERED)
