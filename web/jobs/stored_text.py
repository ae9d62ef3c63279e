"""Texts that both databases can hold."""

from __future__ import annotations

from results.errors import UsageError
from results.plain_text import plain


def storable(text: str) -> bool:
    """PostgreSQL holds no NUL, and neither of them half a surrogate pair."""
    return "\x00" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def require_storable(**texts: str) -> None:
    """Raise UsageError, which names the first text that can't be stored."""
    for name, text in texts.items():
        if not storable(text):
            raise UsageError(
                f"{name} has a character that can't be stored: {plain(text)[:60]!r}",
                hint="leave out NUL and halves of surrogate pairs",
            )
