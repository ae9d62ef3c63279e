"""Sees a server that is healthy but does not move: it answers /health while its engine hangs.

`progress` asks the server for a marker that changes whenever it did some work; `Stall` judges a series of
them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from servers.http_probe import request
from servers.metrics import read_work

if TYPE_CHECKING:
    from servers.supervisor import Server

STALL_TIMEOUT_S = 120.0  # longer than one batch of prompt processing takes on a slow CPU
ASK_TIMEOUT_S = 2.0


class Progress(NamedTuple):
    """A marker: it differs from an earlier one exactly when the server did something meanwhile.

    in_flight: requests that the server works on or that wait in it; None: it did not answer.
    """

    in_flight: int | None
    counters: tuple[Any, ...]


NO_ANSWER = Progress(None, ())


def progress(server: Server, *, timeout_s: float = ASK_TIMEOUT_S) -> Progress | None:
    """The server's marker: from llama.cpp's /slots, else from /metrics (vLLM, llama.cpp).

    NO_ANSWER when it does not answer in timeout_s, which is no progress. None when it answers but offers
    neither: nothing is known.
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
    """The marker from the JSON of llama-server's /slots; None when it is something else."""
    if not isinstance(slots, list) or not all(isinstance(slot, dict) for slot in slots) or not slots:
        return None
    busy = sum(bool(slot.get("is_processing")) for slot in slots)
    return Progress(busy, tuple(_slot_marker(slot) for slot in slots))


def _slot_marker(slot: dict[str, Any]) -> tuple[Any, ...]:
    following = slot.get("next_token")
    if isinstance(following, list):  # since 2025 a list of one
        following = following[0] if following else None
    decoded = following.get("n_decoded") if isinstance(following, dict) else None
    marks = (
        slot.get("is_processing"),
        slot.get("id_task"),
        slot.get("n_prompt_tokens_processed"),
        decoded,
    )
    # Nothing that is nested: comparing it could be too deep.
    return tuple(mark if isinstance(mark, int | float | str) else None for mark in marks)


def from_metrics(text: str) -> Progress | None:
    """The marker from a Prometheus page of vLLM or llama.cpp; None when it has none of their counters."""
    work = read_work(text)
    if not work:
        return None
    in_flight = work.get("requests_running", 0.0) + work.get("requests_waiting", 0.0)
    return Progress(int(in_flight), tuple(sorted(work.items())))


@dataclass
class Stall:
    """Says when a server with work to do made no progress for timeout_s. Pure: the caller brings the time."""

    timeout_s: float = STALL_TIMEOUT_S
    _marker: tuple[Any, ...] | None = field(default=None, init=False)
    _since: float | None = field(default=None, init=False)

    def update(self, now: float, marker: tuple[Any, ...] | None, in_flight: int) -> bool:
        """True once nothing has moved for timeout_s.

        now: seconds of a monotonic clock. marker: from `progress`, or any tuple that changes with work.
        None: nothing is known, so nothing is judged. in_flight: requests sent and not yet answered, as the
        client counts them; with none the server may rest.
        """
        if marker is None or in_flight <= 0:
            self.reset()
            return False
        # "No answer" after a marker, and the same marker after "no answer", are no progress.
        moved = marker not in (NO_ANSWER, self._marker)
        if marker != NO_ANSWER:
            self._marker = marker
        if moved or self._since is None:
            self._since = now
        return now - self._since >= self.timeout_s

    def reset(self) -> None:
        """Begin anew: after a restart."""
        self._marker = None
        self._since = None
