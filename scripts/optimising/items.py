"""The samples of a benchmark as a search knows them, and their three disjoint splits."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

from evaluation.loop.prompted_task import folded
from evaluation.optimise.contract import Item
from evaluation.optimise.splits import kept_apart, split_up
from results.errors import UsageError
from results.json_text import encode
from results.stats.sample_order import order_key
from scripts.optimising.asked import MOST_LEARNT_FROM, MOST_TESTED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from evaluation.optimise.contract import Splits
    from evaluation.protocols import Sample, Task
    from scripts.optimising.asked import Part, Search


class Asked(NamedTuple):
    """A sample, and the task that it is of: that of the run, or one over another data set."""

    task: Task
    sample: Sample


class Pool(NamedTuple):
    """splits: of the items; samples: by an item's sha256."""

    splits: Splits
    samples: Mapping[str, Asked]


def pool_of(
    task: Task, samples: Sequence[Sample], search: Search, seed: int, other: Callable[[Part], Task]
) -> Pool:
    """samples: of the run. other: makes the task over another data set. Raises UsageError where there are too few that
    differ, and what `other` raises.
    """
    known: dict[str, Asked] = {}
    different = _items(task, samples, known)
    counts = search.counts(len(different))
    elsewhere = {name: part for name, part in search.parts.items() if part.is_elsewhere}
    if not elsewhere:
        return Pool(split_up(different, seed=seed, **counts), known)
    needed = sum(counts.values())
    if len(different) < needed:
        raise UsageError(
            f"{needed} different samples are needed of the run, and there are {len(different)}",
            hint="ask for fewer, or raise --limit",
            settings=("datasets",),
        )
    drawn = iter(_drawn(different, seed))
    found: dict[str, list[Item]] = {}
    for name in ("test", "validation", "train"):
        if name in elsewhere:
            found[name] = _of_elsewhere(other(elsewhere[name]), name, elsewhere[name], seed, known)
        else:
            found[name] = [next(drawn) for _ in range(counts[name])]
    return Pool(kept_apart(**found), known)


def _of_elsewhere(task: Task, name: str, part: Part, seed: int, known: dict[str, Asked]) -> list[Item]:
    drawn = _drawn(_items(task, task.get_samples(None), known), seed)
    usual = MOST_TESTED if name == "test" else MOST_LEARNT_FROM
    return drawn[: usual if part.count is None else part.count]


def _items(task: Task, samples: Iterable[Sample], known: dict[str, Asked]) -> list[Item]:
    """Those that differ, in their order."""
    found: dict[str, Item] = {}
    for sample in samples:
        item = item_of(task, sample)
        found.setdefault(item.sha256, item)
        known.setdefault(item.sha256, Asked(task, sample))
    return list(found.values())


def _drawn(items: Sequence[Item], seed: int) -> list[Item]:
    return sorted(items, key=lambda item: order_key(seed, item.sha256))


def item_of(task: Task, sample: Sample) -> Item:
    """A sample by what is asked in it: two that ask the same are one, whatever stands before the question (few-shot
    examples, a header with its subject), and however it is spaced and capitalised.
    """
    asked = task.get_prompt(sample)
    worked = getattr(task, "worked_example", None)
    example = worked(sample) if worked is not None else None
    if example is None:
        content = encode([folded(asked.system), folded(asked.user), asked.history, asked.tools])
    else:  # its history would be the few-shot examples
        content = encode([folded(asked.system), folded(example.question), (), asked.tools])
    return Item(
        task_id=sample.task_id,
        sha256=hashlib.sha256(content).hexdigest(),
        question=asked.user if example is None else example.question,
        answer="" if example is None else example.answer,
    )


def by_sha256(items: Iterable[Item]) -> dict[str, str]:
    """Their task ids, for `splits.json`."""
    return {item.sha256: item.task_id for item in items}
