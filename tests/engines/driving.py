"""Drive an engine without the sweep's command: real units of a planned sweep, real attempts in a results folder.

    sweep = driven_sweep(tmp_path, models=2, limit=3)
    ends = sweep.drive(engine)
    sweep.scores()          # by label, as of `tests.sweep_runs.scores`

What is lost comes back as another attempt, which goes on with what came back; what is refused with `elsewhere` too.
"""

from __future__ import annotations

import json
import sys
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from engines.contract import EndKind
from engines.folder_store import FolderStore
from engines.lane import going_on, is_done
from engines.unit import Unit, needs_of
from results.store.attempts import Attempts, runs_in
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
    from results.records import RunRecord
    from results.store.run_folder import RunFolder
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
    def holds_back(self) -> bool:
        return bool(self.waiting)

    @property
    def is_done(self) -> bool:
        with self.lock:
            return not self.waiting and not self.taken


class DrivenStore(FolderStore):
    """The real store of a sweep's folder."""

    def __init__(self, folder: SweepFolder, said: Said) -> None:
        super().__init__(folder, engine="driven", say=said.say)
        self.attempts = Attempts(folder.path)
        self.begin()

    def adopt(self, end: UnitEnd) -> Sequence[tuple[RunFolder, RunRecord]]:
        """Also of an attempt that a test started by itself."""
        if end.attempt.name not in {each.name for each in self.running()}:
            self.started(end.attempt, handle="by hand")
        return super().adopt(end)


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
        self.store.log_unfinished()
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
