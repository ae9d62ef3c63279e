"""The page of an error, which nothing in it may make fail in its turn."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING

from markupsafe import Markup
from starlette.responses import HTMLResponse, Response

from web.pages import rendering

if TYPE_CHECKING:
    from starlette.requests import Request

logger = logging.getLogger(__name__)
_TITLES = {
    400: "That request can't be answered",
    401: "Please sign in",
    403: "You may not do that",
    404: "There is nothing here",
    405: "That can't be done here",
    409: "That doesn't fit together",
    410: "This link doesn't work any more",
    413: "That is too large",
    421: "This server has another name",
    431: "That is too long",
    429: "That was too often",
    500: "Something went wrong here",
    503: "Not now",
}


def error_page(
    request: Request, status: int, detail: str, *, retry_after: int | None = None, error_id: str = ""
) -> Response:
    """In the dashboard's style if it can be rendered, else plain. detail: one or several lines."""
    title = _TITLES.get(status) or HTTPStatus(status).phrase
    hint = "" if retry_after is None else f"again in {retry_after} s"
    try:
        return rendering.error_page(request, status, title=title, detail=detail, hint=hint, error_id=error_id)
    except Exception:
        logger.exception("the page of an error could not be rendered")
    text = Markup('<!doctype html><html lang="en"><title>{0}</title><h1>{0}</h1><p>{1}</p><p>{2}</p>')
    return HTMLResponse(text.format(title, detail, hint), status)


def follow_page() -> Response:
    """A page that asks for itself again: then the request comes from this site, and its cookie comes along."""
    return HTMLResponse(
        '<!doctype html><html lang="en"><meta http-equiv="refresh" content="0"><title>Opening</title>'
        "<p>Opening the page. If nothing happens, reload it.</p>"
    )
