"""Keep a server working while it is measured: notice when it ends or hangs, and restart it.

A hanging server may still answer /health. So `progress` asks it for a marker that changes whenever it does some work,
`Stall` judges a series of markers, and `Watchdog` acts.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from results.errors import ServerExited, ServerOutOfMemory
from servers.http_probe import request
from servers.metrics import read_work
from servers.start_failure import exhausted_memory

if TYPE_CHECKING:
    from collections.abc import Callable

    from results.records import Incident
    from servers.supervisor import Server

STALL_TIMEOUT_S = 120.0  # longer than a batch of prompt processing on a slow CPU
ASK_TIMEOUT_S = 2.0
MARK_S = 5.0  # how often to ask for progress: often enough for any useful stall timeout


class Progress(NamedTuple):
    """A marker. It differs from an earlier one exactly if the server has done something in between.

    in_flight: requests that the server is processing or queueing; None if it did not answer.
    """

    in_flight: int | None
    counters: tuple[Any, ...]


NO_ANSWER = Progress(None, ())


def progress(server: Server, *, timeout_s: float = ASK_TIMEOUT_S) -> Progress | None:
    """The server's marker, from llama.cpp's /slots, otherwise from /metrics (vLLM, llama.cpp).

    NO_ANSWER if it does not answer within timeout_s, which counts as no progress. None if it answers but has neither
    page, so nothing is known.
    """
    plan = server.plan
    paths = ("/metrics", "/slots") if plan.kind == "vllm" else ("/slots", "/metrics")
    for path in paths:
        answer = request(plan.base_url, path, api_key=plan.api_key, timeout_s=timeout_s)
        if answer is None:
            return NO_ANSWER
        if answer.status == 200:
            marker = from_slots(answer.json()) if path == "/slots" else from_metrics(answer.page())
            if marker is not None:
                return marker
    return None


def from_slots(slots: Any) -> Progress | None:
    """The marker from the JSON of llama-server's /slots; None for anything else."""
    if not isinstance(slots, list) or not all(isinstance(slot, dict) for slot in slots) or not slots:
        return None
    busy = sum(bool(slot.get("is_processing")) for slot in slots)
    return Progress(busy, tuple(_slot_marker(slot) for slot in slots))


def _slot_marker(slot: dict[str, Any]) -> tuple[Any, ...]:
    following = slot.get("next_token")
    if isinstance(following, list):  # since 2025, a list with one item
        following = following[0] if following else None
    decoded = following.get("n_decoded") if isinstance(following, dict) else None
    marks = (
        slot.get("is_processing"),
        slot.get("id_task"),
        slot.get("n_prompt_tokens_processed"),
        decoded,
    )
    # Drop nested values, because comparing them could recurse too deeply.
    return tuple(mark if isinstance(mark, int | float | str) else None for mark in marks)


def from_metrics(text: str) -> Progress | None:
    """The marker from a Prometheus page of vLLM or llama.cpp; None if it has none of their counters."""
    work = read_work(text)
    if not work:
        return None
    in_flight = work.get("requests_running", 0.0) + work.get("requests_waiting", 0.0)
    return Progress(int(in_flight), tuple(sorted(work.items())))


class Stall(msgspec.Struct):
    """Detects that a server with work to do has made no progress for timeout_s. Pure: the caller provides the time."""

    timeout_s: float = STALL_TIMEOUT_S
    _marker: tuple[Any, ...] | None = None
    _since: float | None = None

    def update(self, now: float, marker: tuple[Any, ...] | None, in_flight: int) -> bool:
        """True once there has been no progress for timeout_s.

        now: seconds of a monotonic clock. marker: from `progress`, or any tuple that changes with work; None means that
        nothing is known, so there is no verdict. in_flight: unanswered requests, as counted by the client; without any,
        the server may rest.
        """
        if marker is None or in_flight <= 0:
            self.reset()
            return False
        # "No answer" after a marker is no progress, nor is the same marker after "no answer".
        moved = marker not in (NO_ANSWER, self._marker)
        if marker != NO_ANSWER:
            self._marker = marker
        if moved or self._since is None:
            self._since = now
        return now - self._since >= self.timeout_s

    def reset(self) -> None:
        """Start over, after a restart."""
        self._marker = None
        self._since = None


class Watchdog:
    """Watches one server while one script uses it.

    on_incident: called with the incident before each restart. say: called with a sentence about it.
    """

    def __init__(
        self,
        server: Server,
        *,
        stall_timeout_s: float,
        max_restarts: int,
        on_incident: Callable[[Incident], None],
        say: Callable[[str], None],
    ) -> None:
        self._server = server
        self._stall = Stall(stall_timeout_s)
        self._next_mark = time.monotonic()
        self._max_restarts = max_restarts
        self._restarts = 0
        self._on_incident = on_incident
        self._say = say

    def watched(self) -> tuple[int, ...]:
        """Descriptors that become readable when the server ends."""
        return () if self._server.process is None else (self._server.process.fileno(),)

    def look(self, in_flight: int | None, meanwhile: Callable[[], None]) -> None:
        """Return with a working server; if it has ended or hangs, restart it.

        in_flight: unanswered requests, as counted by the script; None if it doesn't report them. meanwhile: called
        while it restarts; what it raises ends that. Raises ServerError if no restart is left or a restart fails.
        """
        trouble = self._trouble(in_flight)
        while trouble is not None:
            self._require_restart_left(trouble)
            self._restarts += 1
            self._say(f"{trouble}; restarting it ({self._restarts} of {self._max_restarts})")
            incident = self._server.incident(trouble)
            self._on_incident(incident)
            trouble = None
            try:
                self._server.restart(incident, meanwhile)
            except ServerExited as error:  # before it was ready
                trouble = f"restarted, {error.message}"
            self._stall.reset()

    def _trouble(self, in_flight: int | None) -> str | None:
        """What is wrong, or None. A server that reports no progress is not judged; the script's timeout remains."""
        if self._server.poll() is not None:
            return "the server ended during the run"
        now = time.monotonic()
        if now < self._next_mark:
            return None
        timeout_s = self._stall.timeout_s
        self._next_mark = now + min(MARK_S, timeout_s / 4)
        marker = progress(self._server)
        if in_flight is None and marker is not None:
            in_flight = 1 if marker.in_flight is None else marker.in_flight
        if self._stall.update(time.monotonic(), marker, in_flight or 0):
            return f"the server made no progress for {timeout_s:.0f} s"
        return None

    def _require_restart_left(self, trouble: str) -> None:
        if self._restarts < self._max_restarts:
            return
        ended = self._server.poll()
        how = f": {ended.describe()}" if ended else ""
        after = (
            f", after {self._restarts} restarts, the most that --max-restarts allows"
            if self._restarts
            else ""
        )
        where = exhausted_memory(self._server.log.text())
        facts: dict[str, Any] = {
            "hint": "see the server's log below; what is finished is kept, and --resume continues from there",
            "log_tail": self._server.log.tail(),
            "command": self._server.plan.argv,
        }
        if where:
            raise ServerOutOfMemory(f"{trouble}{how}{after}", where=where, **facts)
        raise ServerExited(f"{trouble}{how}{after}", **facts)
