"""Remove the folders of jobs that ended long ago, so that their logs don't fill the disk. Results are elsewhere."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

from web.working.job_folder import JOB_ID, AttemptFolder

if TYPE_CHECKING:
    from collections.abc import Callable

    from web.config import ServeConfig
    from web.jobs.job import Job

DAY_S = 86400.0
MOST_AT_ONCE = (
    100  # jobs, so that the worker is never away for long; the others' turn comes with the next look
)


def remove_old(config: ServeConfig, find: Callable[[str], Job | None]) -> int:
    """Remove what jobs left that ended more than `keep_jobs_days` ago; returns of how many. find: gives the job of an
    id.

    A job that hasn't ended keeps its folders, as does one that runs, or that the database doesn't know: it may be
    another one's, or restored from a backup.
    """
    before = time.time() - config.keep_jobs_days * DAY_S
    removed = 0
    try:
        entries = sorted(config.jobs_dir.iterdir())
    except OSError:
        return 0
    for entry in entries:
        if removed >= MOST_AT_ONCE:
            break
        try:  # one whose last attempt began since then can't have ended before: few jobs are asked for
            is_old = JOB_ID.fullmatch(entry.name) is not None and entry.lstat().st_mtime < before
        except OSError:
            continue
        if is_old and (job := find(entry.name)) is not None and _ended_before(job, before):
            removed += _removed(config, job)
    return removed


def _ended_before(job: Job, before: float) -> bool:
    return job.status.is_final and job.completed_at is not None and job.completed_at < before


def _removed(config: ServeConfig, job: Job) -> bool:
    """Only the attempts up to the one that has ended: a retry may begin the next one at this moment."""
    there = [
        each for each in AttemptFolder.all_of(config.jobs_dir, job.job_id) if each.attempt <= job.attempt
    ]
    if any(each.is_running() for each in there):
        return False
    for each in there:
        shutil.rmtree(each.path, ignore_errors=True)  # follows no link
    folder = config.jobs_dir / job.job_id
    try:
        folder.rmdir()
    except OSError:  # something else is in it, or it can't be removed
        return False
    return True
