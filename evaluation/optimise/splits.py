"""Train, validation and test: disjoint by the content of the samples."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from evaluation.optimise.contract import Splits
from results.errors import UsageError
from results.stats.sample_order import order_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from evaluation.optimise.contract import Item


def split_up(
    items: Sequence[Item], *, seed: int, train: int, validation: int, test: int | None = None
) -> Splits:
    """Draw the three from one data set, by seed. train, validation, test: how many; test None: all that are left.

    Samples with the same content count once. Raises UsageError where there are too few.
    """
    drawn = sorted(_unique(items), key=lambda item: order_key(seed, item.sha256))
    needed = train + validation + (test or 0)
    if len(drawn) < needed:
        raise UsageError(
            f"{needed} different samples are needed (train {train}, validation {validation}, test {test or 0}), "
            f"and there are {len(drawn)}",
            hint="ask for fewer in --datasets, raise --limit, or give a larger data set",
        )
    # Test first: a larger train or validation split then leaves the test split as it was.
    rest = len(drawn) - train - validation if test is None else test
    splits = Splits(
        test=tuple(drawn[:rest]),
        validation=tuple(drawn[rest : rest + validation]),
        train=tuple(drawn[rest + validation : rest + validation + train]),
    )
    require_usable(splits)
    return splits


def kept_apart(*, train: Sequence[Item], validation: Sequence[Item], test: Sequence[Item] = ()) -> Splits:
    """Of data sets that may overlap: what is in test is dropped from the other two, what is in validation from train.

    Raises UsageError where nothing is left of train or validation.
    """
    told = _unique(test)
    taken = {item.sha256 for item in told}
    chosen = [item for item in _unique(validation) if item.sha256 not in taken]
    taken |= {item.sha256 for item in chosen}
    learnt = [item for item in _unique(train) if item.sha256 not in taken]
    splits = Splits(train=tuple(learnt), validation=tuple(chosen), test=tuple(told))
    require_usable(splits)
    return splits


def require_usable(splits: Splits) -> None:
    """Raises UsageError for an empty train or validation split, and for splits that are not disjoint."""
    for name in ("train", "validation"):
        if not getattr(splits, name):
            raise UsageError(
                f"no samples are left for {name}: train, validation and test must have different samples",
                hint="ask for fewer samples of the others, or give a data set of its own for each",
            )
    everything = [item.sha256 for item in (*splits.train, *splits.validation, *splits.test)]
    if len(set(everything)) < len(everything):
        raise UsageError(
            f"train, validation and test share {len(everything) - len(set(everything))} samples",
            hint="give different samples to each, or let one data set be split up",
        )


def narrowed(splits: Splits, samples: int | None, seed: int) -> Splits:
    """With so many samples of validation, drawn by seed; None, or more than there are: all."""
    drawn = sorted(splits.validation, key=lambda item: order_key(seed, item.sha256))
    return msgspec.structs.replace(splits, validation=tuple(drawn[:samples]))


def hashes(splits: Splits) -> dict[str, str]:
    """sha256 over the samples of each split, in their order."""
    return {
        name: hashlib.sha256("\n".join(item.sha256 for item in getattr(splits, name)).encode()).hexdigest()
        for name in ("train", "validation", "test")
    }


def _unique(items: Iterable[Item]) -> list[Item]:
    return list({item.sha256: item for item in items}.values())
