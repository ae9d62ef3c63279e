"""End what an engine does for a sweep that no process coordinates any more."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from engines.contract import END_S, EndKind, UnitEnd
from engines.folder_store import FolderStore
from results.store.attempts import Attempts
from sweeps.engine_choice import engine_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from engines.unit import Needs, Unit
    from results.store.sweep_folder import Sweep, SweepFolder
    from runner.display import Display


class _Nothing:
    """The `Units` of an engine that only has to bring back what is there."""

    is_done = True
    holds_back = False
    leaves = False

    def take(self, fits: Callable[[Needs], bool] | None = None) -> Unit | None:
        del fits
        return None


def is_out(folder: SweepFolder) -> bool:
    """Whether an engine may still work on attempts of the sweep."""
    return bool(Attempts(folder.path).running())


def cancel_attempts(folder: SweepFolder, sweep: Sweep, display: Display) -> int:
    """Stop all attempts, and take over what they did. sweep: says which engine has them. Returns how many there were.

    Claim the sweep first. Raises BenchError, also if the engine can't be used here.
    """
    engine = engine_for(sweep, display)
    if engine is None:
        return 0
    store = FolderStore(folder, engine=engine.name, say=display.say)
    attempts = tuple(store.running())
    if not attempts:
        return 0
    store.begin()
    try:
        engine.cancel(attempts, END_S)
        for end in engine.run(_Nothing(), store):
            kind = EndKind.CANCELLED if end.kind is EndKind.LOST else end.kind
            store.adopt(dataclasses.replace(end, kind=kind))
        for attempt in tuple(store.running()):
            store.adopt(UnitEnd(attempt=attempt, kind=EndKind.CANCELLED, place=attempt.place))
    finally:
        store.log_unfinished()
    return len(attempts)
