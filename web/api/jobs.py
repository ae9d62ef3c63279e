"""Post a job, check it before, cancel it, try it again, read its log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Query

from web.api.asking import (
    CONFLICT,
    NOT_FOUND,
    Answer,
    JobId,
    Reader,
    Runner,
    find_own_job,
    told,
)
from web.api.every_mistake import EveryMistake
from web.api.repeating import IdempotencyKey, fingerprint
from web.catalogue.posting import checked_job, duration_in_words
from web.catalogue.preflight import preflight_report
from web.catalogue.request import RunRequest  # noqa: TC001 - FastAPI reads the annotation at run time
from web.config import API_ROOT
from web.jobs.job import JobStatus
from web.services import ServicesDep  # noqa: TC001 - same
from web.working.log_tail import job_log, log_from

if TYPE_CHECKING:
    from web.jobs.job import Job
    from web.services import Services

router = APIRouter(prefix=API_ROOT, tags=["jobs"], route_class=EveryMistake)
MOST_LOG_BYTES = 1 << 18


class Posted(Answer):
    """A job that was added. estimated_duration: seconds; null unless similar runs have been here."""

    job_id: str
    message: str
    estimated_duration: float | None
    estimated_duration_text: str


class Told(Answer):
    """What became of it."""

    message: str
    job_id: str
    status: JobStatus


class Finding(Answer):
    """An error or a warning of the preflight. index: of the run that it concerns; null for all."""

    level: Literal["error", "warning"]
    index: int | None
    text: str


class Need(Answer):
    """What one run needs; null means not known. expected_s: with the server's start. reused: a finished run that
    stands for it.
    """

    index: int
    label: str
    model: str
    host_bytes: int | None
    gpu_bytes: int | None
    cards: int | None
    fits: Literal["yes", "no", "untrained", "unknown"]
    expected_s: float | None
    expected_because: str
    reused: str


class Preflight(Answer):
    """ok: nothing is certain to fail. expected_s: of all whose time is known; unknown: how many have none."""

    ok: bool
    needs: tuple[Need, ...]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    servers: int
    disk_bytes: int
    expected_s: float | None
    expected_text: str
    unknown: int


class LogPart(Answer):
    """text: safe to print. next_offset: where the next part begins. is_cut: whether there is more before it.
    attempt: whose log it is; 0: there is none yet.
    """

    text: str
    next_offset: int
    is_cut: bool
    attempt: int


@router.post("/run", status_code=202, responses=CONFLICT)
def run(
    request: RunRequest, services: ServicesDep, caller: Runner, idempotency_key: IdempotencyKey = None
) -> Posted:
    """Add a job to the queue. It is on disk when this answers."""
    with told():
        job = _added(request, services, caller.user, idempotency_key)
    return Posted(
        job_id=job.job_id,
        message=f"Benchmarking is queued: {job.suite} on {job.model_name}",
        estimated_duration=job.estimated_duration_s,
        estimated_duration_text=duration_in_words(job.estimated_duration_s),
    )


@router.post("/preflight")
def preflight(request: RunRequest, services: ServicesDep, caller: Runner) -> Preflight:
    """Whether a job would fit and how long it may take. Nothing is started or kept."""
    del caller
    with told():
        return preflight_of(preflight_report(request, services.config))


def preflight_of(report: dict[str, Any]) -> Preflight:
    """The report of `sweep --dry-run --json`."""
    return Preflight.model_validate({**report, "expected_text": duration_in_words(report["expected_s"])})


@router.post("/cancel/{job_id}", responses=NOT_FOUND | CONFLICT)
def cancel(job_id: JobId, services: ServicesDep, caller: Runner) -> Told:
    """Stop a job: at once if it waits, otherwise its processes end within seconds. What it measured is kept."""
    find_own_job(services, job_id, caller)
    with told():
        job = services.queue.cancel(job_id, caller.user)
    done = "is being cancelled" if job.status is JobStatus.CANCELLING else "is cancelled"
    return Told(message=f"Job {job_id} {done}", job_id=job_id, status=job.status)


@router.post("/jobs/{job_id}/retry", status_code=202, responses=NOT_FOUND | CONFLICT)
def retry(job_id: JobId, services: ServicesDep, caller: Runner) -> Told:
    """Queue a job again that failed, was cancelled or interrupted. What is finished of it is not done again."""
    find_own_job(services, job_id, caller)
    with told():
        job = services.queue.retry(job_id, caller.user)
    return Told(message=f"Job {job_id} is queued again", job_id=job_id, status=job.status)


@router.get("/jobs/{job_id}/log", responses=NOT_FOUND)
def log(
    job_id: JobId,
    services: ServicesDep,
    caller: Reader,
    offset: Annotated[
        int | None, Query(ge=0, le=2**53, description="Where to go on; left out: the end of the log.")
    ] = None,
) -> LogPart:
    """What the job's newest attempt printed; its user's and admins' to read."""
    job = find_own_job(services, job_id, caller)
    if offset is None:
        end = job_log(services.config, job.job_id, most_bytes=MOST_LOG_BYTES)
        return LogPart(text=end.text, next_offset=end.size_bytes, is_cut=end.is_cut, attempt=end.attempt)
    text, following = log_from(services.config, job.job_id, offset, most_bytes=MOST_LOG_BYTES)
    return LogPart(text=text, next_offset=following, is_cut=offset > 0, attempt=job.attempt)


def _added(request: RunRequest, services: Services, user: str, key: str | None) -> Job:
    """The job that the key gave before, whatever the catalogue offers now; else a new one."""
    if key is None:
        return services.queue.add(checked_job(request, services.config, user).job)
    same = fingerprint(request)
    earlier = services.queue.earlier(user, key, same)
    if earlier is not None:
        return earlier
    return services.queue.add(checked_job(request, services.config, user).job, key, fingerprint=same)
