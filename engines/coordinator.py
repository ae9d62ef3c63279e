"""Bring a sweep's work to an engine, and take over what comes back, until nothing is left.

One process at a time coordinates a sweep. It may be killed at any instant: what was started is in the journal, what has
come back is on disk, and the next coordinator goes on with both.
"""

from __future__ import annotations

import itertools
from collections import Counter, deque
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

# After so many attempts in a row, a unit is left for the next --resume.
MOST_LOST = 3  # that brought nothing forward
MOST_REFUSED = 3  # by machines that had refused it before


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
        """A sentence for each unit that was lost, refused or cancelled too often; it is left for --resume."""
        return self._given_up

    def work(self) -> None:
        """Do everything that is left, and what is asked for again meanwhile. Raises Interrupted, ResultsError."""
        todo = self.left()
        while True:
            self.do(todo)
            if self._leaves or not (todo := self.left()):
                return

    def settle(self) -> None:
        """Wait for what earlier coordinators started, and try nothing again. Raises like `work`."""
        self.do((), again=False)

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

    def do(self, todo: Sequence[ToDo], *, again: bool = True) -> None:
        """Do these runs, at once where the engine has place, and wait for the end of all. again: whether to try again
        what is lost. Raises like `work`.
        """
        units = _Waiting(
            self._units(todo),
            self.store,
            leaves=self._leaves,
            say=self._display.say,
            again=again,
            in_place=self._engine.capabilities.in_place,
        )
        if not units.is_done or self.store.running():
            self._run(units)
        self._refuse([each for each in todo if each.spec is None])

    def _run(self, units: _Waiting) -> None:
        if not self._engine.capabilities.in_place:  # where each run does it itself
            self.store.begin()
        try:
            self._run_to_end(units)
        finally:
            self.store.log_unfinished()
            self.store.waits_for("")

    def _run_to_end(self, units: _Waiting) -> None:
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
        place = end.place or end.attempt.place
        for line in end_text(str(end.kind), unit.label, place, end.why, [run for _, run in taken]):
            self._display.say(line)
        names = unit.fingerprints
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
            refusal = UsageError(f"{place or self._engine.name} refused it: {end.why}", hint=end.hint)
            self._refuse(self._again(unit, finished), error=refusal)
        elif end.kind is EndKind.CANCELLED:
            self._give_up(unit, f"{unit.label} was cancelled" + (f": {end.why}" if end.why else ""))
        elif units.again:
            left = self._unit(self._again(unit, finished))
            forward = bool(finished) or self._progress(unit) > progress
            refused_by = place if end.kind is EndKind.REFUSED else None
            if left is not None and not units.put_back(left, forward=forward, refused_by=refused_by):
                self._give_up(unit, f"{unit.label} was {end.kind} again and again: {end.why}")

    def _give_up(self, unit: Unit, why: str) -> None:
        self._display.say(f"{why}; it is left for --resume")
        self._given_up.append(why)
        self._tried |= unit.fingerprints

    def _again(self, unit: Unit, finished: Collection[str] = ()) -> list[ToDo]:
        """What is left of a unit. finished: fingerprints of what is not."""
        known = self.store.known()
        if unit.written is None:
            return [
                going_on(each.planned, each.spec, known.get(each.planned.fingerprint))
                for each in unit.todo
                if each.planned.fingerprint not in finished
            ]
        names = unit.fingerprints - set(finished)  # of an earlier coordinator
        planned = [run for run in self._planned if run.group == unit.unit_id and run.fingerprint in names]
        return left_to_do(planned, known, again=frozenset(), tried={""})

    def _progress(self, unit: Unit) -> int:
        """How far a unit's runs are, to compare."""
        found = 0
        for name in unit.fingerprints:
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
                why = error or planned.error or UsageError("it can't work", hint="see `sweep --dry-run`")
                group.refuse(planned, why)
                self._folder.clear_retry(planned.fingerprint)
        self.store.look_again()


