"""A worker of a sweep: it finds what is left to do, gets the devices, and runs it, until nothing is left."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from engines.less_memory import as_reduced
from engines.prefetch import Prefetch
from engines.server_group import ServerGroup, ToDo
from results.errors import ResultsError
from results.records import RunStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from contextlib import AbstractContextManager

    from engines.cards import Cards
    from engines.planned_run import PlannedRun
    from results.records import RunRecord
    from results.store.run_folder import RunFolder
    from results.store.sweep_folder import SweepFolder
    from runner.display import Display
    from runner.spec import RunSpec


class Lane:
    """A worker of a sweep. No two workers run the same server configuration at once, even in different processes.

    nonce, may_reduce: as for `ServerGroup`. total: runs of the whole sweep, if these are only a part.
    """

    def __init__(
        self,
        folder: SweepFolder,
        planned: Sequence[PlannedRun],
        *,
        nonce: str,
        may_reduce: bool,
        cards: Cards,
        display: Display,
        held: Callable[[], AbstractContextManager[None]],
        total: int | None = None,
    ) -> None:
        self._folder = folder
        self._count = total or len(planned)
        self._nonce = nonce
        self._may_reduce = may_reduce
        self._groups = [tuple(group) for _, group in itertools.groupby(planned, key=lambda each: each.group)]
        self._cards = cards
        self._display = display
        self._held = held
        self._prefetch = Prefetch()
        self._tried: set[str] = set()  # fingerprints, tried again only on request, whatever their outcome

    def work(self) -> None:
        """Do all runs that no other worker is doing. A failed run is recorded, and the next one begins.

        Raises Interrupted, and ResultsError if records can't be written.
        """
        try:
            while self._pass():
                pass
        finally:
            self.close()

    def close(self) -> None:
        """Stop reading models ahead. Is idempotent."""
        self._prefetch.stop()

    def _pass(self) -> bool:
        """Go through all configurations once. Returns whether there was anything to do."""
        did = False
        for number, group in enumerate(self._groups):
            with self._folder.claim_group(group[0].group) as ours:
                todo = self.todo(group) if ours else []
                did = did or bool(todo)
                self.do(todo, following=self._groups[number + 1 : number + 2])
        return did

    def todo(self, group: Sequence[PlannedRun]) -> list[ToDo]:
        """Which of these runs are left to do, each once."""
        known = self._folder.runs(warn=self._display.say)
        return left_to_do(group, known, again=self._folder.requested_retries(), tried=self._tried)

    def do(self, todo: Sequence[ToDo], *, following: Sequence[Sequence[PlannedRun]] = ()) -> None:
        """Run these, which share a configuration, on one server, once devices are free.

        following: the next configuration, whose model file is read ahead. Raises Interrupted, ResultsError.
        """
        if not todo:
            return
        with (
            self._cards.taken(todo[0].planned, on_wait=self._say_waiting),
            ServerGroup(
                self._folder,
                nonce=self._nonce,
                may_reduce=self._may_reduce,
                display=self._display,
                held=self._held,
            ) as group,
        ):
            for number, each in enumerate(todo):
                self._display.say("")
                self._display.say(f"[{each.planned.index + 1}/{self._count}] {each.planned.label}")
                if number == 0:
                    for after in following:
                        self._fetch_ahead(after[0])
                self._tried.add(each.planned.fingerprint)
                self._folder.reused.forget(each.planned.fingerprint)
                group.do(each, more=number + 1 < len(todo))
                self._folder.clear_retry(each.planned.fingerprint)

    def _fetch_ahead(self, planned: PlannedRun) -> None:
        model = planned.spec.server.model if planned.spec else None
        if model is not None:
            self._prefetch.start(model.files(), lambda: planned.fingerprint)

    def _say_waiting(self) -> None:
        self._display.say("waiting for a device that another run is using")


def left_to_do(
    planned_runs: Sequence[PlannedRun],
    known: Mapping[str, tuple[RunFolder, RunRecord]],
    *,
    again: frozenset[str],
    tried: Collection[str] = (),
) -> list[ToDo]:
    """Which of these runs are left to do, each once. known: the runs so far, by fingerprint. again: those to retry.
    tried: those that this process has tried.
    """
    # Without earlier runs no fingerprints are needed, and computing them reads whole models.
    first_of_all = not known and not tried
    found: list[ToDo] = []
    names: set[str] = set()
    for planned in planned_runs:
        if first_of_all:
            found.append(ToDo(planned, planned.spec))
            continue
        name = planned.fingerprint
        there = known.get(name)
        if (
            name in names
            or (name in tried and name not in again)
            or is_done(there, retry_requested=name in again)
            or is_merged(planned, known)
        ):
            continue
        names.add(name)
        found.append(going_on(planned, planned.spec, there))
    return found


def is_done(found: tuple[RunFolder, RunRecord] | None, *, retry_requested: bool) -> bool:
    """Whether there is nothing left to do for a run. found: its folder and record so far."""
    if found is None:
        return False
    folder, record = found
    status = folder.effective_status(record)
    if status is RunStatus.FAILED:
        return has_failed(record) and not retry_requested
    return status is not RunStatus.INTERRUPTED


def is_merged(planned: PlannedRun, known: Mapping[str, tuple[RunFolder, RunRecord]]) -> bool:
    """Whether it is a shard of a run that is there already, merged or reused. known: see `SweepFolder.runs`."""
    there = known.get(planned.whole.fingerprint) if planned.whole is not None else None
    return there is not None and there[1].status is RunStatus.SUCCEEDED


def has_failed(record: RunRecord) -> bool:
    """Whether the run itself failed. Results that couldn't be written, as on a full disk, say nothing about the run."""
    kind = record.error.kind if record.error else ""
    return record.status is RunStatus.FAILED and kind != ResultsError.kind


def going_on(planned: PlannedRun, spec: RunSpec | None, found: tuple[RunFolder, RunRecord] | None) -> ToDo:
    """The run as in `spec`, continuing from `found`, its folder and record so far. A run that failed after its settings
    were lowered starts again with the original ones.
    """
    if spec is None or found is None or found[1].server is None or found[1].shards:
        return ToDo(planned, spec)  # a merge that was cut off has no answers of its own
    folder, record = found
    reduced = record.sweep.reductions if record.sweep else ()
    if reduced and has_failed(record):
        return ToDo(planned, spec)
    return ToDo(planned, as_reduced(spec, record) if reduced else spec, reduced, resume=folder.run_id)
