"""The runs of a sweep, one after the other on one share of the machine's devices, until none is left to do."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import itertools
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from results.errors import BenchError, Interrupted, ResultsError, ServerError, ServerOutOfMemory, UsageError
from results.records import ErrorRecord, RunRecord, RunStatus, SweepPlace
from results.run_folder import RunFolder
from results.run_log import RUN_LOG_NAME, RunLog
from runner.leases import lease
from runner.less_memory import smaller, with_server
from runner.prefetch import Prefetch
from runner.run import run
from runner.serving import SharedServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from results.sweep_folder import Sweep, SweepFolder
    from runner.display import Display
    from runner.matrix import PlannedRun
    from runner.spec import RunSpec
    from servers.launch import ServerRequest


class ToDo(NamedTuple):
    """A run that is to be done. resume: the run that it goes on with. spec: as it is to be done now; None: it can't
    work.
    """

    planned: PlannedRun
    resume: str | None
    spec: RunSpec | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cards:
    """Which devices runs may take. names: GPUs by uuid, or the processors as one. needed: how many a run takes."""

    names: tuple[str, ...]
    needed: Callable[[PlannedRun], int]
    are_gpus: bool


@dataclasses.dataclass
class _Group:
    """One server configuration at work. server: what is asked for instead, once memory ran out; reduced: how."""

    serving: SharedServer
    server: ServerRequest | None = None
    reduced: tuple[str, ...] = ()


class Lane:
    """One of the workers of a sweep. Several, in processes of their own, never take the same server configuration."""

    def __init__(
        self,
        folder: SweepFolder,
        sweep: Sweep,
        planned: Sequence[PlannedRun],
        *,
        cards: Cards,
        display: Display,
        held: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._folder = folder
        self._sweep = sweep
        self._count = len(planned)
        self._groups = [tuple(group) for _, group in itertools.groupby(planned, key=lambda each: each.group)]
        self._cards = cards
        self._display = display
        self._held = held
        self._prefetch = Prefetch()

    def work(self) -> None:
        """Until nothing is left that nobody else works on. A run that fails is recorded, and the next one begins.

        Raises Interrupted, and ResultsError when records can't be kept.
        """
        try:
            while self._pass():
                pass
        finally:
            self._prefetch.stop()

    def _pass(self) -> bool:
        """Once through all configurations; whether there was anything to do."""
        did = False
        for number, group in enumerate(self._groups):
            with self._folder.claim_group(group[0].group) as ours:
                todo = self._todo(group) if ours else []
                did = did or bool(todo)
                self.do(todo, following=self._groups[number + 1 : number + 2])
        return did

    def _todo(self, group: Sequence[PlannedRun]) -> list[ToDo]:
        known = self._folder.runs(warn=self._display.say)
        again = self._folder.asked_again()
        todo = []
        for planned in group:
            # A sweep that has no run yet needs no fingerprints, whose making reads whole models.
            found = known.get(planned.fingerprint) if known else None
            if found is None:
                todo.append(ToDo(planned, None, planned.spec))
                continue
            folder, record = found
            status = folder.effective_status(record)
            if status is RunStatus.INTERRUPTED or (
                status is RunStatus.FAILED and planned.fingerprint in again
            ):
                reduced = record.sweep is not None and record.sweep.reduced
                resume = folder.run_id if record.server and not reduced else None
                todo.append(ToDo(planned, resume, planned.spec))
        return todo

    def do(self, todo: Sequence[ToDo], *, following: Sequence[Sequence[PlannedRun]] = ()) -> None:
        """The runs of one server configuration, on one server, as soon as there are devices for it.

        following: the next configuration, whose model's file is read ahead. Raises Interrupted, ResultsError.
        """
        if todo:
            with self._devices(todo[0].planned):
                self._do(todo, following)

    def _do(self, todo: Sequence[ToDo], following: Sequence[Sequence[PlannedRun]]) -> None:
        group = _Group(SharedServer())
        try:
            for number, (planned, resume, spec) in enumerate(todo):
                self._display.say(f"\n[{planned.index + 1}/{self._count}] {planned.label}")
                place = SweepPlace(
                    sweep_id=self._sweep.sweep_id,
                    fingerprint=planned.fingerprint,
                    label=planned.label,
                    nonce=self._sweep.nonce,
                )
                self._folder.begin_again(place.fingerprint)
                if spec is None:
                    self._refused(planned, place, planned.error)
                    continue
                for after in following:
                    self._fetch_ahead(after[0])
                    following = ()
                group.serving.keep = number + 1 < len(todo)
                now = dataclasses.replace(spec, resume=resume, expansions=planned.expansions)
                self._until_it_fits(now, planned, place, group)
        finally:
            group.serving.close()

    def _until_it_fits(self, spec: RunSpec, planned: PlannedRun, place: SweepPlace, group: _Group) -> None:
        """One run; again with less where memory ran out and the sweep may reduce."""
        while True:
            if group.server is not None:
                spec = with_server(spec, group.server)
            place = msgspec.structs.replace(place, reduced=group.reduced)
            try:
                error = self._run(spec, place, group.serving)
            except (UsageError, ServerError) as refused:  # seen before there was a run
                self._refused(planned, place, refused)
                return
            less = None
            if isinstance(error, ServerOutOfMemory) and self._sweep.on_oom == "reduce":
                less = smaller(spec.server, planned.asked, error.where)
            if less is None:
                return
            self._display.say(f"memory ran out; once more with {less.what}")
            group.serving.close()
            group.serving = SharedServer(keep=group.serving.keep)
            group.server, group.reduced = less.server, (*group.reduced, less.what)
            spec = dataclasses.replace(spec, resume=None)

    def _run(self, spec: RunSpec, place: SweepPlace, serving: SharedServer) -> BenchError | None:
        """Why it failed. Raises Interrupted, ResultsError; UsageError, ServerError where there was no run yet."""
        try:
            finished = run(spec, self._display, self._held, serving=serving, place=place)
        except ResultsError as error:
            if spec.resume is None:
                raise
            self._display.say(f"note: {error.message}; it begins anew")
            anew = dataclasses.replace(spec, resume=None)
            finished = run(anew, self._display, self._held, serving=serving, place=place)
        self._display.say(outcome(finished.record))
        if isinstance(finished.error, Interrupted | ResultsError):
            raise finished.error
        return finished.error

    def _refused(self, planned: PlannedRun, place: SweepPlace, error: BenchError | None) -> None:
        """A run that could not even begin is in the log too."""
        now = dt.datetime.now(dt.UTC)
        benchmark = str(planned.options.get("benchmark") or "benchmark")
        model = str(planned.options.get("model") or "model")
        folder = RunFolder.create(self._folder.results_dir, benchmark, Path(model).name, now)
        record = RunRecord(
            run_id=folder.run_id,
            timestamp=now.isoformat(timespec="seconds"),
            status=RunStatus.FAILED,
            benchmark=benchmark,
            model=Path(model).name,
            config={},
            sweep=place,
            error=ErrorRecord(
                kind=error.kind if error else "usage",
                message=error.message if error else "it can't work",
                hint=error.hint if error else "",
            ),
        )
        folder.write_record(record)
        RunLog(self._folder.results_dir / RUN_LOG_NAME, warn=self._display.say).append(record)
        self._display.say(outcome(record))

    def _fetch_ahead(self, planned: PlannedRun) -> None:
        model = planned.spec.server.model if planned.spec else None
        if model is not None:
            self._prefetch.start(model.files(), lambda: planned.fingerprint)

    @contextlib.contextmanager
    def _devices(self, planned: PlannedRun) -> Iterator[None]:
        """Have them for this configuration, and show the server no others."""
        cards = self._cards
        with lease(
            cards.names,
            min(cards.needed(planned), len(cards.names)),
            on_wait=lambda: self._display.say("waiting for a device that another sweep uses"),
        ) as names:
            if not cards.are_gpus or len(names) == len(cards.names):
                yield
                return
            before = os.environ.get("CUDA_VISIBLE_DEVICES")
            os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(names)
            try:
                yield
            finally:
                if before is None:
                    del os.environ["CUDA_VISIBLE_DEVICES"]
                else:
                    os.environ["CUDA_VISIBLE_DEVICES"] = before


def outcome(record: RunRecord) -> str:
    """A run's end in a line."""
    if record.status is not RunStatus.SUCCEEDED:
        return f"{record.status}: {record.error.message if record.error else 'unknown'}"
    seconds = f" in {record.results.time_taken:.0f} s" if record.results.time_taken else ""
    score = record.score.score if record.score else None
    return f"done{seconds}" if score is None else f"score {score:.1f} of 100{seconds}"
