"""The engine of this machine: its workers make the runs in the results folder itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engines.contract import Attempt, Capabilities, EndKind, UnitEnd
from engines.lane import Lane
from engines.lane_processes import in_processes
from engines.registry import LOCAL
from results.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from engines.cards import Cards
    from engines.contract import Finding, Store, Units
    from engines.unit import Unit
    from results.store.sweep_folder import SweepFolder
    from runner.display import Display


class LocalEngine:
    """Works on this machine. With one lane it works in this process, otherwise in `cards.lanes` processes.

    worker: the command of such a process, which finds its work in the sweep's folder. total: runs of the sweep. Nothing
    outlives this process: `processes` sees to that.
    """

    name: Final = LOCAL
    capabilities: Final = Capabilities(in_place=True)

    def __init__(
        self,
        folder: SweepFolder,
        *,
        nonce: str,
        may_reduce: bool,
        cards: Cards,
        total: int,
        worker: Sequence[str],
        display: Display,
        held: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._folder = folder
        self._lanes = cards.lanes
        self._worker = worker
        self._display = display
        self._lane = Lane(
            folder,
            (),
            nonce=nonce,
            may_reduce=may_reduce,
            cards=cards,
            display=display,
            held=held,
            total=total,
        )
        self.stopped: list[str] = []  # a sentence for each process that failed; others took over its work

    def check(self, units: Sequence[Unit]) -> Sequence[Finding]:  # noqa: ARG002 - `sweeps.preflight` looks at this machine
        """Nothing: a sweep's preflight is about this machine."""
        return ()

    def run(self, units: Units, store: Store) -> Iterator[UnitEnd]:  # noqa: ARG002 - the runs are in their place
        """See `Engine`. Raises Interrupted, and ResultsError if records can't be written."""
        if self._lanes > 1:
            yield from self._in_processes(units)
            return
        done: set[str] = set()
        try:
            unit = units.take()
            while unit is not None:
                following = units.take()  # its model is read ahead
                after = [[each.planned for each in following.todo]] if following is not None else []
                self._lane.do(unit.without(done).todo if done else unit.todo, following=after)
                done |= {each.planned.fingerprint for each in unit.todo}
                yield self._end(unit)
                unit = following or units.take()
        finally:
            self._lane.close()

    def cancel(self, attempts: Sequence[Attempt], grace_s: float) -> None:
        """Nothing: what this process started ends with it."""

    def deploy(self) -> str:
        raise UsageError("there is nothing to deploy on this machine", hint="leave out --deploy-engine")

    def _in_processes(self, units: Units) -> Iterator[UnitEnd]:
        taken = []
        while (unit := units.take()) is not None:
            taken.append(unit)
        if taken:
            self.stopped += in_processes(self._worker, self._folder, self._lanes, self._display)
        for unit in taken:
            yield self._end(unit)

    def _end(self, unit: Unit) -> UnitEnd:
        attempt = Attempt(unit=unit, number=0, folder=self._folder.results_dir)
        return UnitEnd(attempt=attempt, kind=EndKind.DONE)
