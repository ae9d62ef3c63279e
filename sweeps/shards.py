"""Runs of a plan that are split by their samples, and the shards that stand in their place."""

from __future__ import annotations

import dataclasses
import itertools
from typing import TYPE_CHECKING

import msgspec

from settings.samples.shards import all_shards

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from engines.planned_run import PlannedRun
    from settings.samples.shards import Shard


def with_shards(runs: Iterable[PlannedRun]) -> Iterator[PlannedRun]:
    """The runs, with shards in the place of those that are split. Each shard has a group of its own, shared only with
    shards of other runs on the same server, so that all may be done at once.
    """
    for _, same in itertools.groupby(runs, key=lambda run: run.group):
        on_one_server = list(same)
        split = [run for run in on_one_server if _count(run) > 1]
        yield from (run for run in on_one_server if _count(run) == 1)
        each = [[_as_shard(run, shard) for shard in all_shards(_count(run))] for run in split]
        for together in itertools.zip_longest(*each):
            yield from filter(None, together)


def together(runs: Sequence[PlannedRun]) -> tuple[PlannedRun, ...]:
    """The same, for where there is one place only: shards stay on the server of the one before."""
    return tuple(
        dataclasses.replace(run, group=run.whole.group) if run.whole is not None else run for run in runs
    )


def _count(run: PlannedRun) -> int:
    return (run.asked["shards"] or 1) if run.spec is not None else 1


def _as_shard(whole: PlannedRun, shard: Shard) -> PlannedRun:
    if whole.spec is None:
        raise AssertionError("what can't be run isn't split")
    asked = whole.spec.asked.but(shards=None, shard=shard.written)
    return dataclasses.replace(
        whole,
        label=f"{whole.label} [{shard.written}]",
        asked=asked,
        spec=msgspec.structs.replace(whole.spec, asked=asked),
        group=f"{whole.group}-{shard.number}",
        whole=whole,
    )
