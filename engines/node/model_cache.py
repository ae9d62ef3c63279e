"""Models that were copied to this machine, by the sha256 of their content, and no more of them than it may keep.

WORKDIR/models/SHA256/NAME               the model's file, the first of several, or its folder
WORKDIR/models/SHA256/incomplete         there until the content was found to be that of the name of the folder
WORKDIR/models/SHA256/used               its time says when the model was used last
WORKDIR/models/SHA256/lock               held shared while a unit uses the model, and alone while it grows or goes

A copy that was cut off goes on where it ended. Host programs of several coordinators may use one cache.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from results.durable import write_at
from results.errors import UsageError
from results.file_hashes import files_sha256
from results.files import open_to_append
from results.locks import lock

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engines.node.messages import WantModel

_INCOMPLETE: Final = "incomplete"
_USED: Final = "used"
_LOCK: Final = "lock"
_SPARE_BYTES: Final = 1 << 30  # of the disk, for what units write


@dataclass
class ModelCache:
    """The cache in `folder`. most_bytes: what it keeps. Methods raise OSError, and UsageError where a model can't be
    had. Several threads may use it, each for another model.
    """

    folder: Path
    most_bytes: int
    _growing: dict[str, contextlib.ExitStack] = field(default_factory=dict)

    def find(self, wanted: WantModel, look_in: Sequence[Path]) -> Path | None:
        """The folder to look in for the model, if it is on this machine. Reads it whole if it wasn't seen before."""
        own = Path(wanted.path)
        for path in (own, *(folder / own.name for folder in look_in)):
            if _is_that(path, wanted):
                return path.parent
        place = self.folder / wanted.sha256
        if (place / wanted.name).exists() and not (place / _INCOMPLETE).exists():
            (place / _USED).touch()
            return place
        return None

    @contextlib.contextmanager
    def in_use(self, folder: Path) -> Iterator[None]:
        """Keep the model that `find` found, until the block ends. Raises UsageError if it is gone."""
        if folder.parent != self.folder:
            yield
            return
        with contextlib.ExitStack() as held:
            if folder.is_dir():
                held.enter_context(lock(folder / _LOCK, shared=True))
            if not folder.is_dir() or (folder / _INCOMPLETE).exists():
                raise UsageError("the copied model was removed for another one", hint="raise cache_gb")
            yield

    def begin(self, wanted: WantModel) -> tuple[int, ...] | None:
        """Make room for a model. Returns how many bytes of each file are there already; None if it is there after all.

        Waits while another host program copies the same one. From now to `finish` or `leave`, it is this one's.
        """
        if not _are_plain([wanted.name, *(file.name for file in wanted.files)]):
            raise UsageError("a model whose files have odd names can't be copied", hint="rename them")
        place = self.folder / wanted.sha256
        needed_bytes = sum(file.size_bytes for file in wanted.files)
        with contextlib.ExitStack() as held:
            place.mkdir(parents=True, exist_ok=True)
            if not any((place / name).exists() for name in (wanted.name, _USED)):
                (place / _INCOMPLETE).touch()
            held.enter_context(lock(place / _LOCK))
            if (place / wanted.name).exists() and not (place / _INCOMPLETE).exists():
                return None
            have = self._have(wanted)
            if any(there > file.size_bytes for there, file in zip(have, wanted.files, strict=True)):
                for number in range(len(have)):
                    self.path(wanted, number).unlink(missing_ok=True)
                have = (0,) * len(have)
            self._make_room(needed_bytes, needed_bytes - sum(have), keep=wanted.sha256)
            (place / _INCOMPLETE).touch()
            (place / _USED).touch()
            if wanted.is_folder:
                (place / wanted.name).mkdir(exist_ok=True)
            self._growing[wanted.sha256] = held.pop_all()
        return have

    def leave(self, sha256: str) -> None:
        """Stop copying a model; what came stays. Is idempotent."""
        held = self._growing.pop(sha256, None)
        if held is not None:
            held.close()

    def _have(self, wanted: WantModel) -> tuple[int, ...]:
        return tuple(_size(self.path(wanted, number)) for number in range(len(wanted.files)))

    def path(self, wanted: WantModel, number: int) -> Path:
        """Where a file of the model belongs."""
        place = self.folder / wanted.sha256
        name = wanted.files[number].name
        return place / wanted.name / name if wanted.is_folder else place / name

    def write(self, wanted: WantModel, number: int, offset: int, data: bytes) -> None:
        """Append to a file."""
        with open_to_append(self.path(wanted, number)) as file:
            if file.tell() != offset:
                raise UsageError(
                    "parts of a model came in another order", hint="does another sweep copy it too?"
                )
            write_at(file.fileno(), data, offset)

    def finish(self, wanted: WantModel) -> Path:
        """Check the whole model. Returns the folder to look in. If it is another, nothing is kept."""
        place = self.folder / wanted.sha256
        try:
            paths = [self.path(wanted, number) for number in range(len(wanted.files))]
            if files_sha256(paths) != wanted.sha256:
                self._remove(place)
                raise UsageError(
                    "what arrived is another model than what was sent", hint="is its file being written to?"
                )
            (place / _INCOMPLETE).unlink()
        finally:
            self.leave(wanted.sha256)
        return place

    def _make_room(self, needed_bytes: int, missing_bytes: int, *, keep: str) -> None:
        """Remove what was used longest ago, but nothing that is in use."""
        if needed_bytes > self.most_bytes:
            raise UsageError(
                f"the model has {needed_bytes} bytes, and this machine keeps {self.most_bytes} of copied models",
                hint="raise cache_gb, or put the model there and name its folder in models",
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        others = [path for path in self.folder.iterdir() if path.name != keep and path.is_dir()]
        others.sort(key=_used_at)
        total = needed_bytes + sum(map(_bytes_in, others))
        while others and (
            total > self.most_bytes or shutil.disk_usage(self.folder).free < missing_bytes + _SPARE_BYTES
        ):
            oldest = others.pop(0)
            with lock(oldest / _LOCK, within_s=0) as ours:
                if ours is not None:
                    total -= _bytes_in(oldest)
                    self._remove(oldest)
        if total > self.most_bytes:
            raise UsageError(
                "the models that are in use leave too little room for another", hint="raise cache_gb"
            )
        if shutil.disk_usage(self.folder).free < missing_bytes + _SPARE_BYTES:
            raise UsageError(f"no room for {missing_bytes} bytes of a model", hint="free some space there")

    def _remove(self, place: Path) -> None:
        with contextlib.suppress(FileNotFoundError):
            (place / _INCOMPLETE).touch()  # what remains if this is killed is not taken for a model
            shutil.rmtree(place)


def _is_that(path: Path, wanted: WantModel) -> bool:
    """Whether it is the model, by its content."""
    files = (
        [path / file.name for file in wanted.files]
        if wanted.is_folder
        else [path.parent / file.name for file in wanted.files]
    )
    try:
        if any(
            file.stat().st_size != want.size_bytes for file, want in zip(files, wanted.files, strict=True)
        ):
            return False
        return files_sha256(files) == wanted.sha256
    except OSError:
        return False


def _are_plain(names: Sequence[str]) -> bool:
    reserved = {_INCOMPLETE, _USED, _LOCK}
    return all(
        name and "/" not in name and not name.startswith(".") and name not in reserved for name in names
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _bytes_in(folder: Path) -> int:
    return sum(_size(Path(root) / name) for root, _, names in os.walk(folder) for name in names)


def _used_at(folder: Path) -> float:
    try:
        return (folder / _USED).stat().st_mtime
    except OSError:
        return 0.0
