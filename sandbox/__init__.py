"""Execute code that a model wrote: nothing escapes, and nothing it does changes another program's verdict."""

from __future__ import annotations

from sandbox.cases import Case, run_cases
from sandbox.contract import Limits, Program, Sandbox, SandboxError, Verdict, VerdictKind

LEVELS = ("auto", "bubblewrap")

__all__ = [
    "LEVELS",
    "Case",
    "Limits",
    "Program",
    "Sandbox",
    "SandboxError",
    "Verdict",
    "VerdictKind",
    "open_sandbox",
    "run_cases",
]


def open_sandbox(level: str = "auto", workers: int = 1) -> Sandbox:
    """A sandbox for `workers` programs at once. "auto": the strongest level that works, which is bubblewrap.

    Raises SandboxError, saying why and what to do, rather than execute anything unprotected.
    """
    if level not in LEVELS:
        raise SandboxError(f"there is no sandbox level {level!r}", hint=f"levels: {', '.join(LEVELS)}")
    from sandbox.bubblewrap import Bubblewrap
    from sandbox.pool import Pool

    return Pool(Bubblewrap(), workers)
