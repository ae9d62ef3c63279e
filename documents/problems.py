"""The errors in a file, reported all at once, each with its line and field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from results.errors import UsageError
from results.plain_text import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MOST_SHOWN = 50


@dataclass(frozen=True)
class Problem:
    """An error in a file. line: from 1, or None. field: such as `matrix.gpu_layers[1]`; empty for the whole
    document. hint: one thing to try, or empty.
    """

    line: int | None
    field: str
    what: str
    hint: str = ""

    def text(self, name: str) -> str:
        """One line, such as `sweep.yaml:7: defaults.limit: 0 is out of range`."""
        where = name if self.line is None else f"{name}:{self.line}"
        return ": ".join(part for part in (where, self.field, self.what) if part)


def refuse(
    name: str,
    problems: Iterable[Problem],
    *,
    hint: str = "",
    text: Callable[[Problem, str], str] = Problem.text,
) -> None:
    """Raise UsageError with all problems, ordered by line; do nothing if there are none.

    Each takes one line, whatever the file's keys contain. name: the file's. text: formats one problem, given the name.
    hint: where no problem has its own.
    """
    ordered = sorted(problems, key=lambda problem: problem.line or 0)
    hint = next((problem.hint for problem in ordered if problem.hint), hint)
    lines = list(dict.fromkeys(plain(text(problem, name)) for problem in ordered))
    if not lines:
        return
    if len(lines) == 1:
        raise UsageError(lines[0], hint=hint)
    shown = lines[:MOST_SHOWN]
    if len(lines) > MOST_SHOWN:
        shown.append(f"and {len(lines) - MOST_SHOWN} more")
    raise UsageError("\n".join([f"{plain(name)} has {len(lines)} errors:", *shown]), hint=hint)
