"""What the words and columns mean."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation at run time
from starlette.responses import Response  # noqa: TC002 - FastAPI reads the annotation at run time

from web.pages.rendering import page
from web.pages.table import Column, Kind, Row, Table
from web.pages.view import View
from web.pages.words import TERMS

router = APIRouter(include_in_schema=False)


@router.get("/help")
def help_page(request: Request) -> Response:
    """All words, with anchors."""
    columns = (Column("word", "word"), Column("meaning", "meaning", kind=Kind.LONG))
    rows = tuple(Row({"word": term.title, "meaning": term.text}) for term in TERMS.values())
    return page(
        request,
        "help.html.jinja",
        view=View(title="Help", name="help", tables=(Table("Words", columns, rows),)),
    )