class _Waiting:
    """The `Units` of one call. Of a family of models whose style isn't decided, one unit at a time is given out.

    say: told what the others wait for, if the engine stays for them. again: whether units that come back are given out
    again.
    """

    def __init__(
        self,
        units: Iterable[Unit],
        store: FolderStore,
        *,
        leaves: bool,
        say: Callable[[str], None],
        again: bool = True,
        in_place: bool = False,
    ) -> None:
        self.leaves = leaves
        self.again = again
        self._say = say
        self._said = ""
        self._in_place = in_place  # the engine leaves out what has been done since, and reads no model before
        self._given: dict[str, str] = {}  # fingerprint -> unit: of files with the same content one is run
        self._store = store
        self._out = {attempt.unit.unit_id: attempt.unit for attempt in store.running()}
        # By what they need and which styles they may decide, so that asking doesn't go through thousands of units.
        self._waiting: dict[tuple[Needs | None, frozenset[str]], deque[Unit]] = {}
        self._order = itertools.count()
        self._places: dict[str, int] = {}  # of each unit in the plan
        for unit in units:
            if unit.unit_id not in self._out:
                self._add(unit)
        self._lost: Counter[str] = Counter()
        self._refused: Counter[tuple[str, str]] = Counter()

    @property
    def is_done(self) -> bool:
        return not self._waiting and not self._out

    @property
    def holds_back(self) -> bool:
        return bool(
            self._waiting
        )  # as of the last `take`: what could be taken since is taken by the next one

    def take(self, fits: Callable[[Needs], bool] | None = None) -> Unit | None:
        deciding = self._deciding() if self._waiting else frozenset()
        while (unit := self._next(fits, deciding)) is not None:
            given = unit if self._in_place else self._only_new(unit)
            if given.todo:
                self._out[unit.unit_id] = given
                return given
        if self.leaves and fits is None and deciding:
            self._say_why(deciding)
        return None

    def _say_why(self, deciding: frozenset[str]) -> None:
        """What keeps an engine here that could leave."""
        held = [(units, self._undecided(units[0]) & deciding) for units in self._waiting.values()]
        count = sum(len(units) for units, families in held if families)
        by = [unit.label for unit in self._out.values() if self._undecided(unit)]
        if not count or not by:
            return
        others = f" and {len(by) - 1} more" if len(by) > 1 else ""
        text = (
            f"{count} more {'unit' if count == 1 else 'units'} can start once {by[0]}{others} found how its model "
            "is to be asked; this process stays until then"
        )
        if text != self._said:
            self._said = text
            self._say(text)

    def _next(self, fits: Callable[[Needs], bool] | None, deciding: frozenset[str]) -> Unit | None:
        """The first unit in the plan's order that may be given out, which is removed."""
        found: Unit | None = None
        for units in self._waiting.values():
            unit = next((each for each in units if each.unit_id not in self._out), None)
            if unit is None or (found is not None and self._place(found) < self._place(unit)):
                continue
            if self._undecided(unit) & deciding or (fits is not None and not fits(unit.needs)):
                continue
            found = unit
        if found is not None:
            key = self._kind(found)
            self._waiting[key].remove(found)
            if not self._waiting[key]:
                del self._waiting[key]
        return found

    def _add(self, unit: Unit, *, first: bool = False) -> None:
        self._places.setdefault(unit.unit_id, next(self._order))
        units = self._waiting.setdefault(self._kind(unit), deque())
        units.appendleft(unit) if first else units.append(unit)

    def _place(self, unit: Unit) -> int:
        return self._places[unit.unit_id]

    def _only_new(self, unit: Unit) -> Unit:
        names = unit.fingerprints
        elsewhere = {name for name in names if self._given.get(name, unit.unit_id) != unit.unit_id}
        self._given |= dict.fromkeys(names - elsewhere, unit.unit_id)
        return unit.without(elsewhere) if elsewhere else unit

    def gone(self, unit: Unit) -> None:
        """It is no longer on any machine."""
        self._out.pop(unit.unit_id, None)

    def put_back(self, unit: Unit, *, forward: bool, refused_by: str | None) -> bool:
        """Let it be taken again, what is left of it. forward: whether the last attempt brought it forward. refused_by:
        the place that refused it; None if it was lost. False if that happened too often.
        """
        name = unit.unit_id
        if refused_by is None:
            self._lost[name] = 0 if forward else self._lost[name] + 1
        else:
            self._refused[name, refused_by] += 1
            if self._refused[name, refused_by] > MOST_REFUSED:
                return False
        if self._lost[name] >= MOST_LOST:
            return False
        self._add(unit, first=True)
        return True

    def _deciding(self) -> frozenset[str]:
        """The families whose style a unit that is out may be deciding."""
        undecided = [unit for unit in self._out.values() if self._undecided(unit)]
        if undecided:
            attempts: dict[str, Attempt] = {each.unit.unit_id: each for each in self._store.running()}
            for unit in undecided:
                if unit.unit_id in attempts:
                    self._store.learn_styles(attempts[unit.unit_id])
        return frozenset(family for unit in undecided for family in self._undecided(unit))

    def _undecided(self, unit: Unit) -> frozenset[str]:
        return frozenset(family for family in unit.families if not self._store.is_decided(family))

    def _kind(self, unit: Unit) -> tuple[Needs | None, frozenset[str]]:
        return None if self._in_place else unit.needs, unit.families
