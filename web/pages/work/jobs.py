"""The jobs: what runs, what waits, what has ended; and the buttons that cancel one or try it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation at run time
from starlette.responses import RedirectResponse, Response

from web.access.role import Role
from web.api.asking import Reader, Runner, find_own_job, told
from web.jobs.job import JobStatus
from web.jobs.queue import JobQuery
from web.jobs.rows import ACTIVE, WAITING
from web.pages.rendering import page
from web.pages.table import Cell, Column, Empty, Kind, Row, Table
from web.pages.view import Filter, View, choice, here
from web.pages.work.job_lines import JobLine, job_line, lasted, moment
from web.services import ServicesDep  # noqa: TC001 - FastAPI reads the annotation at run time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from web.access.caller import Caller
    from web.services import Services

router = APIRouter(include_in_schema=False)
MOST_WAITING = 60
ENDED_A_PAGE = 25
_ENDED = (JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED)
_Text = Annotated[str, Query(max_length=200)]


@router.get("/jobs")
def jobs(
    *,
    request: Request,
    services: ServicesDep,
    caller: Reader,
    status: _Text = "",
    user: _Text = "",
    suite: _Text = "",
    model: _Text = "",
    cursor: Annotated[str | None, Query(max_length=64)] = None,
) -> Response:
    """All users' jobs. The filters concern those that have ended."""
    running, waiting = _running(services, caller), _waiting(services, caller)
    ended = services.queue.jobs(
        JobQuery(
            statuses=tuple(each for each in _ENDED if not status or each == status),
            user=user or None,
            suite=suite or None,
            model_name=model or None,
            limit=ENDED_A_PAGE,
            cursor=cursor or None,
        )
    )
    lines = [job_line(job, caller) for job in ended.jobs]
    tables = (_table("Running", running), _table("Waiting", waiting), _table("Ended", lines))
    return page(
        request,
        "work/jobs.html.jinja",
        view=View(title="Jobs", name="jobs", lead=_lead(running, waiting), tables=tables),
        running=running,
        waiting=waiting,
        ended=lines,
        total=ended.total,
        older=here(request, cursor=ended.next_cursor) if ended.next_cursor else "",
        newest=here(request, cursor=None) if cursor else "",
        filters=_filters(status, user, suite, model),
        may_run=caller.role.includes(Role.RUN),
        is_filtered=bool(status or user or suite or model),
        nothing=Empty(
            "No job has ended yet", "A job is one request to run benchmarks: a run, or a sweep of many."
        ),
        no_match=Empty("No job matches", "Clear the filters to see all of them.", "/jobs", "All jobs"),
        moment=moment,
        lasted=lasted,
        worker=services.worker_state(),
    )


@router.post("/jobs/{job_id}/cancel")
def cancel(job_id: str, services: ServicesDep, caller: Runner) -> Response:
    """Stop it; its own user's and admins' to do."""
    find_own_job(services, job_id, caller)
    with told():
        services.queue.cancel(job_id, caller.user)
    return RedirectResponse(f"/jobs/{job_id}", 303)


@router.post("/jobs/{job_id}/retry")
def retry(job_id: str, services: ServicesDep, caller: Runner) -> Response:
    """Queue it again: what is done of it is not done again."""
    find_own_job(services, job_id, caller)
    with told():
        services.queue.retry(job_id, caller.user)
    return RedirectResponse(f"/jobs/{job_id}", 303)


def _running(services: Services, caller: Caller) -> list[JobLine]:
    found = services.queue.jobs(JobQuery(statuses=tuple(ACTIVE), limit=MOST_WAITING)).jobs
    return [job_line(job, caller, progress=services.readers.progress(job)) for job in reversed(found)]


def _waiting(services: Services, caller: Caller) -> list[JobLine]:
    """In the order in which they start."""
    found = services.queue.jobs(JobQuery(statuses=tuple(WAITING), limit=MOST_WAITING)).jobs
    places = services.queue.places() if found else {}
    lines = [job_line(job, caller, place=places.get(job.job_id)) for job in found]
    return sorted(lines, key=lambda line: line.place.ahead if line.place is not None else MOST_WAITING)


def _lead(running: Sequence[JobLine], waiting: Sequence[JobLine]) -> str:
    if not running and not waiting:
        return "Nothing runs, and nothing waits"
    now = (
        f"{len(running)} job{'s' * (len(running) != 1)} run{'s' * (len(running) == 1)}"
        if running
        else "Nothing runs"
    )
    return f"{now}, {len(waiting)} wait{'s' * (len(waiting) == 1)}"


_COLUMNS = (
    Column("job", "Job"),
    Column("status", "Status", kind=Kind.STATUS),
    Column("user", "User"),
    Column("progress", "Progress", kind=Kind.LONG),
    Column("created_at", "Posted", kind=Kind.TIME),
    Column("completed_at", "Ended", kind=Kind.TIME),
    Column("detail", "Detail", kind=Kind.LONG),
    Column("job_id", "Id", kind=Kind.CODE),
)


def _table(caption: str, lines: Sequence[JobLine]) -> Table:
    """For an export."""
    rows = tuple(
        Row({
            "job": Cell(line.title, href=line.url),
            "status": str(line.job.status),
            "user": line.job.user,
            "progress": line.words or None,
            "created_at": moment(line.job.created_at),
            "completed_at": moment(line.job.completed_at),
            "detail": line.job.detail or None,
            "job_id": line.job.job_id,
        })
        for line in lines
    )  # fmt: skip
    return Table(caption, _COLUMNS, rows, Empty("None."))


def _filters(status: str, user: str, suite: str, model: str) -> list[Filter]:
    words = {"": "all"} | {str(each): str(each) for each in _ENDED}
    return [
        choice("status", "Ended as", status, words),
        Filter("user", "User", user),
        Filter("suite", "Benchmark", suite),
        Filter("model", "Model", model),
    ]
