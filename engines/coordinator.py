"""Bring a sweep's work to an engine, and take over what comes back, until nothing is left.

One process at a time coordinates a sweep. It may be killed at any instant: what was started is in the journal, what has
come back is on disk, and the next coordinator goes on with both.
"""

from __future__ import annotations

import itertools
from collections import deque
from typing import TYPE_CHECKING

from engines.contract import EndKind, UnitEnd
from engines.folder_store import FolderStore
from engines.lane import going_on, left_to_do
from engines.model_family import decides_its_style, model_family
from engines.server_group import ServerGroup
from engines.unit import Unit
from results.errors import Interrupted, UsageError
from results.records import RunStatus
from results.views.sweep_text import end_text

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from engines.contract import Attempt, Engine
    from engines.planned_run import PlannedRun
    from engines.server_group import ToDo
    from engines.unit import Needs
    from results.store.sweep_folder import SweepFolder
    from runner.display import Display

MOST_LOST = 3  # attempts in a row that brought nothing forward; then a unit is left for the next --resume


class Coordinator:
    """The work of one sweep on one engine. Claim the sweep first.

    nonce, may_reduce: as for `ServerGroup`. leaves: return once everything was started, and let the engine go on.
    """

    def __init__(
        self,
        folder: SweepFolder,
        planned: Sequence[PlannedRun],
        engine: Engine,
        *,
        nonce: str,
        may_reduce: bool,
        display: Display,
        held: Callable[[], AbstractContextManager[None]],
        leaves: bool = False,
    ) -> None:
        self.store = FolderStore(folder, engine=engine.name, say=display.say)
        self._folder = folder
        self._planned = planned
        self._engine = engine
        self._nonce = nonce
        self._may_reduce = may_reduce
        self._display = display
        self._held = held
        self._leaves = leaves
        self._tried: set[str] = set()  # fingerprints, tried again only on request, whatever their outcome
        self._asked_again: frozenset[str] = frozenset()
        self._given_up: list[str] = []

    @property
    def given_up(self) -> Sequence[str]:
        """A sentence for each unit that was lost too often."""
        return self._given_up

    def work(self) -> None:
        """Do everything that is left, and what is asked for again meanwhile. Raises Interrupted, ResultsError."""
        first = True
        while first or self.left():
            first = False
            self.do(self.left())
            if self._leaves:
                return

    def settle(self) -> None:
        """Wait for what earlier coordinators started. Raises like `work`."""
        self.do(())

    def left(self, planned: Sequence[PlannedRun] | None = None) -> list[ToDo]:
        """What is left to do of these runs, or of all."""
        self.store.look_again()
        self._asked_again = self._folder.requested_retries()
        return left_to_do(
            self._planned if planned is None else planned,
            self.store.known(),
            again=self._asked_again,
            tried=self._tried,
        )

    def do(self, todo: Sequence[ToDo]) -> None:
        """Do these runs, at once where the engine has place, and wait for the end of all. Raises like `work`."""
        units = _Waiting(
            self._units(todo),
            self.store,
            leaves=self._leaves,
            in_place=self._engine.capabilities.in_place,
        )
        if not units.is_done or self.store.running():
            self._run(units)
        self._refuse([each for each in todo if each.spec is None])

    def _run(self, units: _Waiting) -> None:
        ends = self._engine.run(units, self.store)
        try:
            for end in ends:
                self._ended(end, units)
        except BaseException as error:
            close = getattr(ends, "close", None)
            if close is not None:
                close()
            kind = EndKind.CANCELLED if isinstance(error, Interrupted) else EndKind.LOST
            for attempt in self.store.running():
                end = UnitEnd(attempt=attempt, kind=kind, why="the sweep was stopped", place=attempt.place)
                self.store.adopt(end)
            raise

    def _ended(self, end: UnitEnd, units: _Waiting) -> None:
        unit = end.attempt.unit
        progress = self._progress(unit)
        taken = self.store.adopt(end)
        units.gone(unit)
        text = end_text(
            str(end.kind), unit.label, end.place or end.attempt.place, end.why, [run for _, run in taken]
        )
        for line in text:
            self._display.say(line)
        names = _names(unit)
        finished = {
            record.sweep.fingerprint
            for _, record in taken
            if record.sweep is not None and record.status is not RunStatus.INTERRUPTED
        }
        if end.kind is EndKind.DONE:
            self._tried |= names
            for name in names & self._asked_again if not self._engine.capabilities.in_place else ():
                self._folder.clear_retry(name)  # others were asked for since
        elif end.kind is EndKind.REFUSED and not end.elsewhere:
            refusal = UsageError(f"{end.place or self._engine.name} refused it: {end.why}", hint=end.hint)
            self._refuse(self._again(unit, finished), error=refusal)
        elif end.kind is not EndKind.CANCELLED:
            forward = self._progress(unit) > progress
            again = self._unit(self._again(unit, finished))
            if units.put_back(again, forward=forward or end.kind is EndKind.REFUSED):
                return
            why = f"{unit.label} was lost {MOST_LOST} times in a row: {end.why}"
            self._display.say(f"{why}; it is left for --resume")
            self._given_up.append(why)
            self._tried |= names

    def _again(self, unit: Unit, finished: Collection[str] = ()) -> list[ToDo]:
        """What is left of a unit. finished: fingerprints of what is not."""
        known = self.store.known()
        if unit.written is None:
            return [
                going_on(each.planned, each.spec, known.get(each.planned.fingerprint))
                for each in unit.todo
                if each.planned.fingerprint not in finished
            ]
        names = {run.fingerprint for run in unit.written.runs} - set(finished)  # of an earlier coordinator
        planned = [run for run in self._planned if run.group == unit.unit_id and run.fingerprint in names]
        return left_to_do(planned, known, again=frozenset(), tried={""})

    def _progress(self, unit: Unit) -> int:
        """How far a unit's runs are, to compare."""
        found = 0
        for name in _names(unit):
            there = self.store.known().get(name)
            if there is not None and there[0].completions.exists():
                found += there[0].completions.stat().st_size
        return found

    def _units(self, todo: Iterable[ToDo]) -> Iterator[Unit]:
        able = [each for each in todo if each.spec is not None]
        for _, group in itertools.groupby(able, key=lambda each: each.planned.group):
            unit = self._unit(tuple(group))
            if unit is not None:
                yield unit

    def _unit(self, todo: Sequence[ToDo]) -> Unit | None:
        if not todo:
            return None
        families = set()
        if not self._engine.capabilities.in_place:  # where a lock lets one run at a time decide
            families = {
                model_family(each.spec)
                for each in todo
                if each.spec is not None and decides_its_style(each.spec)
            }
        return Unit(
            unit_id=todo[0].planned.group,
            sweep_id=self._folder.sweep_id,
            nonce=self._nonce,
            may_reduce=self._may_reduce,
            total=len(self._planned),
            todo=tuple(todo),
            families=frozenset(families - {""}),
        )

    def _refuse(self, todo: Sequence[ToDo], *, error: UsageError | None = None) -> None:
        """Record runs that can't be done anywhere."""
        if not todo:
            return
        with ServerGroup(
            self._folder,
            nonce=self._nonce,
            may_reduce=self._may_reduce,
            display=self._display,
            held=self._held,
        ) as group:
            for each in todo:
                planned = each.planned
                self._display.say(f"\n[{planned.index + 1}/{len(self._planned)}] {planned.label}")
                self._tried.add(planned.fingerprint)
                group.refuse(planned, error or planned.error or UsageError("it can't work"))
                self._folder.clear_retry(planned.fingerprint)
        self.store.look_again()


