"""${ENV} in texts that a user writes: filled in when a setting is read; the text as written is kept too."""

from __future__ import annotations

import os
import re
import shlex
from typing import TYPE_CHECKING, Any, Self

from results.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE = re.compile(r"\$(\$)?\{([^{}]*)\}")
_NAME = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)
_KEPT = re.compile("\ue000(\\d+)\ue001")  # private use characters, which no text has


class Filled(str):
    """A text with its variables filled in. written: the text before that, for records, as a value may be a secret.

    It is a `str`, so it works in lists and command lines like any other word.
    """

    __slots__ = ("written",)
    written: str

    def __new__(cls, text: str, written: str) -> Self:
        self = super().__new__(cls, text)
        self.written = written
        return self


def expand(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """Fill in ${NAME} and ${NAME:-default}. The result is a `Filled` if there were any. $${NAME} gives ${NAME}.

    As in a shell, an empty variable also takes its default. Raises UsageError for a variable that isn't set.
    """

    def value(found: re.Match[str]) -> str:
        if found[1]:
            return found[0][1:]
        parts = _NAME.fullmatch(found[2])
        if parts is None:
            raise UsageError(f"{found[0]} is not a variable", hint="write ${NAME} or ${NAME:-default}")
        name, default = parts.groups()
        known = environment.get(name)
        if known is None and default is None:
            raise UsageError(f"the environment variable {name} is not set", hint=f"export {name}=...")
        return str(known if known or default is None else default)

    filled, count = VARIABLE.subn(value, text)
    return Filled(filled, text) if count else text


def as_written(value: Any) -> Any:
    """The text, or list of texts, that `expand` turns into this value again; other values stay as they are."""
    if isinstance(value, Filled):
        return value.written
    if isinstance(value, str):
        return VARIABLE.sub(lambda found: f"${found[0]}", value)
    if isinstance(value, list | tuple):
        return [as_written(each) for each in value]
    return value


def shown(word: str) -> str:
    """A word of a command line for people and records: variables by name."""
    return word.written if isinstance(word, Filled) else word


def split_words(text: str) -> list[str]:
    """Split words like a shell, then fill in variables, so a variable's value stays one word.

    Raises UsageError.
    """
    kept: list[str] = []

    def aside(found: re.Match[str]) -> str:
        kept.append(found[0])
        return f"\ue000{len(kept) - 1}\ue001"

    try:
        words = shlex.split(VARIABLE.sub(aside, text))
    except ValueError as error:
        raise UsageError(f"can't be split into words: {error}", hint="close the quotation marks") from None
    return [expand(_KEPT.sub(lambda found: kept[int(found[1])], word)) for word in words]
