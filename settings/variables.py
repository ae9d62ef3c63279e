"""${ENV} in the texts that a user writes: filled in where a setting is read, and kept as it was written."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from results.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

VARIABLE = re.compile(r"\$(\$)?\{([^{}]*)\}")
_NAME = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)


def expand(text: str, environment: Mapping[str, str] = os.environ) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The text with ${NAME} and ${NAME:-default} filled in ($${NAME} gives ${NAME} itself), and what was filled in
    as (value, text as written).

    As in a shell, an empty variable takes its default too. Raises UsageError for one that is not set.
    """
    filled: list[tuple[str, str]] = []

    def value(found: re.Match[str]) -> str:
        if found[1]:
            return found[0][1:]
        parts = _NAME.fullmatch(found[2])
        if parts is None:
            raise UsageError(f"{found[0]} is no variable", hint="write ${NAME} or ${NAME:-default}")
        name, default = parts.groups()
        known = environment.get(name)
        if known is None and default is None:
            raise UsageError(f"the environment variable {name} is not set")
        result = known if known or default is None else default
        filled.append((str(result), found[0]))
        return str(result)

    return VARIABLE.sub(value, text), tuple(filled)


def unexpanded(text: str, expansions: Iterable[tuple[str, str]]) -> str:
    """The text with the values of variables replaced by their names again, the longest first."""
    for value, written in sorted(expansions, key=lambda pair: -len(pair[0])):
        if value:
            text = text.replace(value, written)
    return text
