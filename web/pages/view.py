"""What a page says apart from its layout: what `?format=md|csv|pdf` writes of it, and what a screen shows first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from web.pages.table import Table


@dataclass(frozen=True, kw_only=True)
class View:
    """title: the page's. lead: the conclusion, in a sentence. sentences: what else there is to say. facts: by name.
    tables: in the page's order. name: of a file it is exported to, without an ending.
    """

    title: str
    name: str
    lead: str = ""
    sentences: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    tables: tuple[Table, ...] = ()


@dataclass(frozen=True)
class Option:
    value: str
    text: str
    chosen: bool


@dataclass(frozen=True)
class Filter:
    """One field of a form that filters a view. name: in the URL. options: of a choice; empty for a text."""

    name: str
    label: str
    value: str = ""
    options: tuple[Option, ...] = ()
    kind: str = "search"
    placeholder: str = ""
    list: tuple[str, ...] = ()

    @property
    def is_set(self) -> bool:
        """Whether it leaves anything out."""
        return bool(self.value)


def choice(name: str, label: str, value: str, options: Mapping[str, str]) -> Filter:
    """A choice among options, their texts by value. A value that is no option is shown as one, so that the form never
    hides what a URL asked for.
    """
    known = dict(options) if value in options else {**options, value: value}
    made = tuple(Option(each, text, each == value) for each, text in known.items())
    return Filter(name, label, value, made)


def here(request: Request, **changes: Any) -> str:
    """The view's URL with other values in its query; None removes one. A changed view begins at its first page."""
    query = [(name, value) for name, value in request.query_params.multi_items() if name not in changes]
    if "cursor" not in changes:
        query = [(name, value) for name, value in query if name != "cursor"]
    for name, value in changes.items():
        each = value if isinstance(value, list | tuple) else [value]
        query += [(name, str(one)) for one in each if one is not None and one != ""]
    text = urlencode([(name, value) for name, value in query if name != "format" or "format" in changes])
    return request.url.path + (f"?{text}" if text else "")
