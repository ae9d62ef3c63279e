"""Write a manifest's errors with their lines, or with their options if they come from the command line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from documents import problems

if TYPE_CHECKING:
    from collections.abc import Iterable

    from documents.problems import Problem

COMMAND_LINE = "command line"  # the name of the manifest built from it, which has no lines to show


def problem_text(problem: Problem, name: str) -> str:
    """One line, such as `sweep.yaml:7: defaults.limit: ...`, or `--limit: ...` for the command line."""
    if name != COMMAND_LINE:
        return problem.text(name)
    option = re.match(r"matrix\.(\w+)", problem.field)
    where = f"--{option[1].replace('_', '-')}" if option else name
    if not problem.what or problem.what.startswith(f"{where} "):
        return problem.what or where
    return f"{where}: {problem.what}"


def refuse(name: str, found: Iterable[Problem], *, hint: str = "") -> None:
    """Raise UsageError with all problems; do nothing if there are none."""
    problems.refuse(name, found, hint=hint, text=problem_text)
