"""Watch a folder for what was added, replaced and removed since the last look, by looking at it again."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - a dataclass field
from typing import TYPE_CHECKING

from engines.carriers.changes import PART_BYTES, Change, change_path

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_TAIL_BYTES = 4096


@dataclass(frozen=True)
class _Known:
    """What was told of a file. tail: its last bytes; if they changed, it was not only appended to."""

    inode: int
    size: int
    changed_ns: int
    tail: bytes


class GrowingFiles:
    """The regular files below a folder, without hidden ones and without links. Records (`*.json`) are replaced whole;
    of others only what was appended is told, if they were only appended to. leave: names in the folder to leave out.
    """

    def __init__(self, folder: Path, *, leave: Collection[str] = ()) -> None:
        self._folder = folder
        self._leave = frozenset(leave)
        self._known: dict[str, _Known] = {}

    def changes(self, *, without: Collection[str] = ()) -> Iterator[tuple[Change, bytes]]:
        """What is new since the last call, in parts of a few MiB, one file after the other. without: names in the
        folder that are not looked at this time. A file that can't be read now is looked at again. If the caller stops
        in the middle, the next call goes on there.
        """
        there = dict(self._files("", {*self._leave, *without}))
        for relative in [known for known in self._known if known not in there]:
            if relative.partition("/")[0] not in without:
                del self._known[relative]
                yield Change(path=change_path(relative), gone=True), b""
        for relative, status in there.items():
            known = self._known.get(relative)
            if known and (known.inode, known.size, known.changed_ns) == _facts(status):
                continue
            yield from self._of(relative)

    def forget_changes(self) -> None:
        """Take everything that is there now as known, because both sides have it."""
        for _ in self.changes():
            pass

    def names(self) -> list[str]:
        """Of the files that are known, below the folder."""
        return list(self._known)

    def _of(self, relative: str) -> Iterator[tuple[Change, bytes]]:
        try:
            descriptor = os.open(
                self._folder / relative, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            )
        except OSError:
            return
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):  # replaced since it was listed
                return
            facts = inode, size, changed_ns = _facts(status)
            known = self._known.get(relative)
            if known and (known.inode, known.size, known.changed_ns) == facts:
                return
            at = known.size if known and self._only_grew(descriptor, relative, known, facts) else 0
            whole = at == 0
            file.seek(at)
            while whole or at < size:
                data = file.read(min(PART_BYTES, size - at))
                if not data and at < size:
                    return  # cut meanwhile: the next look finds that
                yield Change(path=change_path(relative), offset=at, size=len(data), whole=whole), data
                whole, at = False, at + len(data)
                tail = os.pread(descriptor, min(at, _TAIL_BYTES), max(at - _TAIL_BYTES, 0))
                # Until all is told, another look has to follow.
                self._known[relative] = _Known(inode, at, changed_ns if at == size else 0, tail)

    @staticmethod
    def _only_grew(descriptor: int, relative: str, known: _Known, facts: tuple[int, int, int]) -> bool:
        inode, size, _ = facts
        if relative.endswith(".json") or inode != known.inode or size <= known.size:
            return False
        return os.pread(descriptor, len(known.tail), known.size - len(known.tail)) == known.tail

    def _files(self, below: str, leave: Collection[str]) -> Iterator[tuple[str, os.stat_result]]:
        try:
            entries = sorted(os.scandir(self._folder / below), key=lambda entry: entry.name)
        except OSError:
            return
        for entry in entries:
            name = f"{below}{entry.name}"
            if entry.name.startswith(".") or name in leave:
                continue
            try:
                if entry.is_dir(follow_symlinks=False):
                    yield from self._files(f"{name}/", ())
                elif entry.is_file(follow_symlinks=False):
                    yield name, entry.stat(follow_symlinks=False)
            except OSError:
                continue


def _facts(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_size, status.st_mtime_ns
