"""Escape text from outside for an HTML page."""

from __future__ import annotations

from html import escape

from results.plain_text import plain, plain_lines


def page_text(text: str) -> str:
    """Text in one line, for an element or attribute."""
    return escape(plain(text))


def page_lines(text: str) -> str:
    """Text of several lines, for a <pre>."""
    return escape(plain_lines(text))
