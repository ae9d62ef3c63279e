"""Execute code that a model wrote: nothing escapes, and nothing it does changes another program's verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.cases import Case, run_cases
from sandbox.contract import Limits, Program, Sandbox, SandboxError, Verdict, VerdictKind

if TYPE_CHECKING:
    from sandbox.pool import Launcher

LEVELS = ("auto", "bubblewrap", "container")

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

    if level == "container":
        return Pool(_container(), workers)
    return Pool(Bubblewrap(), workers)


def _container() -> Launcher:
    try:
        from sandbox.container import Container
    except ModuleNotFoundError as error:  # or something that it needs
        raise SandboxError(
            "the Python package 'docker' is missing", hint="pip install 'bench-runner[container]'"
        ) from error
    return Container()
