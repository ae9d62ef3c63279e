"""Parsers by name; each is imported when it is asked for."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, cast

from results.errors import UsageError
from results.files import user_path
from settings.parsers import PARSERS

if TYPE_CHECKING:
    from parsers.contract import Parser


def is_file(name: str) -> bool:
    """Whether that is a file of the user's own: a name has neither a slash nor an ending."""
    return "/" in name or name.endswith(".py")


def in_full(name: str) -> str:
    """As a record keeps it: of a file, the absolute path."""
    return str(user_path(name).absolute()) if is_file(name) else name


def get(name: str) -> Parser:
    """The parser of that name, or in that file (see `in_full`). Raises UsageError, with the names that exist."""
    if is_file(name):
        from parsers.own_file import load

        return load(Path(name))
    if name not in PARSERS:
        import difflib

        close = difflib.get_close_matches(name.lower(), PARSERS, n=1)
        meant = f"did you mean {close[0]}? " if close else ""
        raise UsageError(
            f"there is no parser {name!r}",
            hint=f"{meant}parsers: {', '.join(PARSERS)}; or your own file",
            settings=("parser",),
        )
    return cast("Parser", importlib.import_module(PARSERS[name]).PARSER)
