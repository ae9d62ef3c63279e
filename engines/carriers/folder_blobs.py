"""Blobs in a folder, such as a mounted volume."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from results.durable import replace_file
from results.files import open_to_read

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class FolderBlobs:
    """`Blobs` as files. commit: called after each one, for volumes that show others only what was committed."""

    def __init__(self, folder: Path, *, commit: Callable[[], object] = lambda: None) -> None:
        self._folder = folder
        self._commit = commit

    def put(self, name: str, data: bytes) -> None:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, data)
        self._commit()

    def put_file(self, name: str, path: Path) -> None:
        there = self._folder / name
        there.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, there)

    def get(self, name: str, most: int) -> bytes | None:
        try:
            with open_to_read(self._folder / name) as file:
                return file.read(most)
        except FileNotFoundError:
            return None

    def remove(self, folder: str) -> None:
        path = self._folder / folder
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif os.path.lexists(path):
            path.unlink()
        self._commit()
