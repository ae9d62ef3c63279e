"""Text from elsewhere in a page."""

from __future__ import annotations

from html import escape

from results.plain_text import plain, plain_lines


def page_text(text: str) -> str:
    """In one line, as it stands in an element or an attribute."""
    return escape(plain(text))


def page_lines(text: str) -> str:
    """Line by line, as in a <pre>."""
    return escape(plain_lines(text))
