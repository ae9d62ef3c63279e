"""What to type to continue a run, or to try it again: for the hints of errors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from results.errors import SAME_COMMAND
from results.records import RunStatus

if TYPE_CHECKING:
    from results.records import RunRecord

# Scripts run alone too; then the same command with the same --output continues.
_AS_A_SCRIPT = re.compile(rf"{SAME_COMMAND}|run again with --resume")


def to_continue(record: RunRecord) -> str:
    """A verb phrase that continues an interrupted run. One that has its score was interrupted while its composite was
    computed.
    """
    alone = record.sweep is None and not record.rejudged_from
    if alone and record.score is not None and record.status in {RunStatus.STARTED, RunStatus.INTERRUPTED}:
        return f"run `rescore {record.run_id}`"
    return _with(record, "--resume")


def in_harness(hint: str, record: RunRecord) -> str:
    """The hint of a script or parser, with the command of the harness that does the same."""
    return _AS_A_SCRIPT.sub(lambda _: _with(record, "--retry-failed"), hint)


def _with(record: RunRecord, of_sweep: str) -> str:
    if record.rejudged_from:
        return f"run `rejudge {record.run_id}`"
    if record.sweep is not None:
        return f"run `sweep {of_sweep} {record.sweep.sweep_id}`"
    return f"run the same command with --resume {record.run_id}"
