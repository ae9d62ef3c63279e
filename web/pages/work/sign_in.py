"""The page to sign in with a key. What is sent from it goes to `web.access.entry`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation at run time
from starlette.responses import Response  # noqa: TC002 - FastAPI reads the annotation at run time

from web.access.hosts import own_path
from web.pages.rendering import page
from web.pages.view import View

router = APIRouter(include_in_schema=False)


@router.get("/login")
def sign_in(
    request: Request,
    failed: str = "",
    target: Annotated[str, Query(alias="next", max_length=4000)] = "/",
) -> Response:
    """Paste a key. next: where to go then, on this site only."""
    return page(
        request,
        "work/login.html.jinja",
        view=View(title="Sign in", name="sign-in"),
        failed=failed == "1",
        target=own_path(target),
        headers={"cache-control": "no-store"},
        status_code=401 if failed == "1" else 200,
    )
