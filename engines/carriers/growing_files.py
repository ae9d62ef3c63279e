"""What is new in a folder that another program writes into, in pieces: files grow at their end, or are replaced.

A record never comes before what it is about: records are read first and given last, and `end.json` after all others.
So whatever piece is the last that arrives somewhere, what arrived is a state in which the folder once was.
"""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from engines.node.attempt_files import END, NODE, UNIT
from engines.node.frames import MOST_DATA
from results.store.run_log import RUN_LOG_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_TAIL_BYTES: Final = 4096  # compared before more is appended: the file may have been cut and written anew
_RECORDS: Final = ("run.json", END)  # in this order, last
_MOST_DEEP: Final = 6
MOST_NAME: Final = 200  # bytes
MOST_PATH: Final = 1000


@dataclass(frozen=True)
class Piece:
    """Bytes of a file, at most MOST_DATA. path: relative to the folder. replaces: they are of its whole new content,
    which is complete with the `last` piece; else they follow what was given before.
    """

    path: str
    offset: int
    data: bytes
    replaces: bool = False
    last: bool = True


@dataclass(frozen=True)
class _Known:
    """What was given of a file. tail: its last bytes."""

    inode: int
    size: int
    modified_ns: int
    tail: bytes


class GrowingFiles:
    """The folder, and what was given of each file. Locks, the folder's own run log, temporary files, links and special
    files are left out, and so are names that `received_files` refuses. That a file was removed isn't told: what has
    arrived somewhere stays there, whatever becomes of a machine. with_unit: also `unit.json`, which only a coordinator
    gives.
    """

    def __init__(self, folder: Path, *, with_unit: bool = False) -> None:
        self._folder = folder
        self._with_unit = with_unit
        self._known: dict[str, _Known] = {}

    def known_already(self) -> None:
        """What is there now is there too on the other side."""
        for path in self._paths():
            for _ in self._pieces(path):
                pass

    def names(self) -> list[str]:
        """Of the files that were given, or are known already."""
        return list(self._known)

    def pieces(self, *, with_end: bool = True) -> Iterator[Piece]:
        """What is new. A file counts as given once the piece after its last one is asked for. with_end: also `end.json`
        if it is there.
        """
        records = sorted(
            (path for path in self._paths() if _rank(path) and (with_end or path != END)), key=_rank
        )
        ready = [piece for path in records for piece in self._pieces(path)]
        # Listed only now: what a record speaks of was made before it.
        for path in sorted(
            (path for path in self._paths() if not _rank(path)), key=lambda each: each != NODE
        ):
            yield from self._pieces(path)
        yield from ready

    def _paths(self) -> list[str]:
        left_out = (RUN_LOG_NAME,) if self._with_unit else (RUN_LOG_NAME, UNIT)
        return list(_files(self._folder, left_out, "", 0))

    def _pieces(self, path: str) -> Iterator[Piece]:
        with contextlib.suppress(
            OSError
        ):  # it was removed or replaced just now; the next look sees what is there
            known = self._known.get(path)
            status = (self._folder / path).lstat()
            if known is not None and _signature(status) == (known.inode, known.size, known.modified_ns):
                return
            descriptor = os.open(
                self._folder / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
            )
            try:
                yield from self._read(path, descriptor, known)
            finally:
                os.close(descriptor)

    def _read(self, path: str, descriptor: int, known: _Known | None) -> Iterator[Piece]:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return
        # A reader of a record sees the old one or the new one, so it always comes whole.
        replaces = path.endswith(".json") or (known is not None and not _goes_on(descriptor, status, known))
        offset = 0 if known is None or replaces else known.size
        tail = b"" if known is None or replaces else known.tail
        while offset < status.st_size or replaces:
            data = os.pread(descriptor, min(MOST_DATA, status.st_size - offset), offset)
            end = offset + len(data)
            last = end >= status.st_size or not data
            yield Piece(path, offset, data, replaces=replaces, last=last)
            offset, tail = end, (tail + data)[-_TAIL_BYTES:]
            if last:
                break
        if offset == 0 and known is None and not replaces:
            yield Piece(path, 0, b"")
        self._known[path] = _Known(status.st_ino, offset, status.st_mtime_ns, tail)


def _files(folder: Path, left_out: tuple[str, ...], below: str, depth: int) -> Iterator[str]:
    with contextlib.suppress(OSError), os.scandir(folder / below) as entries:
        for entry in entries:
            path = f"{below}{entry.name}"
            if entry.name.startswith(".") or entry.is_symlink() or not _is_plain(path):
                continue
            if entry.is_dir(follow_symlinks=False):
                if depth < _MOST_DEEP:
                    yield from _files(folder, left_out, f"{path}/", depth + 1)
            elif (
                entry.is_file(follow_symlinks=False)
                and not entry.name.endswith(".lock")
                and not (depth == 0 and entry.name.startswith(left_out))
            ):
                yield path


def _is_plain(path: str) -> bool:
    """Whether the other side takes a file of that name, see `received_files`."""
    name = path.rpartition("/")[2]
    return name.isprintable() and len(os.fsencode(name)) <= MOST_NAME and len(os.fsencode(path)) <= MOST_PATH


def _rank(path: str) -> int:
    """Which record it is, in the order in which they are given; 0 for any other file."""
    name = path.rpartition("/")[2]
    return _RECORDS.index(name) + 1 if name in _RECORDS else 0


def _signature(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_size, status.st_mtime_ns


def _goes_on(descriptor: int, status: os.stat_result, known: _Known) -> bool:
    """Whether the file has at its beginning what was given of it, as far as its last bytes say."""
    if status.st_ino != known.inode or status.st_size < known.size:
        return False
    return os.pread(descriptor, len(known.tail), known.size - len(known.tail)) == known.tail
