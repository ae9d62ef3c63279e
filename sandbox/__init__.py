"""Execute code that a model wrote: nothing escapes, and nothing it does changes another program's verdict."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

from sandbox.cases import Case, run_cases
from sandbox.contract import (
    MEMORY_BYTES,
    NEAR,
    Limits,
    Program,
    Sandbox,
    SandboxError,
    UnitTests,
    Verdict,
    VerdictKind,
)
from sandbox.hard_limits import lowered, suspects
from settings.sampling_settings import SANDBOX_LEVELS as LEVELS

if TYPE_CHECKING:
    from sandbox.pool import Launcher

# The first that works, from the strongest on. Not `process`, which is no sandbox.
_AUTO = ("bubblewrap", "landlock", "container")

__all__ = [
    "LEVELS",
    "MEMORY_BYTES",
    "NEAR",
    "Case",
    "Limits",
    "Program",
    "Sandbox",
    "SandboxError",
    "UnitTests",
    "Verdict",
    "VerdictKind",
    "lowered",
    "open_sandbox",
    "run_cases",
    "suspects",
]


def open_sandbox(level: str = "auto", workers: int = 1) -> Sandbox:
    """A sandbox for `workers` programs at once. "auto": the strongest level that works.

    Raises SandboxError, saying of each level why not and what to do, rather than execute anything unprotected.
    """
    if level not in LEVELS:
        raise SandboxError(f"unknown sandbox level {level!r}", hint=f"levels: {', '.join(LEVELS)}")
    try:
        return _open(level, workers)
    except SandboxError as error:
        error.hint = "; or: ".join(filter(None, (suspects(Limits()), error.hint)))
        raise


def _open(level: str, workers: int) -> Sandbox:
    from sandbox.pool import Pool

    if level != "auto":
        return Pool(_launcher(level), workers)
    failed: dict[str, SandboxError] = {}
    for name in _AUTO:
        try:
            return Pool(_launcher(name), workers)
        except SandboxError as error:
            failed[name] = error
    raise SandboxError(
        "no sandbox works here: " + "; ".join(f"{name}: {error.message}" for name, error in failed.items()),
        hint="one of these: " + "; ".join(f"{name}: {error.hint}" for name, error in failed.items()),
    )


def _launcher(level: str) -> Launcher:
    if level == "landlock":
        from sandbox.landlock import Landlock

        return Landlock()
    if level == "container":
        return _container()
    if level == "process":
        from sandbox.process_limits import ProcessLimits

        return ProcessLimits()
    from sandbox.bubblewrap import Bubblewrap

    return Bubblewrap()


def _container() -> Launcher:
    try:
        from sandbox.container import Container
    except ModuleNotFoundError as error:  # or something that it needs
        raise SandboxError(
            "the Python package 'docker' is missing",
            hint=f"{shlex.quote(sys.executable)} -m pip install 'bench-runner[container]'",
        ) from error
    return Container()
