"""The keys, for admins: who may ask, since when, and the buttons that add and revoke."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Form
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation at run time
from starlette.responses import RedirectResponse, Response

from results.errors import UsageError
from web.access.caller import Caller, may
from web.access.role import Role
from web.api.asking import told
from web.pages.rendering import page
from web.pages.table import Column, Empty, Kind, Row, Table
from web.pages.view import View
from web.pages.work.job_lines import moment
from web.services import ServicesDep  # noqa: TC001 - FastAPI reads the annotation at run time

if TYPE_CHECKING:
    from web.jobs.keys import Key
    from web.services import Services

router = APIRouter(include_in_schema=False)
Admin = Annotated[Caller, Depends(may(Role.ADMIN))]
MOST_LOGGED = 40
_ROLES = {
    Role.READ: "look at results and jobs",
    Role.RUN: "also start jobs, and cancel their own",
    Role.ADMIN: "also cancel those of others, and manage keys",
}


@router.get("/keys")
def keys(request: Request, services: ServicesDep, caller: Admin) -> Response:
    """All of them, without their secrets, which are nowhere."""
    return _shown(request, services, caller)


@router.post("/keys")
def add(
    *,
    request: Request,
    services: ServicesDep,
    caller: Admin,
    user: Annotated[str, Form(max_length=200)] = "",
    role: Annotated[str, Form(max_length=20)] = "",
) -> Response:
    """Add one, and show its secret this once."""
    if role not in {*Role}:
        return _shown(request, services, caller, user=user, problem="choose what the key may do", status=400)
    try:
        key, secret = services.keys.add(user.strip(), Role(role), by=caller.user)
    except UsageError as error:
        problem = f"{error.message}; {error.hint}" if error.hint else error.message
        return _shown(request, services, caller, user=user, role=role, problem=problem, status=400)
    return _shown(request, services, caller, added=key, secret=secret)


@router.post("/keys/{key_id}/revoke")
def revoke(key_id: str, services: ServicesDep, caller: Admin) -> Response:
    """It opens nothing from now on."""
    with told():
        services.keys.revoke(key_id, by=caller.user)
    return RedirectResponse("/keys", 303)


def _shown(
    request: Request,
    services: Services,
    caller: Caller,
    *,
    added: Key | None = None,
    secret: str = "",
    user: str = "",
    role: str = str(Role.RUN),
    problem: str = "",
    status: int = 200,
) -> Response:
    found = services.keys.list()
    valid = [key for key in found if key.revoked_at is None]
    columns = (
        Column("user", "User"),
        Column("role", "Role"),
        Column("key_id", "Id", kind=Kind.CODE),
        Column("created_at", "Added", kind=Kind.TIME),
        Column("last_used_at", "Last used", kind=Kind.TIME),
        Column("revoked_at", "Revoked", kind=Kind.TIME),
    )
    rows = tuple(
        Row({
            "user": key.user,
            "role": str(key.role),
            "key_id": key.key_id,
            "created_at": moment(key.created_at),
            "last_used_at": moment(key.last_used_at),
            "revoked_at": moment(key.revoked_at),
        })
        for key in found
    )  # fmt: skip
    log = _log(services)
    return page(
        request,
        "work/keys.html.jinja",
        view=View(title="Keys", name="keys", tables=(Table("All keys.", columns, rows), log)),
        log=log,
        status_code=status,
        headers={"cache-control": "no-store"},
        valid=valid,
        revoked=[key for key in found if key.revoked_at is not None],
        moment=moment,
        roles=[(str(each), words) for each, words in _ROLES.items()],
        own=caller.key_id,
        added=added,
        secret=secret,
        user=user,
        role=role,
        problem=problem,
    )


def _log(services: Services) -> Table:
    """Who did what, the newest first."""
    columns = (
        Column("at", "When", kind=Kind.TIME),
        Column("who", "Who"),
        Column("what", "What", kind=Kind.LONG),
        Column("on", "Of", kind=Kind.CODE),
    )
    rows = tuple(
        Row({"at": moment(each.at), "who": each.who, "what": each.what, "on": each.on or None})
        for each in services.audit.rows(limit=MOST_LOGGED)
    )
    return Table("Who did what, the newest first.", columns, rows, Empty("Nothing yet."))
