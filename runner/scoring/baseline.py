"""What the speed of a run is compared with, and why it can't be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from results.compare.comparability import forbidding, read_run_settings
from results.errors import UsageError
from results.records import RunStatus
from results.stats.machines import machine_of, machine_text, speed_doubts

if TYPE_CHECKING:
    from results.records import RunRecord
    from results.store.run_folder import RunFolder
    from results.store.runs import Runs


@dataclass(frozen=True)
class Baseline:
    """The run that was named, as it was found before this one began."""

    folder: RunFolder
    record: RunRecord


def find_baseline(name: str, runs: Runs) -> Baseline:
    """Raises UsageError for a name of no run, or of one that has no answers to the end."""
    try:
        entry = runs.find(name)
    except UsageError as error:
        raise UsageError(
            f"--speed-baseline: {error.message}", hint=error.hint, settings=("speed_baseline",)
        ) from None
    record = entry.before
    status = entry.folder.effective_status(record) if record is not None else None
    if record is None or status is not RunStatus.SUCCEEDED:
        raise UsageError(
            f"--speed-baseline {name}: {entry.folder.run_id} did not finish (status: {status})",
            hint="name a run that succeeded; see `list`",
            settings=("speed_baseline",),
        )
    return Baseline(entry.folder, record)


def why_speed_is_unknown(record: RunRecord, folder: RunFolder, baseline: Baseline | None) -> str:
    """In a few words; "" where the speed of this run can be told. baseline: what it is compared with; None: a target.

    The same rules as anywhere: what disturbed a run, answers out of a cache, another kind of machine, other questions.
    """
    if record.rejudged_from:
        return f"it was judged again; its speed is that of {record.rejudged_from}"
    if doubts := speed_doubts(record):
        return f"the speed is not comparable: {doubts[0]}"
    if record.score is not None and record.score.cached:
        return f"{record.score.cached} answers came out of a cache"
    if baseline is None:
        return ""
    other = baseline.record
    if doubts := speed_doubts(other):
        return f"the baseline's speed is not comparable: {doubts[0]}"
    if other.score is not None and other.score.cached:
        return "answers of the baseline came out of a cache"
    if machine_of(record) != machine_of(other):
        return f"the baseline ran on another kind of machine: {machine_text(machine_of(other))}"
    differences = forbidding(other, record, read_run_settings(baseline.folder), read_run_settings(folder))
    return f"the baseline was asked otherwise: {differences[0]}" if differences else ""
