"""Check rows of IFEval, which lm-eval reads itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from evaluation.data.files import checked, read_rows
from results.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


class _Row(msgspec.Struct):
    """As in google/IFEval. kwargs: one object for each instruction."""

    key: int
    prompt: str
    instruction_id_list: list[str]
    kwargs: list[dict[str, Any]]


def require_ifeval_rows(path: Path) -> None:
    """Raises UsageError naming file and line for a row that lm-eval can't judge."""
    if path.suffix != ".jsonl":
        raise UsageError(f"{path} is not a data set of IFEval", hint="give a file of JSON Lines, NAME.jsonl")
    for row in read_rows(path):
        found = checked(row, _Row)
        if len(found.kwargs) != len(found.instruction_id_list) or not found.kwargs:
            raise UsageError(
                f"{row.where}: {len(found.instruction_id_list)} instructions and {len(found.kwargs)} kwargs",
                hint="give kwargs for each instruction, {} where it has none",
            )
