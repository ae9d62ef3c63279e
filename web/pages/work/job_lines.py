"""Jobs in words: what a list shows of each, how far it is, and what its viewer may do with it."""

from __future__ import annotations

import dataclasses
import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sweeps.preflight.report import duration
from web.access.role import Role
from web.api.asking import may_read_log
from web.jobs.job import JobStatus, told_detail

if TYPE_CHECKING:
    from web.access.caller import Caller
    from web.jobs.job import Job
    from web.jobs.queue import Place
    from web.working.progress import JobProgress

PHASES = {
    "queued": "waiting for its turn",
    "preparing": "getting ready",
    "waiting": "waiting for a device that another run is using",
    "loading": "loading the model",
    "running": "running",
    "interrupted": "stopped for now; it goes on by itself",
    "ended": "ended",
}
_CAN_CANCEL = {JobStatus.PENDING, JobStatus.RUNNING, JobStatus.INTERRUPTED}
_CAN_RETRY = {JobStatus.FAILED, JobStatus.CANCELLED}


@dataclass(frozen=True)
class JobLine:
    """One job as its viewer sees it. progress: None in lists of ended jobs. place: of a waiting one."""

    job: Job
    may_cancel: bool
    may_retry: bool
    progress: JobProgress | None = None
    place: Place | None = None

    @property
    def url(self) -> str:
        return f"/jobs/{self.job.job_id}"

    @property
    def title(self) -> str:
        return f"{self.job.suite} on {self.job.model_name}"

    @property
    def words(self) -> str:
        """How far it is, or why it waits."""
        if self.place is not None and self.job.status is JobStatus.PENDING:
            ahead = f"{self.place.ahead} before it" if self.place.ahead else "next"
            return (
                f"{ahead}, starts in about {duration(self.place.starts_in_s)}"
                if self.place.starts_in_s
                else ahead
            )
        return "" if self.progress is None else progress_words(self.progress)

    @property
    def done(self) -> float:
        """A fraction of the whole job."""
        return 0.0 if self.progress is None else done_share(self.progress)


def job_line(
    job: Job, caller: Caller, *, progress: JobProgress | None = None, place: Place | None = None
) -> JobLine:
    """What this caller may do follows from the role, and from whose job it is."""
    own = caller.role.includes(Role.ADMIN) or (caller.role.includes(Role.RUN) and job.user == caller.user)
    job = dataclasses.replace(job, detail=told_detail(job.detail, with_log=may_read_log(job.user, caller)))
    return JobLine(job, own and job.status in _CAN_CANCEL, own and job.status in _CAN_RETRY, progress, place)


def progress_words(progress: JobProgress) -> str:
    """`2 of 8 runs, 120 of 400 answers, about 4 min left`."""
    if not progress.runs_total:
        return PHASES.get(progress.phase, progress.phase)
    words = [f"{progress.runs_done:,} of {progress.runs_total:,} runs"]
    if progress.samples_total:
        words.append(f"{progress.samples_done or 0:,} of {progress.samples_total:,} answers")
    if progress.left_s is not None:
        words.append(f"about {duration(progress.left_s)} left")
    return ", ".join(words)


def done_share(progress: JobProgress) -> float:
    """Of the whole job, as a fraction: whole runs, and of those that run their answers."""
    if not progress.runs_total:
        return 0.0
    share = progress.runs_done / progress.runs_total
    if (
        progress.samples_total
        and progress.samples_done is not None
        and progress.runs_done < progress.runs_total
    ):
        begun = progress.runs_done + len(progress.running)
        share = max(share, progress.samples_done / progress.samples_total * begun / progress.runs_total)
    return min(1.0, share)


def moment(seconds: float | None) -> str | None:
    """ISO 8601, UTC."""
    return (
        None if seconds is None else dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat(timespec="seconds")
    )


def lasted(job: Job) -> str:
    """From its start to its end, in words; "" if it never started."""
    if job.started_at is None or job.completed_at is None:
        return ""
    return duration(max(0.0, job.completed_at - job.started_at))
