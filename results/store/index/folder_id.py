"""Which results folder an index in a shared database is of: the folder has a random name in a file of its own.

Its path would not do: hosts mount one folder at different places, and different ones at the same place.
"""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING

from results.durable import explained, replace_file
from results.files import read_file
from results.locks import lock

if TYPE_CHECKING:
    from pathlib import Path

ID_NAME = ".results-id"
_LOCK_NAME = ".results-id.lock"
_ID = re.compile(rb"([0-9a-f]{32})\n?")


def folder_id(results_dir: Path) -> str:
    """The folder's name, made when it is first asked for. Moves with the folder; a copy has the same one. Raises
    ResultsError.
    """
    path = results_dir / ID_NAME
    with explained("write", path):
        if there := _read(path):
            return there
        with lock(results_dir / _LOCK_NAME):  # two that make one at once agree
            if there := _read(path):
                return there
            made = uuid.uuid4().hex
            replace_file(path, f"{made}\n".encode())
            return made


def _read(path: Path) -> str:
    try:
        found = _ID.fullmatch(read_file(path))
    except FileNotFoundError:
        return ""
    return found[1].decode() if found else ""
