"""Jobs that are posted by the clock, at low priority."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - pydantic reads the annotation at run time
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Path
from pydantic import Field
from starlette.responses import Response

from web.access.role import Role
from web.api.asking import (
    CONFLICT,
    NOT_FOUND,
    Answer,
    Reader,
    Runner,
    moment,
    moment_or_none,
    require_own,
    told,
)
from web.api.every_mistake import EveryMistake
from web.api.repeating import IdempotencyKey, fingerprint
from web.catalogue.posting import checked_job
from web.catalogue.request import RunRequest
from web.config import API_ROOT
from web.errors import ApiError
from web.jobs.schedules import NewSchedule
from web.services import ServicesDep  # noqa: TC001 - same

if TYPE_CHECKING:
    from web.jobs.schedules import Schedule

router = APIRouter(prefix=API_ROOT, tags=["schedules"], route_class=EveryMistake)
_Text = Annotated[str, Field(min_length=1, max_length=100)]


class ScheduleRequest(RunRequest):
    """A job as for POST /run, with when it is posted. cron: five fields, such as `30 2 * * 1-5`. time_zone: such as
    Europe/Berlin. priority: always low.
    """

    name: _Text
    cron: _Text
    time_zone: _Text = "UTC"


class ScheduleRow(Answer):
    """next_at: when it posts next; null: never again. posted_at, job_id: the last time. detail: why it posted nothing
    then; "" if it did.
    """

    schedule_id: str
    name: str
    user: str
    cron: str
    time_zone: str
    benchmark_suite: str
    model_name: str
    project_id: str
    created_at: dt.datetime
    next_at: dt.datetime | None
    posted_at: dt.datetime | None
    job_id: str
    detail: str


class ScheduleList(Answer):
    """All of the caller's; an admin's list has everybody's."""

    schedules: tuple[ScheduleRow, ...]


@router.get("/schedules")
def list_schedules(services: ServicesDep, caller: Reader) -> ScheduleList:
    """In the order in which they were added."""
    user = None if caller.role.includes(Role.ADMIN) else caller.user
    return ScheduleList(schedules=tuple(map(schedule_row, services.schedules.list(user))))


@router.post("/schedules", status_code=201, responses=CONFLICT)
def add_schedule(
    request: ScheduleRequest, services: ServicesDep, caller: Runner, idempotency_key: IdempotencyKey = None
) -> ScheduleRow:
    """Post a job at these times from now on, as long as the user has a valid key. The request is checked now, and its
    jobs keep the operator's settings of today: after a change of those, remove the schedule and add it again.
    """
    same = fingerprint(request, "schedule")
    with told():
        earlier = services.schedules.earlier(caller.user, idempotency_key, same) if idempotency_key else None
    if earlier is not None:  # whatever the catalogue offers now
        return schedule_row(earlier)
    asked = RunRequest.model_validate(
        request.model_dump(include=set(RunRequest.model_fields), exclude_unset=True)
    )
    with told():
        job = checked_job(asked, services.config, caller.user).job
        added = services.schedules.add(
            NewSchedule(
                user=caller.user,
                name=request.name,
                cron=request.cron,
                time_zone=request.time_zone,
                suite=job.suite,
                model_name=job.model_name,
                manifest=job.manifest,
                project_id=job.project_id,
                needs_device=job.needs_device,
                names=job.names,
            ),
            idempotency_key,
            fingerprint=same,
        )
    return schedule_row(added)


@router.delete("/schedules/{schedule_id}", status_code=204, response_class=Response, responses=NOT_FOUND)
def remove_schedule(
    schedule_id: Annotated[str, Path(max_length=64)], services: ServicesDep, caller: Runner
) -> Response:
    """It posts nothing from now on; its jobs stay."""
    known = services.schedules.get(schedule_id)
    if known is None:
        raise ApiError(404, "there is no schedule with that id")
    require_own(known.user, caller)
    with told():
        services.schedules.remove(schedule_id, caller.user)
    return Response(status_code=204)


def schedule_row(schedule: Schedule) -> ScheduleRow:
    """A schedule as an answer."""
    return ScheduleRow(
        schedule_id=schedule.schedule_id,
        name=schedule.name,
        user=schedule.user,
        cron=schedule.cron,
        time_zone=schedule.time_zone,
        benchmark_suite=schedule.suite,
        model_name=schedule.model_name,
        project_id=schedule.project_id,
        created_at=moment(schedule.created_at),
        next_at=moment_or_none(schedule.next_at),
        posted_at=moment_or_none(schedule.posted_at),
        job_id=schedule.job_id,
        detail=schedule.detail,
    )
