"""Make one run of the shards of each run that was split, as soon as all are done. Only the sweep's coordinator does."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engines.lane import has_failed, is_done
from engines.server_group import outcome
from results.errors import Interrupted, ResultsError
from results.records import ErrorRecord, RunRecord, RunStatus
from results.store.runs import Runs
from results.sweep_place import SweepPlace
from runner.shards.merge import merge_shards
from runner.shards.sums import shard_facts

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from contextlib import AbstractContextManager

    from engines.planned_run import PlannedRun
    from results.store.run_folder import RunFolder
    from results.store.runs import RunEntry
    from results.store.sweep_folder import SweepFolder
    from runner.display import Display
    from sweeps.plan import Plan

    Found = tuple[RunFolder, RunRecord]
    Shard = tuple[PlannedRun, Found | None]


@dataclass(frozen=True, kw_only=True)
class _Work:
    folder: SweepFolder
    nonce: str
    display: Display
    held: Callable[[], AbstractContextManager[None]]

    def place(self, whole: PlannedRun, shards: Sequence[RunRecord]) -> SweepPlace:
        """The run's place in the sweep, with what memory ran out for."""
        reductions = [record.sweep.reductions for record in shards if record.sweep is not None]
        return SweepPlace(
            sweep_id=self.folder.sweep_id,
            fingerprint=whole.fingerprint,
            label=whole.label,
            nonce=self.nonce,
            reductions=max(reductions, key=len, default=()),
        )


def merge_what_is_done(
    folder: SweepFolder,
    plan: Plan,
    *,
    nonce: str,
    display: Display,
    held: Callable[[], AbstractContextManager[None]],
) -> None:
    """Merge each split run whose shards have all succeeded, unless it is there already. One of whose shards has failed,
    while none is left to do, has failed too. An error of one run is in its record.

    Idempotent: what was killed here is finished by the next call. Raises Interrupted, ResultsError.
    """
    if not plan.wholes:
        return
    work = _Work(folder=folder, nonce=nonce, display=display, held=held)
    runs = Runs(folder.results_dir, display.say)
    runs.check()  # what a merge that was killed has written, and the log doesn't have yet
    known = folder.runs(warn=display.say)
    again = folder.requested_retries()
    for whole in plan.wholes:
        there = known.get(whole.fingerprint)
        if is_done(there, retry_requested=whole.fingerprint in again):
            continue
        shards = [(shard, known.get(shard.fingerprint)) for shard in plan.shards(whole)]
        succeeded = [found for _, found in shards if found and found[1].status is RunStatus.SUCCEEDED]
        if len(succeeded) == len(shards):
            _merge(work, whole, succeeded, _entry(runs, whole, there))
        elif failed := _failed(shards, again):
            _note_failure(work, whole, failed, shards, _entry(runs, whole, there))
        else:
            continue
        folder.clear_retry(whole.fingerprint)


def _merge(work: _Work, whole: PlannedRun, shards: Sequence[Found], entry: RunEntry) -> None:
    if whole.spec is None:
        raise AssertionError("what can't be run isn't split")
    work.display.say("")
    work.display.say(whole.label)
    place = work.place(whole, [record for _, record in shards])
    finished = merge_shards(whole.spec, shards, entry, work.display, work.held, place=place)
    work.display.say(outcome(finished.record))
    if isinstance(finished.error, Interrupted | ResultsError):
        raise finished.error


def _note_failure(
    work: _Work, whole: PlannedRun, failed: Sequence[Shard], all_shards: Sequence[Shard], entry: RunEntry
) -> None:
    """Record the run as failed, as its first shard that did."""
    _, found = failed[0]
    if found is None:
        raise AssertionError("what has failed has a record")
    _, shard = found
    records = [there[1] for _, there in all_shards if there is not None]
    why = shard.error or ErrorRecord(kind="unexpected", message="it failed")
    names = [str(each.asked["shard"]) for each, _ in failed]
    which = f"shards {', '.join(names[:-1])} and {names[-1]}" if names[1:] else f"shard {names[0]}"
    record = RunRecord(
        run_id=entry.folder.run_id,
        timestamp=min(record.timestamp for record in records),
        status=RunStatus.FAILED,
        benchmark=shard.benchmark,
        model=shard.model,
        config={"shards": whole.asked["shards"]},
        model_identity=shard.model_identity,
        shards=tuple(map(shard_facts, records)),
        sweep=work.place(whole, records),
        error=ErrorRecord(
            kind=why.kind,
            message=f"{which} failed: {why.message}",
            hint=f"`show {shard.run_id}` tells why; run `sweep --retry-failed {work.folder.sweep_id}` then, which does "
            "only what failed",
            log_tail=why.log_tail,
        ),
    )
    with entry.claim(), work.held():
        entry.finish(record)
    work.display.say("")
    work.display.say(whole.label)
    work.display.say(outcome(record))


def _failed(shards: Sequence[Shard], again: Collection[str]) -> list[Shard]:
    """The failed shards, if all that are left to do have failed; else []."""
    left = [each for each in shards if not is_done(each[1], retry_requested=each[0].fingerprint in again)]
    return [] if left else [each for each in shards if each[1] is not None and has_failed(each[1][1])]


def _entry(runs: Runs, whole: PlannedRun, there: Found | None) -> RunEntry:
    """Where the run goes: into the folder of an earlier try, or a new one."""
    if there is not None:
        return runs.entry(*there)
    spec = whole.spec
    model = spec.server.model.name if spec and spec.server.model else str(whole.asked["model"] or "server")
    benchmark = spec.benchmark.name if spec else str(whole.asked["benchmark"])
    return runs.new(benchmark, model, dt.datetime.now(dt.UTC))
