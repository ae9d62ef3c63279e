"""Every problem of a table and what each run made of it, and the answers to some of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from results.completion_lines import decode_completion
from results.durable import explained
from results.errors import BenchError
from results.files import open_to_read
from results.json_text import NOT_THAT_JSON
from results.store.reading.problems import GridCell, GridRow, cells_of, grid_rows, outcomes_of
from results.store.verdicts import read_verdicts

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from results.compare.leaderboard import Table
    from results.records import Completion
    from results.store.run_folder import RunFolder


def problem_grid(table: Table, *, warn: Callable[[str], None]) -> tuple[GridRow, ...]:
    """All problems, those on which runs differ first; () if no run has verdicts. warn: for files that can't be read."""
    columns = [_cells(row.folder, warn) for row in table.rows]
    return tuple(grid_rows(columns))


def answers_of(folder: RunFolder, tasks: Collection[str]) -> dict[str, list[Completion]]:
    """The run's completions of these problems, by index; the last line of each counts. Empty if unreadable."""
    found: dict[tuple[str, int], Completion] = {}
    try:
        with explained("read", folder.completions), open_to_read(folder.completions) as lines:
            for line in lines:
                try:
                    if msgspec.json.decode(line, type=_Which).task_id in tasks:
                        completion = decode_completion(line)
                        found[completion.task_id, completion.index] = completion
                except NOT_THAT_JSON:  # torn by a crash
                    continue
    except BenchError:
        return {}
    by_task: dict[str, list[Completion]] = {}
    for (task, _), completion in sorted(found.items()):
        by_task.setdefault(task, []).append(completion)
    return by_task


class _Which(msgspec.Struct):
    task_id: str


def _cells(folder: RunFolder, warn: Callable[[str], None]) -> dict[str, GridCell]:
    if not folder.completions.exists():
        return {}
    try:
        with explained("read", folder.completions):
            verdicts, _ = read_verdicts(folder.completions)
    except BenchError as error:
        warn(error.message)
        return {}
    return cells_of(outcomes_of((verdict.task_id, verdict.outcome) for verdict in verdicts))
