"""Folders for attempts and models on a machine that others use too: nobody else may plant or change what is in them."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

from results.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

_HINT: Final = "name a folder by workdir that is yours alone, or see `chmod go-w` and `chown`"


def make_own_folder(path: Path) -> None:
    """Make the folder, for this user alone, unless it is there. Raises UsageError if it is a link, or if another user
    has it or may write to it; OSError if it can't be made.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    facts = path.lstat()
    if stat.S_ISLNK(facts.st_mode):
        raise UsageError(f"{path} is a link, so attempts are not made there", hint=_HINT)
    if facts.st_uid != os.geteuid():
        raise UsageError(f"{path} belongs to another user, so attempts are not made there", hint=_HINT)
    _require_unwritable(path, facts.st_mode)


def require_safe_parents(folder: Path) -> None:
    """Make the folder unless it is there. Raises UsageError if another user could rename what is made in it: it is
    another's or all users may write to it or to one above it, unless only owners may rename there, as in /tmp.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    real = folder.resolve()
    facts = real.stat()
    if facts.st_uid not in {0, os.geteuid()}:
        raise UsageError(f"{folder} belongs to another user, so attempts are not made there", hint=_HINT)
    if not facts.st_mode & stat.S_ISVTX:
        _require_unwritable(folder, facts.st_mode)
    for above in real.parents:
        mode = above.stat().st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            raise UsageError(
                f"all users can write to {above}, so attempts are not made in {folder}", hint=_HINT
            )


def _require_unwritable(path: Path, mode: int) -> None:
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise UsageError(f"other users can write to {path}, so attempts are not made there", hint=_HINT)
