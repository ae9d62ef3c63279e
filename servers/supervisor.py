"""Launch a server, keep it while it is measured, restart it if it dies, and end it whatever happens."""

from __future__ import annotations

import datetime as dt
import time
from typing import TYPE_CHECKING, Any, Self

from processes import process as processes
from results.errors import ServerError
from results.files import open_to_append
from results.records import Incident
from servers.effective import read_back
from servers.ports import require_free_port
from servers.readiness import wait_ready
from servers.server_log import ServerLog
from settings.secrets import environment_without_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from processes.process import Exit, ManagedProcess
    from servers.plan import LaunchPlan

STOP_GRACE_S = 5.0
FAILED_START_GRACE_S = 3.0  # shorter, because a server that never worked has nothing to lose


def launch(
    plan: LaunchPlan,
    *,
    log_path: Path,
    ready_timeout_s: float,
    on_phase: Callable[[str], None] | None = None,
    on_process: Callable[[ManagedProcess], None] | None = None,
    meanwhile: Callable[[], None] | None = None,
    probe: bool = True,
) -> Server:
    """Start the server and return it when it is ready. An `attach` plan is only checked.

    log_path: everything that the server prints is appended to it. on_phase: called with "starting", "loading",
    "checking", "probing", "ready". on_process: called with each started process at once, including restarts. meanwhile:
    see `wait_ready`. probe: generate one token before the server counts as ready.
    Raises UsageError (port in use, binary missing), ServerExited, ServerNotReady, ServerNotOurs. Whatever is raised,
    even from a signal handler, the started process is gone by then.
    """
    server = Server(plan, log_path, ready_timeout_s, on_phase, on_process=on_process, probe=probe)
    server.load_s = server._start(meanwhile)  # noqa: SLF001 - the class's own factory
    return server


class Server:
    """A server that is ready. As a context manager, it stops the server at the end.

    load_s: seconds from its first start until it was ready. process: None for an attached server. effective,
    differences: what it has really used since its last start, as in `servers.effective.read_back`.
    """

    def __init__(
        self,
        plan: LaunchPlan,
        log_path: Path,
        ready_timeout_s: float,
        on_phase: Callable[[str], None] | None,
        *,
        on_process: Callable[[ManagedProcess], None] | None,
        probe: bool,
    ) -> None:
        self.plan = plan
        self.log_path = log_path
        self.process: ManagedProcess | None = None
        self.load_s = 0.0
        self.effective: Mapping[str, Any] = {}
        self.differences: tuple[str, ...] = ()
        self._secrets = plan.secrets
        self.log = ServerLog.at_end(log_path, self._secrets)
        self._ready_timeout_s = ready_timeout_s
        self._on_phase = on_phase
        self._on_process = on_process
        self._probe = probe
        self._stop_s: float | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def _start(self, meanwhile: Callable[[], None] | None = None) -> float:
        began = time.monotonic()
        self._tell("starting")
        self.log = ServerLog.at_end(self.log_path, self._secrets)
        try:
            if self.plan.argv:
                require_free_port(self.plan.base_url.port, self.plan.base_url.host)
                self.process = processes.start(
                    self.plan.argv,
                    output=self.log_path,
                    env={**environment_without_keys(self.plan.own_keys), **self.plan.env},
                )
                if self._on_process is not None:
                    self._on_process(self.process)
            wait_ready(
                self.plan,
                self.process,
                self.log,
                timeout_s=self._ready_timeout_s,
                on_phase=self._on_phase,
                meanwhile=meanwhile,
                probe=self._probe,
            )
            seconds = time.monotonic() - began
            self.effective, self.differences = read_back(self.plan, self.log.text())
        except BaseException:
            self.stop(FAILED_START_GRACE_S)
            raise
        self._tell("ready")
        return seconds

    def poll(self) -> Exit | None:
        """How the server ended; None while it runs (and always for an attached one)."""
        return None if self.process is None else self.process.poll()

    def incident(self, reason: str) -> Incident:
        """The incident for the record. reason: what was observed ("no progress for 120 s")."""
        ended = self.poll()
        return Incident(
            time=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            what=reason if ended is None else f"{reason} ({ended.describe()})",
            log_tail=self.log.tail(),
        )

    def restart(self, incident: Incident, meanwhile: Callable[[], None] | None = None) -> None:
        """End what is left of the server, and start it again with the same command, port and log. meanwhile: see
        `wait_ready`.

        Raises like `launch`, with nothing left running, and ServerError for an attached server.
        """
        if self.process is None:
            raise ServerError(
                f"the server failed, and bench_runner did not start it, so it cannot restart it: {incident.what}",
                hint=f"restart the server at {self.plan.base_url}, then resume the run",
            )
        self.stop()
        self._stop_s = None
        with open_to_append(self.log_path) as log:
            log.write(f"\n--- restarted {incident.time}: {incident.what} ---\n".encode())
        self._start(meanwhile)

    def stop(self, grace_s: float = STOP_GRACE_S) -> float:
        """End the whole process tree. Returns the seconds that it took. Is idempotent; does nothing for `attach`."""
        if self._stop_s is None:
            began = time.monotonic()
            if self.process is not None:
                self.process.stop(grace_s)
            self._stop_s = time.monotonic() - began
        return self._stop_s

    def _tell(self, phase: str) -> None:
        if self._on_phase is not None:
            self._on_phase(phase)