def _names(unit: Unit) -> set[str]:
    """The fingerprints of a unit's runs."""
    if unit.written is not None:
        return {run.fingerprint for run in unit.written.runs}
    return {each.planned.fingerprint for each in unit.todo}


class _Waiting:
    """The `Units` of one call. Of a family of models whose style isn't decided, one unit at a time is given out."""

    def __init__(
        self, units: Iterable[Unit], store: FolderStore, *, leaves: bool, in_place: bool = False
    ) -> None:
        self.leaves = leaves
        self._in_place = in_place  # the engine leaves out what has been done since, and reads no model before
        self._given: dict[str, str] = {}  # fingerprint -> unit: of files with the same content one is run
        self._store = store
        out = {attempt.unit.unit_id for attempt in store.running()}
        self._out: dict[str, Unit | None] = dict.fromkeys(out)
        self._waiting = deque(unit for unit in units if unit.unit_id not in out)
        self._lost: dict[str, int] = {}

    @property
    def is_done(self) -> bool:
        return not self._waiting and not self._out

    def take(self, fits: Callable[[Needs], bool] | None = None) -> Unit | None:
        if not self._waiting:
            return None
        deciding = self._deciding()
        for place, unit in enumerate(self._waiting):
            if unit.unit_id in self._out or self._undecided(unit) & deciding:
                continue
            if fits is not None and not fits(unit.needs):
                continue
            del self._waiting[place]
            given = unit if self._in_place else self._only_new(unit)
            if not given.todo:
                return self.take(fits)
            self._out[unit.unit_id] = given
            return given
        return None

    def _only_new(self, unit: Unit) -> Unit:
        elsewhere = {name for name, given in self._given.items() if given != unit.unit_id}
        unit = unit.without(elsewhere) if elsewhere else unit
        self._given |= dict.fromkeys(_names(unit), unit.unit_id)
        return unit

    def gone(self, unit: Unit) -> None:
        """It is no longer on any machine."""
        self._out.pop(unit.unit_id, None)

    def put_back(self, unit: Unit | None, *, forward: bool) -> bool:
        """Let it be taken again, what is left of it. forward: whether the last attempt brought it forward. False if it
        was lost too often.
        """
        if unit is None:
            return True
        lost = self._lost[unit.unit_id] = 0 if forward else self._lost.get(unit.unit_id, 0) + 1
        if lost >= MOST_LOST:
            return False
        self._waiting.appendleft(unit)
        return True

    def _deciding(self) -> frozenset[str]:
        """The families whose style a unit that is out may be deciding."""
        out = [unit for unit in self._out.values() if unit is not None and unit.families]
        if out:
            attempts: dict[str, Attempt] = {each.unit.unit_id: each for each in self._store.running()}
            for unit in out:
                if unit.unit_id in attempts and self._undecided(unit):
                    self._store.learn_styles(attempts[unit.unit_id])
        return frozenset(family for unit in out for family in self._undecided(unit))

    def _undecided(self, unit: Unit) -> frozenset[str]:
        return frozenset(family for family in unit.families if not self._store.is_decided(family))
