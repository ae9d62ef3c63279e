"""Wait until a server can be measured: its process is alive, its health path returns 200, the listening socket belongs
to its process tree, /v1/models names our model, and one token has been generated.

A 200 on the port alone proves nothing, because it may come from another program.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

from results.errors import ServerError, ServerExited, ServerNotOurs, ServerNotReady, ServerOutOfMemory
from servers import model_list
from servers.http_probe import request
from servers.ports import foreign_holder, listening_inodes, port_holder, socket_inodes
from servers.start_failure import explain

if TYPE_CHECKING:
    from collections.abc import Callable

    from processes.process import Exit, ManagedProcess
    from servers.http_probe import Answer
    from servers.plan import LaunchPlan
    from servers.server_log import ServerLog

POLL_INTERVAL_S = 0.02
HEALTH_TIMEOUT_S = 2.0
LAST_TIMEOUT_S = 0.5  # a check that begins just before the deadline still gets this long
# OpenAI's reasoning models accept neither max_tokens nor a temperature.
NEWER_LIMIT = "max_completion_tokens"
PROBE_TIMEOUT_S = 120.0  # for the first token; a large model on a CPU may have to be read from disk first


class Readiness(msgspec.Struct, kw_only=True):
    """The checks of one start, until its deadline. Each returns "" if it passes, otherwise the reason in words."""

    plan: LaunchPlan
    process: ManagedProcess | None
    log: ServerLog
    deadline: float
    _was_ours: bool = False

    def healthy(self) -> str:
        """Check that the health path returns 200, and that whatever answers, even before that, is ours."""
        if not self.plan.health_path:
            return ""
        answer = request(self.plan.base_url, self.plan.health_path, timeout_s=self._at_most(HEALTH_TIMEOUT_S))
        if answer is None:
            return f"nothing answers at {self.plan.base_url}{self.plan.health_path}"
        if answer.status != 200:
            # While it loads, once is enough, because `ours` costs more than the poll. It is checked again after the
            # 200.
            self._was_ours = self._was_ours or not self.ours()
            return f"{self.plan.health_path} returned {answer.status} {answer.text(120)}".strip()
        return ""

    def ours(self) -> str:
        """Check that all sockets listening on the port belong to our process tree."""
        if self.process is None:
            return ""
        holder = self._foreign(self.process)
        if holder:
            # It may be ours after all, a worker that was started between two looks.
            time.sleep(POLL_INTERVAL_S)
            holder = self._foreign(self.process)
        if not holder:
            return ""
        if self.process.wait(0.25) is not None:
            return "it ended"  # ours couldn't get the port; the caller reports it with its log
        raise ServerNotOurs(
            f"port {self.plan.base_url.port} answers, but not from our server: {holder} listens there",
            hint="stop that process, or choose another port; to measure that server, use --server attach",
            log_tail=self.log.tail(),
            command=self.plan.argv,
        )

    def _foreign(self, process: ManagedProcess) -> str:
        listening = listening_inodes(self.plan.base_url.port)
        if listening and listening <= socket_inodes(process.pid):
            return ""  # the usual case; looking at all processes takes 15 ms
        holder = foreign_holder(self.plan.base_url.port, process.tree())
        if holder is not None:
            return holder.describe()
        return "" if listening_inodes(self.plan.base_url.port) else "no process on this machine"

    def named(self) -> str:
        """Check that /v1/models names our model."""
        expected = self.plan.model_name
        if expected is None:
            return ""
        path = f"{self.plan.base_url.api}/models"
        answer = self._ask(path)
        if answer is None:
            return f"{path} does not answer"
        if answer.status >= 500:
            return f"{path} returned {answer.status}"
        names = model_list.names(answer)
        if answer.status == 200 and expected in names:
            return ""
        says = f"offers {model_list.listed(names)}" if names else f"says {answer.status} {answer.text(120)}"
        raise ServerNotOurs(
            f"the server does not offer the model {expected!r}: {path} {says}",
            hint="use the name that the server lists" if self.plan.kind == "attach" else "",
            log_tail=self.log.tail(),
            command=self.plan.argv,
        )

    def generates(self) -> str:
        """Generate one real token, because a server may report that it is healthy while its engine is dead."""
        name = self.plan.model_name
        common: dict[str, Any] = {} if name is None else {"model": name}
        timeout_s = self._at_most(PROBE_TIMEOUT_S)
        path = f"{self.plan.base_url.api}/completions"
        began = time.monotonic()
        answer = self._ask(path, {"prompt": "Hello", "max_tokens": 1, **common}, timeout_s)
        if answer is not None and answer.status in {404, 405, 501}:
            path = f"{self.plan.base_url.api}/chat/completions"
            common["messages"] = [{"role": "user", "content": "Hello"}]
            answer = self._ask(path, {"max_tokens": 1, **common}, timeout_s)
            if answer is not None and answer.status in {400, 422} and NEWER_LIMIT in answer.text():
                answer = self._ask(path, {NEWER_LIMIT: 16, **common}, timeout_s)
        if answer is not None and answer.status == 200:
            return ""
        if answer is None and time.monotonic() - began >= timeout_s:
            self._not_ready(f"it is healthy, but generated no token on {path} in {timeout_s:.1f} s")
        if answer is None:
            return f"{path} does not answer"
        if answer.status in {429, 503}:
            return f"{path} returned {answer.status} {answer.text(120)}"
        return self._not_ready(f"it is healthy, but {path} returned {answer.status} {answer.text()}")

    def _at_most(self, seconds: float) -> float:
        return min(seconds, max(LAST_TIMEOUT_S, self.deadline - time.monotonic()))

    def _ask(self, path: str, body: object = None, timeout_s: float = HEALTH_TIMEOUT_S) -> Answer | None:
        timeout_s = self._at_most(timeout_s)
        answer = request(self.plan.base_url, path, api_key=self.plan.api_key, body=body, timeout_s=timeout_s)
        if answer is not None and answer.status in {401, 403}:
            raise ServerError(
                f"the server rejected the API key: {path} returned {answer.status} {answer.text(120)}",
                hint="set the key that the server expects",
                command=self.plan.argv,
            )
        return answer

    def _not_ready(self, why: str) -> NoReturn:
        raise ServerNotReady(
            f"the server is not usable: {why}",
            hint="is that the program of a model server? Start the command by hand, and ask it for /v1/models",
            log_tail=self.log.tail(),
            command=self.plan.argv,
        )


def wait_ready(
    plan: LaunchPlan,
    process: ManagedProcess | None,
    log: ServerLog,
    *,
    timeout_s: float,
    on_phase: Callable[[str], None] | None = None,
    meanwhile: Callable[[], None] | None = None,
    probe: bool = True,
) -> None:
    """Wait until the server can be measured, and return at once when it can.

    process: None for an attached server. on_phase: called with "loading", "checking", "probing". meanwhile: called at
    each look; what it raises ends the wait. probe: generate one token. Raises ServerExited with its cause,
    ServerNotReady after timeout_s or if it can't generate, and ServerNotOurs. Leaves the process running; the caller
    stops it.
    """
    deadline = time.monotonic() + timeout_s
    readiness = Readiness(plan=plan, process=process, log=log, deadline=deadline)
    checks: list[tuple[str, Callable[[], str]]] = [
        ("loading", readiness.healthy),
        ("checking", readiness.ours),
        ("checking", readiness.named),
    ]
    if probe:
        checks.append(("probing", readiness.generates))
    told = ""
    for phase, check in checks:
        if on_phase is not None and phase != told:
            on_phase(phase)
        told = phase
        while waiting_for := check():
            ended = _pause(process)
            if ended is not None:
                raise exited(plan, log, ended)
            if meanwhile is not None:
                meanwhile()
            if time.monotonic() >= deadline:
                if listening_inodes(plan.base_url.port):
                    readiness.ours()  # if a silent program holds the port, that is the better message
                raise ServerNotReady(
                    f"the server was not ready after {timeout_s:g} s: {waiting_for}",
                    hint="raise --ready-timeout if its log shows that it was still loading",
                    log_tail=log.tail(),
                    command=plan.argv,
                )
    ended = None if process is None else process.poll()
    if ended is not None:
        raise exited(plan, log, ended)


def exited(plan: LaunchPlan, log: ServerLog, ended: Exit) -> ServerExited:
    """The error for a server that ended before it was ready, with the cause if it is known."""
    reason = explain(ended, log.text(), plan.base_url.port, port_holder(plan.base_url.port))
    facts: dict[str, Any] = {"hint": reason.hint, "log_tail": log.tail(), "command": plan.argv}
    if reason.out_of_memory:
        return ServerOutOfMemory(reason.message, where=reason.out_of_memory, **facts)
    return ServerExited(reason.message, **facts)


def _pause(process: ManagedProcess | None) -> Exit | None:
    if process is None:
        time.sleep(POLL_INTERVAL_S)
        return None
    return process.wait(POLL_INTERVAL_S)  # an exit is seen at once
