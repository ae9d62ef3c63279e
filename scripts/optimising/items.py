"""The samples of a benchmark as a search knows them, and their three disjoint splits."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

from evaluation.optimise.contract import Item
from evaluation.optimise.splits import split_up
from results.json_text import encode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from evaluation.optimise.contract import Splits
    from evaluation.protocols import Sample, Task
    from scripts.optimising.asked import Search


class Pool(NamedTuple):
    """splits: of the items; samples: by an item's sha256."""

    splits: Splits
    samples: Mapping[str, Sample]


def pool_of(task: Task, samples: Sequence[Sample], search: Search, seed: int) -> Pool:
    """Raises UsageError where there are too few samples that differ."""
    made = [(item_of(task, sample), sample) for sample in samples]
    by_content = {item.sha256: sample for item, sample in reversed(made)}
    different = list({item.sha256: item for item, _ in reversed(made)}.values())[::-1]
    train, validation, test = search.counts(len(different))
    splits = split_up(different, seed=seed, train=train, validation=validation, test=test)
    return Pool(splits, by_content)


def item_of(task: Task, sample: Sample) -> Item:
    """A sample by what is asked in it: two that ask the same are one, whatever else they say."""
    asked = task.get_prompt(sample)
    content = encode([asked.system, asked.user, asked.history, asked.tools])
    worked = getattr(task, "worked_example", None)
    example = worked(sample) if worked is not None else None
    return Item(
        task_id=sample.task_id,
        sha256=hashlib.sha256(content).hexdigest(),
        question=asked.user if example is None else example.question,
        answer="" if example is None else example.answer,
    )


def by_sha256(items: Iterable[Item]) -> dict[str, str]:
    """Their task ids, for `splits.json`."""
    return {item.sha256: item.task_id for item in items}
