"""The cache of what references predict, as running servers told it: a folder for each, found by a hash.

It is bounded: the one unused for longest is deleted first. One that is being written or read is locked and stays.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import TYPE_CHECKING

import msgspec

from results.durable import explained, replace_file
from results.errors import ResultsError
from results.files import read_file
from results.folders import cache_folder, size_bytes_of
from results.json_text import NOT_THAT_JSON
from results.locks import lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LIMIT_BYTES = 4 << 30
_LOOK_S = 0.5
_WHOLE = "whole.json"  # its time says when the predictions were used last


def predictions_folder(key: str) -> Path:
    """Where the predictions of that key lie, if they are there."""
    return cache_folder() / "kld_predictions" / key


class _Whole(msgspec.Struct):
    """limit: the windows that were asked for; None: all of the text."""

    limit: int | None = None


def is_whole(key: str, limit: int | None) -> bool:
    """Whether all predictions for so many windows (None: all of the text) are there; they are used now."""
    path = predictions_folder(key) / _WHOLE
    try:
        there = msgspec.json.decode(read_file(path), type=_Whole).limit
    except (OSError, *NOT_THAT_JSON):
        return False
    with contextlib.suppress(OSError):
        os.utime(path)
    return there is None or (limit is not None and limit <= there)


def is_there(key: str) -> bool:
    """Whether predictions for any number of windows are there; they are used now."""
    return is_whole(key, 1)


def note_whole(key: str, limit: int | None) -> None:
    """All predictions for so many windows are there. Raises ResultsError."""
    if is_whole(key, limit):
        return
    path = predictions_folder(key) / _WHOLE
    with explained("write", path):
        replace_file(path, msgspec.json.encode(_Whole(limit)))


@contextlib.contextmanager
def claimed(key: str, say: Callable[[str], None], *, to_read: bool = False) -> Iterator[Path]:
    """Its folder, which nobody else writes, reads or deletes meanwhile. Waits for another run. Raises ResultsError.

    to_read: others may read it too.
    """
    folder = predictions_folder(key)
    with explained("write", folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
    told = False
    while True:
        with contextlib.ExitStack() as held:
            with explained("write", folder):
                ours = held.enter_context(lock(folder.with_suffix(".lock"), shared=to_read, within_s=_LOOK_S))
            if ours is not None:
                yield folder
                return
        if not told:
            say("waiting for another run that uses the same reference")
            told = True


def make_room(key: str, size_bytes: int, say: Callable[[str], None], limit_bytes: int = LIMIT_BYTES) -> None:
    """Delete the ones unused for longest, never that of the key, until so many bytes more fit. Raises ResultsError."""
    parent = predictions_folder(key).parent
    if size_bytes > limit_bytes:
        raise ResultsError(
            f"the reference's predictions need {size_bytes >> 20} MiB, and all may have {limit_bytes >> 20}",
            hint="lower --limit or --kld-top",
        )
    with explained("write", parent):
        parent.mkdir(parents=True, exist_ok=True)
        kept = sorted(
            (each for each in parent.iterdir() if each.is_dir() and each.name != key), key=_last_used
        )
        sizes = {folder: size_bytes_of(folder) for folder in kept}
        total = sum(sizes.values())
        for oldest in kept:
            if total + size_bytes <= limit_bytes:
                break
            with lock(oldest.with_suffix(".lock"), within_s=0) as ours:
                if ours is not None:
                    say(f"deleting the predictions of a reference that was not used for longest: {oldest}")
                    shutil.rmtree(oldest, ignore_errors=True)
                    total -= sizes[oldest]
        free = shutil.disk_usage(parent).free
    if free < size_bytes:
        raise ResultsError(
            f"the reference's predictions need {size_bytes >> 20} MiB in {parent}, where {free >> 20} are free",
            hint="free some space there, or set XDG_CACHE_HOME to a folder on another disk",
        )


def _last_used(folder: Path) -> float:
    used = 0.0
    for path in (folder, folder / _WHOLE):
        with contextlib.suppress(FileNotFoundError):  # another run deletes it just now
            used = max(used, path.stat().st_mtime)
    return used
