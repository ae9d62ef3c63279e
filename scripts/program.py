"""The life of a benchmark program: arguments, events, signals, and an exit code for every end."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import signal
import traceback
from typing import TYPE_CHECKING, TypeVar

from results.errors import SAME_COMMAND, Interrupted, Reported, ScriptError
from sandbox import Limits, suspects
from scripts.events import Events

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

A = TypeVar("A")


class Unneeded(Exception):
    """Nobody needs what this program would do: it ends without a word."""


def run_program(
    read_arguments: Callable[[], A], main: Callable[[A, Events], Coroutine[None, None, None]]
) -> int:
    """Run it to its end and give the exit code: 0, 2, 3, 4, 6, 130 or 143, as the errors say; 1 is a bug."""
    events = Events()
    try:
        arguments = read_arguments()
        asyncio.run(_with_signals(main(arguments, events)))
    except Unneeded:
        return 128 + signal.SIGTERM
    except KeyboardInterrupt:  # before there was an event loop
        return _report(events, Interrupted(signal.SIGINT, "stopped by SIGINT"))
    except Reported as error:
        return _report(events, error)
    except (MemoryError, OSError, RuntimeError) as error:
        why = suspects(Limits()) if _starved(error) else ""
        if not why:
            raise
        traceback.print_exc()
        return _report(events, ScriptError(f"{type(error).__name__}: {error}", hint=why))
    return 0


def _starved(error: Exception) -> bool:
    """Whether it is what a program meets that may have no more threads, files or memory."""
    if isinstance(error, OSError):
        return error.errno in {errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOMEM}
    return isinstance(error, MemoryError) or "new thread" in str(error)


async def _with_signals(work: Coroutine[None, None, None]) -> None:
    """Turn the first SIGINT, SIGTERM or SIGHUP into a cancellation, and that into Interrupted.

    Later ones are ignored: a second cancellation would cut short what the first one has still to write.
    """
    received: list[signal.Signals] = []
    task = asyncio.ensure_future(work)

    def stop(number: signal.Signals) -> None:
        received.append(number)
        if len(received) == 1:
            task.cancel()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop, number)
    try:
        await task
    except asyncio.CancelledError:
        if not received:
            raise
        raise Interrupted(
            received[0],
            f"stopped by {received[0].name}",
            hint=f"{SAME_COMMAND}: what is finished is kept",
        ) from None


def _report(events: Events, error: Reported) -> int:
    """Gives the exit code."""
    with contextlib.suppress(Reported):
        events.emit("error", kind=error.kind, message=error.message, hint=error.hint, settings=error.settings)
    events.say(f"{error.message}" + (f" ({error.hint})" if error.hint else ""))
    return error.exit_code
