"""Matplotlib figures as SVG inside a page: text stays text, ids are unique, the ink takes the page's text colour."""

from __future__ import annotations

import contextlib
import io
import re
from typing import TYPE_CHECKING

from results.views.report.page_text import page_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.figure import Figure

INK = "#010203"  # the colour in figures that is replaced by the page's text colour
_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))


@contextlib.contextmanager
def drawing(name: str) -> Iterator[None]:
    """Matplotlib's settings for a figure and its `inline_svg`, which needs the same name."""
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
    """The figure as an <svg> element. name: letters, digits and -; a prefix of its ids, so that several drawings can
    share a page. title: describes the drawing in words.
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
