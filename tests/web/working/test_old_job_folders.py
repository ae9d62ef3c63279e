"""Logs of jobs that ended long ago go; nothing else does."""

from __future__ import annotations

import os
from dataclasses import replace

from results.locks import lock
from web.jobs.job import JobStatus
from web.working.job_folder import AttemptFolder
from web.working.old_folders import DAY_S, remove_old

OLD_S = 100 * DAY_S


def test_only_what_ended_before_that_goes(place, tmp_path):
    old = place.ended(ago_s=OLD_S, attempts=2)
    outside = tmp_path / "results"
    outside.mkdir(exist_ok=True)
    (outside / "kept").write_text("kept")
    (old.path / "link").symlink_to(outside)
    kept = [
        place.ended(ago_s=80 * DAY_S),
        *(
            place.ended(ago_s=OLD_S, status=status)
            for status in (JobStatus.INTERRUPTED, JobStatus.RUNNING, JobStatus.PENDING, JobStatus.CANCELLING)
        ),
    ]
    held = place.ended(ago_s=OLD_S, status=JobStatus.FAILED)
    unknown = AttemptFolder.of(place.config.jobs_dir, "unknown", 1)
    unknown.make("{}")
    os.utime(unknown.path.parent, (1, 1))
    with lock(held.lock):
        assert remove_old(place.config, place.queue.get) == 1
    assert not old.path.parent.exists()
    assert (outside / "kept").read_text() == "kept"
    assert all(each.log.exists() for each in (*kept, held))
    assert unknown.manifest.exists()
    assert remove_old(place.config, place.queue.get) == 1  # nobody holds it now
    assert not held.path.exists()
    assert remove_old(replace(place.config, keep_jobs_days=79), place.queue.get) == 1


def test_the_attempt_of_a_retry_stays(place):
    """It may be begun between the look at the job and the removal."""
    old = place.ended(ago_s=OLD_S)
    job = place.queue.get(old.job_id)

    def find(job_id):
        AttemptFolder.of(place.config.jobs_dir, job_id, 2).make("{}")
        return job

    assert remove_old(place.config, find) == 0
    assert not old.path.exists()
    assert AttemptFolder.of(place.config.jobs_dir, job.job_id, 2).manifest.exists()
