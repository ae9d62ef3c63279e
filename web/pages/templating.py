"""The environment in which the pages' templates are rendered: every text is escaped."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from results.plain_text import cell as one_line
from results.views.page_environment import page_environment
from results.views.report.page import TEMPLATES as REPORT
from web.pages.static_files import address_of
from web.pages.table import bar, interval_text, shown_text, spark_path
from web.pages.words import TERMS

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"


@cache
def environment() -> Environment:
    """The templates of these pages, and as `report/...` those of a report, whose macros they share."""
    from jinja2 import ChoiceLoader, FileSystemLoader, PrefixLoader

    made = page_environment(
        ChoiceLoader([FileSystemLoader(TEMPLATES), PrefixLoader({"report": FileSystemLoader(REPORT)})])
    )
    made.globals |= {
        "static": address_of,
        "shown_text": shown_text,
        "interval_text": interval_text,
        "bar_of": bar,
        "spark_path": spark_path,
        "terms": TERMS,
    }
    made.filters |= {
        "one_line": one_line,
        "script_data": script_data,
        "pair_with_none": lambda name: (name, None),
    }
    return made


def script_data(value: Any) -> Any:
    """JSON for a `<script type="application/json">`, which no text in it can end."""
    from markupsafe import Markup

    from results.json_text import encode

    text = encode(value).decode()
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - what could leave the element is written out above
