"""What the harness was started under (`ulimit -H`): no process in a sandbox gets more than that."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING, Any

from sandbox.inside.child import hard_limits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.contract import Limits

# By the name of the field of `Limits`: what it is called, its unit, and the option of the shell's `ulimit`.
_WORDS = {
    "cpu_s": ("{:g} s of processor time", 1, "-t"),
    "memory_bytes": ("{:.0f} MiB of memory", 1 << 20, "-v"),
    "file_bytes": ("files of {:.3g} MiB", 1 << 20, "-f"),
    "open_files": ("{:.0f} open files", 1, "-n"),
    "processes": ("{:.0f} processes and threads", 1, "-u"),
}
_USUAL_STACK_BYTES = (
    8 << 20
)  # Linux's own; in a smaller one deep recursion ends earlier, and not by an exception


def lowered(limits: Limits, hard: Mapping[str, Any]) -> list[str]:
    """In words, each limit that a program gets less of than `limits` says. hard: see `inside.child.hard_limits`.

    Those of data and stack, for which the sandbox has none of its own, are this process's.
    """
    found = [
        f"{text.format(hard[name] / unit)} instead of {getattr(limits, name) / unit:g} (ulimit {option})"
        for name, (text, unit, option) in _WORDS.items()
        if hard.get(name, getattr(limits, name)) < getattr(limits, name)
    ]
    for what, name, wanted, option in (
        (resource.RLIMIT_DATA, "data", limits.memory_bytes, "-d"),
        (resource.RLIMIT_STACK, "stack", _USUAL_STACK_BYTES, "-s"),
    ):
        most = resource.getrlimit(what)[1]
        if most != resource.RLIM_INFINITY and most < wanted:
            found.append(f"{most / (1 << 20):.3g} MiB of {name} instead of {wanted >> 20} (ulimit {option})")
    return found


def suspects(limits: Limits) -> str:
    """What to try where no sandbox starts, or one judges wrong, under hard limits as low as that; else empty."""
    low = lowered(limits, hard_limits())
    return f"raise the hard limits of the shell or batch system: {', '.join(low)}" if low else ""
