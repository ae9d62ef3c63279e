"""All errors that this project raises on purpose.

Reported                            exit code
├── BenchError
│   ├── UsageError                  2    bad usage or bad manifest
│   ├── ServerError                 3    the server ...
│   │   ├── ServerExited                 ... exited, before it was ready or later
│   │   │   └── ServerOutOfMemory        ... because a device or the machine ran out of memory
│   │   ├── ServerNotReady               ... was not ready in time
│   │   ├── ServerNotOurs                ... that answers is not the one that we started
│   │   └── RateLimited                  ... refuses requests for its rate limits for too long
│   ├── ScriptError                 4    the benchmark's script failed or ran out of time
│   ├── CapReached                  10   a cap on cost or tokens
│   ├── ParseError                  5    its output could not be parsed
│   └── ResultsError                6    log unreadable or newer, resume mismatch, disk full
│       ├── ResumeMismatch               ... the run to resume was made with other settings
│       ├── NewerRecord                  ... a record has a newer schema than this program reads
│       └── NotComparable           9    two runs can't be compared, so a gate has no verdict
└── Interrupted                     130 / 143   by SIGINT / SIGTERM or SIGHUP

A BenchError is an Exception. Interrupted is not, so that no `except Exception` swallows a Ctrl-C. A program's main
function catches Reported and turns it into a message and an exit code. Anything else is a bug and exits with 1.
"""

from __future__ import annotations

from typing import Any

SAME_COMMAND = "run the same command again"  # a script's advice; of a run, it needs --resume as well


class Reported(BaseException):
    """Ends a program with a message for its user and an exit code. Only main functions catch it.

    message: what happened and where. hint: one thing to try. log_tail: the last lines of the log that explains it.
    command: the exact command line that failed. settings: names of the settings that it is about, the one to change
    first.
    """

    exit_code = 1
    kind = "unexpected"

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        log_tail: str = "",
        command: tuple[str, ...] = (),
        settings: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.log_tail = log_tail
        self.command = command
        self.settings = settings


class BenchError(Reported, Exception):
    """An error that a user can understand and act on."""


class UsageError(BenchError):
    exit_code = 2
    kind = "usage"


class ServerError(BenchError):
    exit_code = 3
    kind = "server"


class ServerExited(ServerError):
    """The server's process ended on its own."""

    kind = "server_exited"


class ServerOutOfMemory(ServerExited):
    """The server ran out of memory; fewer layers or a smaller context may help.

    where: "device" or "host".
    """

    kind = "out_of_memory"

    def __init__(self, message: str, *, where: str, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.where = where


class ServerNotReady(ServerError):
    """The server is running but was not ready in time."""

    kind = "server_not_ready"


class ServerNotOurs(ServerError):
    """The server that answers on the port is not the process that we started."""

    kind = "server_not_ours"


class RateLimited(ServerError):
    """A provider takes no more requests for now: the run counts as interrupted, and goes on later.

    What is on its way is still answered, and kept.
    """

    kind = "rate_limited"


class ScriptError(BenchError):
    exit_code = 4
    kind = "script"


class CapReached(BenchError):
    """The run has spent what it may: it counts as interrupted, and a higher cap lets it go on."""

    exit_code = 10
    kind = "cap_reached"


class ParseError(BenchError):
    exit_code = 5
    kind = "parse"


class ResultsError(BenchError):
    exit_code = 6
    kind = "results"


class ResumeMismatch(ResultsError):
    """The run to resume was made with other settings or another model.

    Its folder and the run log stay unchanged.
    """

    kind = "resume_mismatch"


class NewerRecord(ResultsError):
    """A record has a newer schema. It is never dropped, changed or rewritten."""

    kind = "newer_record"


class NotComparable(ResultsError):
    """Two runs can't be compared, or too little of them can. It is neither a pass nor a fail."""

    exit_code = 9
    kind = "not_comparable"


class Interrupted(Reported):
    """A signal stopped the program; finished work is kept. signal_number: SIGINT, SIGTERM or SIGHUP.

    Like KeyboardInterrupt, no `except Exception` catches it.
    """

    kind = "interrupted"

    def __init__(self, signal_number: int, message: str = "interrupted", *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.signal_number = signal_number
        self.exit_code = 130 if signal_number == 2 else 143
