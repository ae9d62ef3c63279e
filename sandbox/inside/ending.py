"""Runs inside the sandbox, in its zygote: what the end of a program comes to, where nobody said it.

Standard library only: this source stands before the zygote's own (sandbox/inside/zygote.py).
"""

import os
import signal
import typing
from typing import Any

from sandbox.inside.watch import MOST_FILES


def verdict(
    ending: str,
    what: Any,
    status: int,
    judge_status: int,
    *,
    said: bool,
    cpu_s: float,
    request: dict[str, Any],
    folder_bytes: int,
) -> tuple[typing.Optional[str], str, typing.Optional[int]]:
    """Kind, detail and the signal that made the verdict. No kind: what was said is the verdict.

    folder_bytes: see `ZygoteSetup`.
    """
    if ending == "stopped":
        return what["stop"], what["detail"], None
    if ending == "output":
        return "output_limit", f"printed more than {request['output_bytes']} bytes", None
    if ending == "files":
        much = f"{folder_bytes} bytes or " if folder_bytes else ""
        return "output_limit", f"wrote more than {much}{MOST_FILES} files, or hid them", None
    if ending == "cpu":
        whose = "its tests " if what else ""
        return "timeout", f"{whose}used {request['cpu_s']:g} s of processor time", None
    if ending == "wall":
        return "timeout", f"still running after {request['wall_s']:g} s", None
    if said:
        return None, "", None
    if ending == "left" and not os.WIFSIGNALED(judge_status):
        return "killed", "went on without its tests", None
    if os.WIFSIGNALED(judge_status) and os.WTERMSIG(judge_status) == signal.SIGXCPU:
        return "timeout", f"its tests used {request['cpu_s']:g} s of processor time", None
    number = next((os.WTERMSIG(one) for one in (status, judge_status) if os.WIFSIGNALED(one)), None)
    if number is None:
        return "killed", f"exited with code {os.WEXITSTATUS(status)} before its end", None
    # The kernel's own limit counts clock ticks: it may come early, above all on a busy machine.
    if number in {signal.SIGXCPU, signal.SIGKILL} and cpu_s >= 0.5 * request["cpu_s"]:
        return "timeout", f"used {request['cpu_s']:g} s of processor time", None
    name = signal.Signals(number).name if number in set(signal.Signals) else str(number)
    return "killed", f"killed by {name}", number
