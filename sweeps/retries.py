"""Ask for a sweep's failed runs to be tried again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from results.records import RunStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    from results.store.sweep_folder import SweepFolder


def request_retries(folder: SweepFolder, *, warn: Callable[[str], None]) -> int:
    """Mark the failed runs for a retry. Returns their number. Raises ResultsError."""
    failed = [
        fingerprint
        for fingerprint, (run, record) in folder.runs(warn=warn).items()
        if run.effective_status(record) is RunStatus.FAILED
    ]
    for fingerprint in failed:
        folder.request_retry(fingerprint)
    return len(failed)
