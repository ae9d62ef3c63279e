"""What an engine is: it brings units of work to machines, and says how each attempt ended.

    coordinator        Units.take() -> Unit           what is to be done next
    engine             Store.partial(unit) -> Attempt  a folder of its own, with what earlier attempts left unfinished
    engine             brings the folder to a machine, starts `engines.node.unit_program` there; Store.started(attempt)
    engine             keeps the folder here growing, at most a second behind; yields a UnitEnd
    coordinator        Store.adopt(end)               whole and unfinished runs go into the results folder and its log
    coordinator        what is lost goes back into Units

Schedulers decide where and when; an engine only asks them. No lock is shared between machines: a machine writes into
the folder of its attempt, and only the coordinator into the results folder.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from engines.unit import Needs, Unit
    from results.records import RunRecord
    from results.store.run_folder import RunFolder

MOST_SAID = 500  # characters of a reason or a hint, which a machine may have written
END_S = 3.0  # after which no process of a cancelled attempt may be left, where the engine can promise it


class EndKind(enum.StrEnum):
    """How an attempt ended."""

    DONE = "done"  # its program came to its end: each run has a final record, failed ones too
    LOST = "lost"  # its machine, program or connection went away; what came back by then is kept
    REFUSED = "refused"  # the machine can't do it: another version, another model, too few cards
    CANCELLED = "cancelled"


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One try at a unit. number: from 1. folder: on this machine, see `results.store.attempts`. handle: what the engine
    knows it by, in another process too; "" until it was started. place: where it was started.
    """

    unit: Unit
    number: int
    folder: Path
    handle: str = ""
    place: str = ""

    @property
    def name(self) -> str:
        """Unique in all sweeps, for schedulers and paths."""
        return f"{self.unit.sweep_id}/{self.unit.unit_id}/{self.number}"


@dataclass(frozen=True, kw_only=True)
class UnitEnd:
    """An attempt's end. why: a sentence without a full stop, "" for DONE. place: the machine. elsewhere: for REFUSED,
    whether another machine may do it; if not, its runs fail with `why`. why, hint: cut after MOST_SAID characters.
    """

    attempt: Attempt
    kind: EndKind
    why: str = ""
    hint: str = ""
    place: str = ""
    elsewhere: bool = False

    def __post_init__(self) -> None:
        for name in ("why", "hint"):
            said: str = getattr(self, name)
            if len(said) > MOST_SAID:
                object.__setattr__(self, name, f"{said[: MOST_SAID - 1]}…")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What an engine found before anything started. place: a machine, or "" for all. is_error: nothing can start."""

    message: str
    hint: str = ""
    place: str = ""
    is_error: bool = True


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """outlives_coordinator: attempts go on without it, and a later one finds them by their handles. in_place: the
    runs are made in the results folder itself, by workers of this machine. deploys: `deploy` does something.
    """

    outlives_coordinator: bool = False
    in_place: bool = False
    deploys: bool = False


class Units(Protocol):
    """The work that is left, for an engine to take from. It may grow while the engine runs."""

    def take(self, fits: Callable[[Needs], bool] | None = None) -> Unit | None:
        """The next unit whose needs fit; None if there is none now. It is the engine's until its end is yielded."""

    @property
    def is_done(self) -> bool:
        """Whether nothing is left and nothing more can come, so that `Engine.run` may return. Units that are taken
        may come back after their end, so an engine asks again then.
        """

    @property
    def holds_back(self) -> bool:
        """Whether units are left that `take` didn't give out, because of what they wait for."""

    @property
    def leaves(self) -> bool:
        """Whether to return as soon as `take` has nothing and nothing is held back, while attempts go on by themselves:
        only asked of engines that outlive the coordinator.
        """


class Store(Protocol):
    """Where attempts begin and end. All methods raise ResultsError; `started` and `adopt` are durable."""

    def partial(self, unit: Unit) -> Attempt:
        """A new attempt: its folder has unit.json, and copies of the unfinished runs that it goes on with."""

    def started(self, attempt: Attempt, *, handle: str, place: str = "") -> Attempt:
        """Note that the attempt was started. Call it before the machine can do anything that costs, with a handle by
        which a later coordinator finds it, or finds that it isn't there. May be called again with another handle.
        """

    def waits_for(self, text: str) -> None:
        """Let `status` say what the engine waits for; "" for nothing. May be called often."""

    def running(self) -> Sequence[Attempt]:
        """The attempts that were started and have no end, also of earlier coordinators. `Engine.run` begins with them:
        it watches them to their end, or ends them as LOST if they are gone.
        """

    def adopt(self, end: UnitEnd) -> Sequence[tuple[RunFolder, RunRecord]]:
        """Take over the runs of an ended attempt, and return them. Idempotent. An attempt that isn't in `running` is
        left alone.
        """


class Engine(Protocol):
    """Where units are done. Made from its settings alone; nothing starts before `run`."""

    @property
    def name(self) -> str:
        """Its name in `--engine`."""

    @property
    def capabilities(self) -> Capabilities: ...

    def check(self, units: Sequence[Unit]) -> Sequence[Finding]:
        """What stands in the way of these units, as far as it can be known without starting anything. Takes seconds."""

    def run(self, units: Units, store: Store) -> Iterator[UnitEnd]:
        """Do all units, at the same time where there is place, and yield each attempt's end. Blocks between.

        Ended by an exception (a signal raises Interrupted within it) or closed, it stops the attempts that it started,
        and their folders here are as complete as they can be; the coordinator adopts what `store.running()` has.
        """

    def cancel(self, attempts: Sequence[Attempt], grace_s: float) -> None:
        """Stop attempts, also those of another coordinator that is gone. Returns when no process of them is left, or
        as the scheduler promises. Idempotent.
        """

    def deploy(self) -> str:
        """Make ready what the engine runs on elsewhere, once. Returns a sentence. Raises UsageError if there is nothing
        to deploy.
        """
