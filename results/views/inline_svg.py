"""A matplotlib figure as SVG that stands inside a page: text stays text, ids are its own, ink follows the page."""

from __future__ import annotations

import contextlib
import io
import re
from typing import TYPE_CHECKING

from results.views.page_text import page_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.figure import Figure

INK = "#010203"  # in a figure: what the page's own text colour shall take the place of
_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))


@contextlib.contextmanager
def drawing(name: str) -> Iterator[None]:
    """Settings of matplotlib for a figure and its `inline_svg`. name: as there."""
    import matplotlib as mpl

    with mpl.rc_context(
        {
            "svg.fonttype": "none",
            "svg.hashsalt": name,
            "text.parse_math": False,  # a model's name may hold a $, which would begin a formula
            "font.size": 9,
            "figure.facecolor": "none",
            "axes.facecolor": "none",
            "text.color": INK,
            "axes.edgecolor": INK,
            "axes.labelcolor": INK,
            "xtick.color": INK,
            "ytick.color": INK,
            "grid.color": INK,
        }
    ):
        yield


def inline_svg(figure: Figure, *, name: str, title: str) -> str:
    """An <svg> element. name: in letters, digits and -; begins its ids, so that several drawings can share a page.
    title: says in words what is drawn.
    """
    drawn = io.StringIO()
    figure.savefig(drawn, format="svg", metadata=_METADATA)
    text = drawn.getvalue()
    text = text[text.index("<svg") :].replace(INK, "currentColor")
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'(href="|url\()#', rf"\1#{name}-", text)
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    end = text.index(">")
    opening = f'<svg role="img" aria-labelledby="{name}-title" {text[len("<svg") : end].strip()}>'
    return f'{opening}\n<title id="{name}-title">{page_text(title)}</title>{text[end + 1 :]}'
