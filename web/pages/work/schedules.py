"""The schedules: what is posted when, and the button that ends one. A new one begins at the form that starts a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation at run time
from starlette.responses import RedirectResponse, Response

from web.access.role import Role
from web.api.asking import Reader, Runner, require_own, told
from web.errors import ApiError
from web.pages.rendering import page
from web.pages.table import Cell, Column, Empty, Kind, Row, Table
from web.pages.view import View
from web.pages.work.job_lines import moment
from web.services import ServicesDep  # noqa: TC001 - FastAPI reads the annotation at run time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from web.jobs.schedules import Schedule

router = APIRouter(include_in_schema=False)


@router.get("/schedules")
def schedules(request: Request, services: ServicesDep, caller: Reader) -> Response:
    """One's own; an admin sees everybody's."""
    is_admin = caller.role.includes(Role.ADMIN)
    found = services.schedules.list(None if is_admin else caller.user)
    soonest = min(((each.next_at, each.name) for each in found if each.next_at is not None), default=None)
    lead = f"Next is {soonest[1]}, at {_minute(soonest[0])} UTC" if soonest else ""
    return page(
        request,
        "work/schedules.html.jinja",
        view=View(title="Schedules", name="schedules", lead=lead, tables=(_table(found),)),
        schedules=found,
        minute=_minute,
        moment=moment,
        may_run=caller.role.includes(Role.RUN),
        empty=Empty(
            "Nothing is scheduled",
            "Fill in the form that starts a run; its second step offers to repeat it at fixed times.",
            "/start" if caller.role.includes(Role.RUN) else "",
            "Start a run",
        ),
    )


@router.post("/schedules/{schedule_id}/remove")
def remove(schedule_id: str, services: ServicesDep, caller: Runner) -> Response:
    """It posts nothing from now on; its jobs stay."""
    known = services.schedules.get(schedule_id)
    if known is None:
        raise ApiError(404, "there is no schedule with that id")
    require_own(known.user, caller)
    with told():
        services.schedules.remove(schedule_id, caller.user)
    return RedirectResponse("/schedules", 303)


def _minute(seconds: float | None) -> str:
    return "" if seconds is None else (moment(seconds) or "")[:16].replace("T", " ")


_COLUMNS = (
    Column("name", "Name"),
    Column("what", "What"),
    Column("cron", "When", kind=Kind.CODE),
    Column("time_zone", "Time zone"),
    Column("next_at", "Next", kind=Kind.TIME),
    Column("posted_at", "Last", kind=Kind.TIME),
    Column("user", "User"),
    Column("detail", "Detail", kind=Kind.LONG),
)


def _table(found: Sequence[Schedule]) -> Table:
    rows = tuple(
        Row({
            "name": each.name,
            "what": f"{each.suite} on {each.model_name}",
            "cron": each.cron,
            "time_zone": each.time_zone,
            "next_at": moment(each.next_at),
            "posted_at": Cell(moment(each.posted_at), href=f"/jobs/{each.job_id}" if each.job_id else ""),
            "user": each.user,
            "detail": each.detail or None,
        })
        for each in found
    )  # fmt: skip
    return Table("What is posted when.", _COLUMNS, rows, Empty("Nothing is scheduled."))
