"""Make the answer of a page: HTML, or the same view as Markdown, CSV or PDF with `?format=`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from starlette.responses import HTMLResponse, Response

from web.pages.exporting import exported
from web.pages.templating import environment
from web.pages.view import View, here

if TYPE_CHECKING:
    from starlette.requests import Request


class Place(NamedTuple):
    """A link of the navigation. role: who may see it; "" for everybody who may read."""

    path: str
    title: str
    role: str = ""


NAVIGATION: tuple[tuple[str, tuple[Place, ...]], ...] = (
    (
        "Results",
        (
            Place("/", "Leaderboard"),
            Place("/rankings", "Rankings"),
            Place("/tradeoffs", "Trade-offs"),
            Place("/history", "History"),
        ),
    ),
    ("Look closer", (Place("/runs", "Runs"), Place("/tasks", "Problems"), Place("/compare", "Compare"))),
    (
        "Work",
        (
            Place("/jobs", "Jobs"),
            Place("/start", "Start a run", "run"),
            Place("/schedules", "Schedules"),
            Place("/live", "Machine"),
        ),
    ),
    ("", (Place("/keys", "Keys", "admin"), Place("/help", "Help"))),
)


def page(
    request: Request,
    template: str,
    *,
    view: View,
    status_code: int = 200,
    headers: dict[str, str] | None = None,
    **facts: Any,
) -> Response:
    """Render a template that extends `base.html.jinja`; with `?format=md|csv|pdf`, write the view instead.

    view: title, conclusion and tables, which the template shows as `view`. facts: what else it shows. Raises
    UsageError for another format, and where PDF isn't installed.
    """
    if wanted := request.query_params.get("format"):
        return exported(view, wanted)
    viewer = getattr(request.state, "caller", None)
    text = (
        environment()
        .get_template(template)
        .render(
            view=view,
            request=request,
            here=partial(here, request),
            viewer=viewer,
            navigation=navigation_of(request),
            current=current_place(request.url.path),
            **facts,
        )
    )
    return HTMLResponse(text, status_code=status_code, headers=headers)


def error_page(
    request: Request, status_code: int, *, title: str, detail: str, hint: str = "", error_id: str = ""
) -> Response:
    """A page that says what went wrong, and one thing to try. error_id: names it in the server's log."""
    text = (
        environment()
        .get_template("error.html.jinja")
        .render(
            view=View(title=title, name="error"),
            request=request,
            here=partial(here, request),
            viewer=getattr(request.state, "caller", None),
            navigation=navigation_of(request),
            current="",
            status_code=status_code,
            detail=detail,
            hint=hint,
            error_id=error_id,
        )
    )
    return HTMLResponse(text, status_code=status_code)


def navigation_of(request: Request) -> tuple[tuple[str, tuple[Place, ...]], ...]:
    """All links, or, in a site of files, those to results."""
    if not getattr(request.state, "is_site", False):
        return NAVIGATION
    return tuple((title, places) for title, places in NAVIGATION if title != "Work")


def current_place(path: str) -> str:
    """The navigation's link that leads to the page or to what it is a part of."""
    places = [place.path for _, group in NAVIGATION for place in group]
    within = [each for each in places if path == each or (each != "/" and path.startswith(f"{each}/"))]
    return max(within, key=len, default="")
