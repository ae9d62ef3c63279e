"""A run's server: launched for this run alone, shared by several runs, or attached."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Protocol

from runner.attached import AttachedServer
from servers.http_probe import request
from servers.launch import plan as make_plan
from servers.metrics import read_metrics
from servers.supervisor import launch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from processes.process import ManagedProcess
    from results.telemetry import ServerReading
    from servers.plan import LaunchPlan
    from servers.request import ServerRequest
    from servers.supervisor import Server


class Held(NamedTuple):
    """A server that is ready. is_new: whether it was started for this run, not for an earlier one."""

    server: Server
    is_new: bool


class Serving(Protocol):
    """Provides a run's server and takes it back."""

    def plan(self, request: ServerRequest, *, nonce: str) -> LaunchPlan:
        """Like `servers.launch.plan`, or the plan of the server that is already running."""

    def will_start(self, plan: LaunchPlan) -> bool:
        """Whether `acquire` starts a server."""

    def acquire(self, launch: Callable[[], Server], *, log_path: Path) -> Held:
        """The server that `launch` starts, or the one that is already running. Raises what `launch` raises.

        log_path: the run's log, which gets what the server prints during the run.
        """

    def pause(self) -> None:
        """Stop a server that is kept for later runs, so that another one can have its memory."""

    def release(self, server: Server, error: BaseException | None) -> float | None:
        """Take back the server after the run, which may have failed with `error`.

        Returns the seconds that stopping took; None if the server stays up.
        """


class OwnServer:
    """Gives each run its own server."""

    def plan(self, request: ServerRequest, *, nonce: str) -> LaunchPlan:
        return make_plan(request, nonce=nonce)

    def will_start(self, plan: LaunchPlan) -> bool:
        return bool(plan.argv)

    def acquire(self, launch: Callable[[], Server], *, log_path: Path) -> Held:
        del log_path  # `launch` already writes there
        return Held(launch(), is_new=True)

    def pause(self) -> None:
        pass

    def release(self, server: Server, error: BaseException | None) -> float | None:
        del error
        return server.stop()


class MeasuredServer:
    """The server of one run. Its processes and metrics are available at any time, even while it starts.

    is_started: whether `acquire` starts a server. log_path, ready_timeout_s: see `servers.supervisor.launch`.
    """

    def __init__(self, plan: LaunchPlan, serving: Serving, *, log_path: Path, ready_timeout_s: float) -> None:
        self.is_started = serving.will_start(plan)
        self._plan = plan
        self._serving = serving
        self._log_path = log_path
        self._ready_timeout_s = ready_timeout_s
        self._attached = AttachedServer(plan.base_url) if plan.kind == "attach" else None
        self._starting: ManagedProcess | None = None
        self._server: Server | None = None

    def acquire(self, meanwhile: Callable[[], None]) -> Held:
        """The server, ready. meanwhile: called while it starts. Raises like `servers.supervisor.launch`."""
        held = self._serving.acquire(partial(self._launch, meanwhile), log_path=self._log_path)
        self._server = held.server
        return held

    def release(self, error: BaseException | None) -> float | None:
        """See `Serving.release`."""
        return None if self._server is None else self._serving.release(self._server, error)

    def pids(self) -> frozenset[int]:
        """Pids of its living processes."""
        if self._attached is not None:
            return self._attached.tree()
        process = self._starting if self._server is None else self._server.process
        return frozenset() if process is None else process.tree()

    def note_script(self, process: ManagedProcess) -> None:
        """The script is at work. Its processes are not the server's."""

    def metrics(self) -> ServerReading | None:
        """A reading of its /metrics; None if there is none."""
        answer = request(self._plan.base_url, "/metrics", api_key=self._plan.api_key)
        return read_metrics(answer.page()) if answer is not None and answer.status == 200 else None

    def _launch(self, meanwhile: Callable[[], None]) -> Server:
        return launch(
            self._plan,
            log_path=self._log_path,
            ready_timeout_s=self._ready_timeout_s,
            on_process=self._note_process,
            meanwhile=meanwhile,
        )

    def _note_process(self, process: ManagedProcess) -> None:
        self._starting = process
