"""The parts of a composite score, by completion, as a run's `parts.jsonl` has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from results.json_text import NOT_THAT_JSON
from results.scores.composite import PARTS_NAME, SampleParts
from results.store.reading.run_files import lines_of, open_own

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_parts = msgspec.json.Decoder(SampleParts).decode


def read_part_lines(folder: Path) -> dict[tuple[str, int], SampleParts]:
    """The last line of each completion, by task and index; {} for a run without. Lines that can't be read are left
    out. Raises OSError.
    """
    return {(each.task_id, each.index): each for each in _lines(folder)}


def parts_of_completion(folder: Path, task_id: str, index: int) -> SampleParts | None:
    """Those of one completion; None where nothing was measured. Raises OSError."""
    found = None
    for each in _lines(folder, task_id):
        if (each.task_id, each.index) == (task_id, index):
            found = each
    return found


def _lines(folder: Path, task_id: str = "") -> Iterator[SampleParts]:
    """task_id: what a line must have to be worth reading."""
    file = open_own(folder / PARTS_NAME)
    if file is None:
        return
    wanted = msgspec.json.encode(task_id) if task_id else b""
    with file:
        for _, _, line in lines_of(file):
            if line is None or wanted not in line:
                continue
            try:
                yield _parts(line)
            except NOT_THAT_JSON:
                continue
