"""${ENV} in the texts that a user writes: filled in where a setting is read, and kept as it was written."""

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
_KEPT = re.compile("\ue000(\\d+)\ue001")  # of the private use area: nobody's text


class Filled(str):
    """A text in which variables were filled in. written: as it was before, for records: a value may be a secret.

    It is a `str` so that it travels through lists and command lines as any other word does.
    """

    __slots__ = ("written",)
    written: str

    def __new__(cls, text: str, written: str) -> Self:
        self = super().__new__(cls, text)
        self.written = written
        return self


def expand(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """The text with ${NAME} and ${NAME:-default} filled in, a `Filled` if there were any ($${NAME} gives ${NAME}).

    As in a shell, an empty variable takes its default too. Raises UsageError for one that is not set.
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
    """The text (or each of a list of words) from which `expand` makes this value again; all else as it is."""
    if isinstance(value, Filled):
        return value.written
    if isinstance(value, str):
        return VARIABLE.sub(lambda found: f"${found[0]}", value)
    if isinstance(value, list | tuple):
        return [as_written(each) for each in value]
    return value


def shown(word: str) -> str:
    """The word of a command line as people and records see it: variables by their names."""
    return word.written if isinstance(word, Filled) else word


def split_words(text: str) -> list[str]:
    """The words as a shell splits them, with variables filled in after that: a value never makes two words.

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
