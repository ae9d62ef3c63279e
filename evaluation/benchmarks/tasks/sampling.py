"""Choose some tasks of a file: by difficulty, and at random in a way that anybody can repeat."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from evaluation.benchmarks.tasks.file import DIFFICULTIES
from results.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evaluation.benchmarks.tasks.file import CodingTask


def choose_tasks(
    tasks: Sequence[CodingTask], *, difficulties: Sequence[str] = (), count: int | None = None, seed: int = 0
) -> tuple[CodingTask, ...]:
    """Those of the difficulties (empty: all), then `count` of them at random; in the file's order.

    The draw is stratified: each difficulty has the share that it has of all, to within one task, so that a part
    is as hard as the whole. It depends on the seed and the tasks' ids and difficulties, not on their order in
    the file; a larger count keeps what a smaller one chose. Raises UsageError where there are not as many.
    """
    found = [task for task in tasks if not difficulties or task.difficulty in difficulties]
    if not found:
        there = ", ".join(level for level in DIFFICULTIES if any(task.difficulty == level for task in tasks))
        raise UsageError(
            f"no task has the difficulty {', '.join(difficulties)}",
            hint=f"there is {there}",
            settings=("difficulty",),
        )
    if count is None:
        return tuple(found)
    if count > len(found):
        raise UsageError(
            f"--sample {count} of {len(found)} tasks",
            hint=f"at most --sample {len(found)}",
            settings=("sample",),
        )
    places: list[tuple[float, int, CodingTask]] = []
    for level, difficulty in enumerate(DIFFICULTIES):
        stratum = sorted(
            (task for task in found if task.difficulty == difficulty), key=lambda task: _draw(seed, task)
        )
        # Spread evenly over 0 to 1: any beginning of the whole has its share of each stratum.
        places += [((rank + 0.5) / len(stratum), level, task) for rank, task in enumerate(stratum)]
    chosen = {task.id for _, _, task in sorted(places, key=lambda place: place[:2])[:count]}
    return tuple(task for task in found if task.id in chosen)


def _draw(seed: int, task: CodingTask) -> bytes:
    return hashlib.sha256(f"{seed}/{task.id}".encode()).digest()
