"""One server for runs that follow each other on the same configuration."""

from __future__ import annotations

import dataclasses
import os
import shutil
from typing import TYPE_CHECKING

from processes.bounded_log import LOG_KEPT_BYTES
from results.durable import explained
from results.errors import BenchError, ResumeMismatch, ServerError
from results.files import open_to_append, open_to_read
from runner.fingerprint import digest
from runner.serving import Held
from servers.capacity.context_size import DEFAULT_CTX_SIZE
from servers.launch import plan as make_plan

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from servers.plan import LaunchPlan
    from servers.request import ServerRequest
    from servers.supervisor import Server


class SharedServer:
    """Keeps a server running for consecutive runs that request the same one, and stops it for a different one.

    keep: set before each run: whether another run follows. A failed start is not repeated, because it would fail the
    same way. The server's log is in the folder of the run that started it; each later run gets what was printed during
    that run. See `runner.serving.Serving`.
    """

    def __init__(self) -> None:
        self.keep = False
        self._key = ""  # of the running server or the failed start
        self._server: Server | None = None
        self._start_error: ServerError | None = None
        # If the run found the server running: its own log, and the length of the server's log at that time.
        self._log: tuple[Path, int] | None = None

    def plan(self, request: ServerRequest, *, nonce: str) -> LaunchPlan:
        key = server_key(request)
        is_other = key != self._key
        has_died = self._server is not None and self._server.poll() is not None
        if is_other or has_died:
            self.close()
        if is_other:
            self._key, self._start_error = key, None
        return make_plan(request, nonce=nonce) if self._server is None else self._server.plan

    def will_start(self, plan: LaunchPlan) -> bool:
        return self._server is None and bool(plan.argv)

    def acquire(self, launch: Callable[[], Server], *, log_path: Path) -> Held:
        if self._start_error is not None:
            raise self._start_error
        if self._server is not None and self._server.poll() is None:
            if self._server.process is not None:  # an attached server has no log here
                self._log = (log_path, self._server.log_path.stat().st_size)
            return Held(self._server, is_new=False)
        self.close()
        self._log = None
        try:
            self._server = launch()
        except ServerError as error:
            self._start_error = error
            raise
        return Held(self._server, is_new=True)

    def release(self, server: Server, error: BaseException | None) -> float | None:
        spoilt = error is not None and (not isinstance(error, BenchError) or isinstance(error, ServerError))
        # A run that may not go on gets its folder back as it was: the server must not go on writing there.
        spoilt = spoilt or (isinstance(error, ResumeMismatch) and self._log is None)
        kept = self.keep and not spoilt
        seconds = None if kept else server.stop()
        if self._log is not None:
            own, offset_bytes = self._log
            _append_from(server.log_path, offset_bytes, own)
        if not kept:
            self._server = None
        return seconds

    def pause(self) -> None:
        self.close()

    def close(self) -> None:
        """Stop the server. Is idempotent."""
        if self._server is not None:
            self._server.stop()
            self._server = None


def server_key(request: ServerRequest) -> str:
    """The same text for requests that may share one server."""
    facts = {field.name: getattr(request, field.name) for field in dataclasses.fields(request)}
    model = facts.pop("model")
    facts.pop("gpu_memory_bytes")  # of this machine
    longest = facts.pop("longest")
    facts["perplexity"] = request.perplexity is not None  # so that no server keeps its memory meanwhile
    facts["parallel"] = request.slots
    if longest is not None and request.ctx_size is None and longest.tokens > DEFAULT_CTX_SIZE:
        facts["longest"] = longest.tokens  # the context is chosen to hold it
    return digest({**facts, "model": str(model.path or model.name) if model else None})[:12]


def _append_from(source: Path, offset_bytes: int, target: Path) -> None:
    """Append the rest of a log to another one; if it was cut meanwhile, its last part. Raises ResultsError."""
    with explained("write", target), open_to_read(source) as said, open_to_append(target) as log:
        size = said.seek(0, os.SEEK_END)
        said.seek(offset_bytes if offset_bytes <= size else max(0, size - LOG_KEPT_BYTES))
        shutil.copyfileobj(said, log)
