"""Run the benchmark's script as a subprocess, and follow it next to the server."""

from __future__ import annotations

import contextlib
import os
import select
import time
from typing import TYPE_CHECKING, Any, Protocol, Self

import msgspec

from parsers.contract import read_end
from processes import process as processes
from results.errors import CapReached, RateLimited, ResultsError, ResumeMismatch, ScriptError
from results.plain_text import tail
from results.standby import WAIT_VARIABLE
from runner.events import EventTail, last_error
from runner.script.standby import UNNEEDED_S

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from processes.process import Exit, ManagedProcess
    from runner.script.command import Script
    from runner.script.standby import Standby

OUTPUT_LIMIT_BYTES = 1 << 30  # of stdout, which parsers read whole; a script that prints more is broken
ERROR_WITHIN_BYTES = 64 << 10  # from its end: where a script says why it failed
STOP_S = 10.0  # for a script to end in order
LOOK_S = 0.1  # how often to look for new events; the end is seen at once


class ScriptRun(msgspec.Struct, frozen=True):
    """How the script ended. seconds: its whole time, including restarts of the server; not that before its server was
    there.
    """

    exit: Exit
    seconds: float


class Watching(Protocol):
    """Who looks after the server while a script is at work; see `servers.watchdog.Watchdog`."""

    def look(self, in_flight: int | None, meanwhile: Callable[[], None]) -> None: ...

    def watched(self) -> Sequence[int]: ...


class Outputs(Protocol):
    """Where a script's stdout and stderr go; a `RunFolder` says it of the benchmark's script."""

    @property
    def script_out(self) -> Path: ...

    @property
    def script_log(self) -> Path: ...


class _EndedError(Exception):
    """The script has, while its server restarts."""


class NothingToWatch:
    """Implements `Watching` for a script that needs no server."""

    def look(self, in_flight: int | None, meanwhile: Callable[[], None]) -> None:
        del in_flight, meanwhile

    def watched(self) -> tuple[int, ...]:
        return ()


class EarlyScript:
    """A script that loads while its server does, and waits for it. A context manager, whose end stops the script.

    standby: the program, if it is loading already.
    """

    def __init__(self, script: Script, folder: Outputs, standby: Standby | None = None) -> None:
        self._grace_s = UNNEEDED_S
        self.events = EventTail(folder.script_out)
        files = {"log": folder.script_log, "out": folder.script_out}
        taken = standby.take(script.command, script.environment, **files) if standby is not None else None
        if taken is not None:
            self.process, self._tell = taken
            return
        waits, self._tell = os.pipe()
        try:
            environment = {**script.environment, WAIT_VARIABLE: str(waits)}
            self.process = _started(
                msgspec.structs.replace(script, environment=environment), folder, passed=(waits,)
            )
        except BaseException:
            os.close(self._tell)
            raise
        finally:
            os.close(waits)

    def go(self) -> None:
        """The server is there. To be called once."""
        self._grace_s = STOP_S
        with contextlib.suppress(BrokenPipeError):  # it has ended already, as `run_script` will see
            os.write(self._tell, b"\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        try:
            self.process.stop(self._grace_s)
        finally:
            os.close(self._tell)


def run_script(
    script: Script,
    folder: Outputs,
    watchdog: Watching,
    *,
    on_event: Callable[[dict[str, Any]], None],
    on_process: Callable[[ManagedProcess], None] | None = None,
    early: EarlyScript | None = None,
) -> ScriptRun:
    """Run the script to its end while the watchdog keeps the server working. on_process: called with it at once. early:
    it, if it was started before its server, which is there now.

    Raises ScriptError (timeout, too much output) and ServerError (no restart left); the script is gone by then.
    """
    events = EventTail(folder.script_out) if early is None else early.events
    in_flight: int | None = None  # as the script counts; external scripts may not report it
    began = time.monotonic()
    with _started(script, folder) if early is None else early.process as process:
        if on_process is not None:
            on_process(process)
        if early is not None:
            early.go()

        def require_running() -> None:
            if process.poll() is not None:
                raise _EndedError

        while True:
            ended = process.poll()
            for event in events.read():
                in_flight = in_flight if event.get("in_flight") is None else event["in_flight"]
                on_event(event)
            if ended is not None:
                _drain(events, on_event)
                return ScriptRun(ended, time.monotonic() - began)
            if script.timeout_s is not None and time.monotonic() - began > script.timeout_s:
                raise ScriptError(
                    f"the script was still running after {script.timeout_s:g} s",
                    hint="raise --script-timeout; what is finished is kept, and --resume continues from there",
                )
            _require_small(folder.script_out)
            try:
                watchdog.look(in_flight, require_running)
            except _EndedError:
                continue
            select.select([process.fileno(), *watchdog.watched()], [], [], LOOK_S)


def _started(script: Script, folder: Outputs, *, passed: Sequence[int] = ()) -> ManagedProcess:
    return processes.start(
        script.command,
        output=folder.script_log,
        stdout=folder.script_out,
        env=script.environment,
        cwd=script.cwd,
        passed=passed,
    )


def require_success(ended: ScriptRun, folder: Outputs, *, said_from: int, command: tuple[str, ...]) -> None:
    """Raises ScriptError, CapReached, RateLimited, ResultsError or ResumeMismatch with the script's own words.

    said_from: where its output begins in the file, behind that of earlier tries.
    """
    if ended.exit.code == 0:
        return
    said_bytes = folder.script_out.stat().st_size - said_from
    last = last_error(read_end(folder.script_out, min(said_bytes, ERROR_WITHIN_BYTES)))
    if ended.exit.code == ResultsError.exit_code and last.get("message"):
        if last["kind"] == ResumeMismatch.kind:
            hint = "use the same settings as the first time, or start a new run without --resume"
            raise ResumeMismatch(last["message"], hint=last["hint"] if "rejudge" in last["hint"] else hint)
        raise ResultsError(last["message"], hint=last["hint"])
    if ended.exit.code == CapReached.exit_code and last.get("kind") == CapReached.kind:
        raise CapReached(last["message"], hint=last["hint"])
    if ended.exit.code == RateLimited.exit_code and last.get("kind") == RateLimited.kind:
        raise RateLimited(last["message"], hint=last["hint"])
    raise ScriptError(
        last.get("message") or f"the script failed: {ended.exit.describe()}",
        hint=last.get("hint") or f"see {folder.script_log}",
        log_tail=tail(read_end(folder.script_log, 8 << 10)),
        command=command,
    )


def _drain(events: EventTail, on_event: Callable[[dict[str, Any]], None]) -> None:
    position = -1
    while position != events.size_bytes:
        position = events.size_bytes
        for event in events.read():
            on_event(event)


def _require_small(printed: Path) -> None:
    if printed.exists() and printed.stat().st_size > OUTPUT_LIMIT_BYTES:
        raise ScriptError(
            f"the script printed more than {OUTPUT_LIMIT_BYTES >> 30} GiB into {printed}",
            hint="let it print less, or to stderr; one JSON line per event is enough",
        )
