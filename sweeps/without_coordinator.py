"""End what an engine does for a sweep that no process coordinates any more."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Final

from engines.contract import END_S, EndKind, UnitEnd
from engines.folder_store import FolderStore
from engines.registry import END_WITH_COORDINATOR, LOCAL
from results.errors import BenchError
from results.store.attempts import Attempts
from sweeps.engine_choice import engine_for

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engines.contract import Attempt, Engine
    from engines.unit import Needs, Unit
    from results.store.sweep_folder import Sweep, SweepFolder
    from runner.display import Display

QUIET_S: Final = 60.0  # longer than any engine needs for what it has been told to stop


class _OverdueError(Exception):
    """No attempt has ended for QUIET_S."""


class _Nothing:
    """The `Units` of an engine that only has to bring back what is there. All of it raises _OverdueError, once the
    engine, which looks at it again and again, has brought nothing for QUIET_S.
    """

    holds_back = False

    def __init__(self) -> None:
        self._heard_s = time.monotonic()

    def heard(self) -> None:
        self._heard_s = time.monotonic()

    def take(self, fits: Callable[[Needs], bool] | None = None) -> Unit | None:
        del fits
        self._require_signs()
        return None

    @property
    def is_done(self) -> bool:
        self._require_signs()
        return True

    @property
    def leaves(self) -> bool:
        self._require_signs()
        return False

    def _require_signs(self) -> None:
        if time.monotonic() - self._heard_s > QUIET_S:
            raise _OverdueError


def is_out(folder: SweepFolder) -> bool:
    """Whether an engine may still work on attempts of the sweep."""
    return bool(Attempts(folder.path).running())


def cancel_attempts(folder: SweepFolder, sweep: Sweep, display: Display) -> int:
    """Stop all attempts, and take over what they did. sweep: says which engine has them. Returns how many there were.

    Claim the sweep first. Raises BenchError, also if the engine can't be used here and its attempts go on without it.
    What an engine can't bring back, because its scheduler is away, is given up after QUIET_S, and said.
    """
    if not is_out(folder):
        return 0
    engine = _engine(sweep, display)
    if engine is None and (sweep.engine is None or sweep.engine.name == LOCAL):
        return 0
    store = FolderStore(folder, engine=sweep.engine.name if sweep.engine else LOCAL, say=display.say)
    attempts = tuple(store.running())
    store.begin()
    try:
        if engine is not None:
            _bring_back(engine, attempts, store, display)
        for attempt in tuple(store.running()):
            store.adopt(UnitEnd(attempt=attempt, kind=EndKind.CANCELLED, place=attempt.place))
    finally:
        store.log_unfinished()
    return len(attempts)


def _engine(sweep: Sweep, display: Display) -> Engine | None:
    """None for this machine, and for an engine that can't be used any more, whose attempts have ended by themselves."""
    try:
        return engine_for(sweep, display)
    except BenchError as error:
        name = sweep.engine.name if sweep.engine is not None else LOCAL
        if name not in END_WITH_COORDINATOR:
            raise
        display.say(
            f"note: {name} can't be used any more: {error.message}; "
            "what it ran has ended with the sweep's program, and what came back is kept"
        )
        return None


def _bring_back(engine: Engine, attempts: Sequence[Attempt], store: FolderStore, display: Display) -> None:
    engine.cancel(attempts, END_S)
    nothing = _Nothing()
    try:
        for end in engine.run(nothing, store):
            kind = EndKind.CANCELLED if end.kind is EndKind.LOST else end.kind
            store.adopt(dataclasses.replace(end, kind=kind))
            nothing.heard()
    except _OverdueError:
        display.say(
            f"note: {engine.name} has brought nothing back for {QUIET_S:.0f} s; "
            f"{len(store.running())} units are given up as cancelled, with what came back of them"
        )
