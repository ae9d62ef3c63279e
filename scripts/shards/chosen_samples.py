"""Which samples of a data set a run asks, and in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evaluation.loop.requests import shuffled
from results.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evaluation.protocols import Sample, Task
    from scripts.arguments import Arguments


def chosen(samples: Sequence[Sample], arguments: Arguments) -> Sequence[Sample]:
    """Of all samples, those that are wanted; of these, those of the shard if there is one. Raises UsageError if a shard
    has none.
    """
    whole = of_whole_run(samples, arguments)
    shard = arguments.shard
    if shard is None:
        return whole
    if len(whole) < shard.total:
        raise UsageError(
            f"{len(whole)} samples can't be split into {shard.total}",
            hint=f"--shards {max(1, len(whole))} at most",
            settings=("shards",),
        )
    return shard.of(whole)


def of_whole_run(samples: Sequence[Sample], arguments: Arguments) -> Sequence[Sample]:
    """Those that are wanted by all shards together."""
    seed, limit = arguments.shuffle, arguments.limit
    return (samples if seed is None else shuffled(samples, seed))[:limit]


def samples_of(task: Task, arguments: Arguments) -> Sequence[Sample]:
    """Those of a task that are wanted. Raises as `chosen`."""
    if arguments.shuffle is None and arguments.shard is None:
        return task.get_samples(arguments.limit)
    return chosen(task.get_samples(None), arguments)
