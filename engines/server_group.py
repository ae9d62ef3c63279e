"""Do the runs of one server configuration one after another on one server. A failed run doesn't stop the rest."""

from __future__ import annotations

import contextlib
import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from engines.less_memory import lowered, smaller
from engines.model_family import decides_its_style, model_family
from engines.shared_server import SharedServer
from results.errors import (
    BenchError,
    Interrupted,
    ResultsError,
    ResumeMismatch,
    ServerOutOfMemory,
    UsageError,
)
from results.prompts.optimisation import optimisation_of
from results.records import ErrorRecord, RunRecord, RunStatus
from results.store.runs import Runs
from results.sweep_place import SweepPlace
from results.views.sweep_text import reduction_text
from runner.machine import this_machine
from runner.run import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from types import TracebackType
    from typing import Self

    from engines.planned_run import PlannedRun
    from results.store.family_styles import StyleClaim
    from results.store.sweep_folder import SweepFolder
    from results.sweep_place import Reduction
    from runner.display import Display
    from runner.run import FinishedRun
    from runner.spec import RunSpec
    from servers.request import ServerRequest


class ToDo(NamedTuple):
    """A run to do. spec: what to do now; None if it can't work. reduced: settings lowered because memory ran out.
    resume: the id of the run to continue.
    """

    planned: PlannedRun
    spec: RunSpec | None
    reduced: tuple[Reduction, ...] = ()
    resume: str | None = None


class ServerGroup:
    """Runs on a shared server. As a context manager it stops the server at the end.

    nonce: a suffix of the model's name at the server. may_reduce: if memory runs out, whether to try with less.
    """

    def __init__(
        self,
        folder: SweepFolder,
        *,
        nonce: str,
        may_reduce: bool,
        display: Display,
        held: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._folder = folder
        self._runs = Runs(folder.results_dir, display.say)
        self._nonce = nonce
        self._may_reduce = may_reduce
        self._display = display
        self._held = held
        self._serving = SharedServer()
        self._server: ServerRequest | None = None  # requested instead, after memory ran out
        self._reduced: tuple[Reduction, ...] = ()  # what it has less

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._serving.close()

    def do(self, todo: ToDo, *, more: bool) -> None:
        """Do one run; if memory runs out and `may_reduce`, try again with less. more: other runs follow.

        Raises Interrupted, and ResultsError if records can't be written. Any other error is in the run's record.
        """
        if todo.spec is None:
            self.refuse(todo.planned, todo.planned.error or UsageError("it can't work"))
            return
        self._serving.keep = more
        spec, reduced, resume = todo.spec, todo.reduced, todo.resume
        if reduced:
            self._server, self._reduced = spec.server, reduced
        elif self._server is not None and resume is None:  # a continued run keeps its settings
            spec = lowered(spec, gpu_layers=self._server.gpu_layers, ctx_size=self._server.ctx_size)
            reduced = self._reduced
        while True:
            error = self._run(spec, todo.planned, reduced, resume)
            less = None
            if isinstance(error, ServerOutOfMemory) and self._may_reduce:
                cards_bytes = this_machine(self._folder.results_dir).cards_bytes
                less = smaller(spec.server, todo.planned.needs, error.where, cards_bytes)
            if less is None:
                return
            self._display.say(f"memory ran out; trying again with {reduction_text(less.reduction)}")
            reduced = (*reduced, less.reduction)
            self._server, self._reduced = less.server, reduced
            spec, resume = spec.with_server(less.server), None

    def _run(
        self, spec: RunSpec, planned: PlannedRun, reduced: tuple[Reduction, ...], resume: str | None
    ) -> BaseException | None:
        """Do the run. Returns the error if it failed."""
        try:
            try:
                finished = self._run_as(spec, planned, reduced, resume)
            except ResumeMismatch as error:
                self._display.say(f"note: {error.message}; starting it from the beginning")
                finished = self._run_as(spec, planned, reduced, None)
        except ResultsError:
            raise
        except BenchError as refused:  # before the run began
            self.refuse(planned, refused)
            return refused
        self._display.say(outcome(finished.record))
        if isinstance(finished.error, Interrupted | ResultsError):
            raise finished.error
        return finished.error

    def _run_as(
        self, spec: RunSpec, planned: PlannedRun, reduced: tuple[Reduction, ...], resume: str | None
    ) -> FinishedRun:
        with self._style(spec) as style:
            return run(
                spec,
                self._runs,
                self._display,
                self._held,
                resume=resume,
                serving=self._serving,
                place=self._place(planned, reduced=reduced, resume=resume),
                style=style,
            )

    def _style(self, spec: RunSpec) -> AbstractContextManager[StyleClaim | None]:
        """In which style the model's family is asked, where nobody said it."""
        family = model_family(spec) if decides_its_style(spec) else ""
        return self._folder.styles.claim(family) if family else contextlib.nullcontext()

    def refuse(self, planned: PlannedRun, error: BenchError) -> None:
        """Log a run that could not even begin."""
        now = dt.datetime.now(dt.UTC)
        benchmark = str(planned.asked.get("benchmark") or "benchmark")
        model = Path(str(planned.asked.get("model") or "model")).name
        entry = self._runs.new(benchmark, model, now)
        record = RunRecord(
            run_id=entry.folder.run_id,
            timestamp=now.isoformat(timespec="seconds"),
            status=RunStatus.FAILED,
            benchmark=benchmark,
            model=model,
            config={},
            sweep=self._place(planned),
            error=ErrorRecord(kind=error.kind, message=error.message, hint=error.hint),
        )
        with entry.claim(), self._held():
            entry.finish(record)
        self._display.say(outcome(record))

    def _place(
        self, planned: PlannedRun, *, reduced: tuple[Reduction, ...] = (), resume: str | None = None
    ) -> SweepPlace:
        """The run's place in the sweep. resume: the id of the run to continue; None for a new one."""
        newest = self._folder.runs(warn=self._display.say).get(planned.fingerprint)
        tries = 0
        if newest is not None and newest[1].sweep is not None:
            tries = newest[1].sweep.earlier_tries + (newest[0].run_id != resume)
        return SweepPlace(
            sweep_id=self._folder.sweep_id,
            fingerprint=planned.fingerprint,
            label=planned.label,
            nonce=self._nonce,
            reductions=reduced,
            earlier_tries=tries,
        )


def outcome(record: RunRecord) -> str:
    """A run's outcome in one line."""
    if record.status is not RunStatus.SUCCEEDED:
        return f"{record.status}: {record.error.message if record.error else 'unknown'}"
    seconds = f" in {record.results.time_taken:.0f} s" if record.results.time_taken else ""
    score = record.score.score if record.score else None
    end = optimisation_of(record.score.details) if record.score else None
    if end is not None:
        return f"{end.says}{seconds}"
    return f"done{seconds}" if score is None else f"score {score:.1f} of 100{seconds}"
