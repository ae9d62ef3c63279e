"""Where a run's server comes from: launched for it alone, or shared by the runs of one configuration."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, NamedTuple, Protocol

from results.durable import explained
from results.errors import BenchError, Interrupted, ServerError
from servers.launch import plan as make_plan
from servers.supervisor import launch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from processes.process import ManagedProcess
    from servers.plan import LaunchPlan
    from servers.request import ServerRequest
    from servers.supervisor import Server


class Held(NamedTuple):
    """A server that is ready. is_new: it was started for this run, and not for one before it."""

    server: Server
    is_new: bool


class Serving(Protocol):
    """Gives a run its server and takes it back."""

    def plan(self, request: ServerRequest, *, nonce: str) -> LaunchPlan:
        """As `servers.launch.plan`, or the plan of the server that runs already."""

    def will_start(self, plan: LaunchPlan) -> bool:
        """Whether `acquire` starts a server."""

    def acquire(
        self,
        plan: LaunchPlan,
        *,
        log_path: Path,
        ready_timeout_s: float,
        on_process: Callable[[ManagedProcess], None],
    ) -> Held:
        """As `servers.supervisor.launch`; raises the same."""

    def release(self, server: Server, error: BaseException | None) -> float | None:
        """The run is done with it, or failed with `error`. The seconds that stopping took; None: it stays up."""


class OwnServer:
    """Each run has a server of its own."""

    def plan(self, request: ServerRequest, *, nonce: str) -> LaunchPlan:
        return make_plan(request, nonce=nonce)

    def will_start(self, plan: LaunchPlan) -> bool:
        return bool(plan.argv)

    def acquire(
        self,
        plan: LaunchPlan,
        *,
        log_path: Path,
        ready_timeout_s: float,
        on_process: Callable[[ManagedProcess], None],
    ) -> Held:
        server = launch(plan, log_path=log_path, ready_timeout_s=ready_timeout_s, on_process=on_process)
        return Held(server, is_new=True)

    def release(self, server: Server, error: BaseException | None) -> float | None:
        del error
        return server.stop()


class SharedServer:
    """One server for runs that follow each other and ask for the same one.

    keep: set before each run: whether another run needs the server after it. A start that failed is not tried again:
    it would fail the next run in the same way. The log of the server is in the folder of the run that started it;
    each later run gets what was printed during it.
    """

    def __init__(self, *, keep: bool = False) -> None:
        self.keep = keep
        self._server: Server | None = None
        self._start_error: ServerError | None = None
        self._log_path: Path | None = None  # of a run that found the server running
        self._log_offset_bytes = 0

    def plan(self, request: ServerRequest, *, nonce: str) -> LaunchPlan:
        if self._server is not None and self._server.poll() is not None:  # it died since the last run
            self.close()
        return make_plan(request, nonce=nonce) if self._server is None else self._server.plan

    def will_start(self, plan: LaunchPlan) -> bool:
        return self._server is None and bool(plan.argv)

    def acquire(
        self,
        plan: LaunchPlan,
        *,
        log_path: Path,
        ready_timeout_s: float,
        on_process: Callable[[ManagedProcess], None],
    ) -> Held:
        if self._start_error is not None:
            raise self._start_error
        if self._server is not None and self._server.poll() is None:
            self._log_path = log_path
            self._log_offset_bytes = self._server.log_path.stat().st_size
            return Held(self._server, is_new=False)
        self.close()
        self._log_path = None
        try:
            self._server = launch(
                plan, log_path=log_path, ready_timeout_s=ready_timeout_s, on_process=on_process
            )
        except ServerError as error:
            self._start_error = error
            raise
        return Held(self._server, is_new=True)

    def release(self, server: Server, error: BaseException | None) -> float | None:
        kept = self.keep and (error is None or (isinstance(error, BenchError) and not _spoils(error)))
        seconds = None if kept else server.stop()
        if self._log_path is not None:
            append_from(server.log_path, self._log_offset_bytes, self._log_path)
        if not kept:
            self._server = None
        return seconds

    def close(self) -> None:
        """Stop the server. Is idempotent."""
        if self._server is not None:
            self._server.stop()
            self._server = None


def _spoils(error: BenchError) -> bool:
    """Whether a server that was there at this error should not serve another run."""
    return isinstance(error, ServerError | Interrupted)


def append_from(source: Path, offset_bytes: int, target: Path) -> None:
    """Append the rest of a file to another one. Raises ResultsError."""
    with explained("write", target), source.open("rb") as said, target.open("ab") as log:
        said.seek(offset_bytes)
        shutil.copyfileobj(said, log)
