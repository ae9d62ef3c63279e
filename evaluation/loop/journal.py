"""A file of one JSON line an item, each on disk (fsync) before it counts as done; one folder has one writer."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING, Self

from results.durable import explained, replace_file, sync_folder, write_at
from results.errors import ResultsError
from results.files import open_regular, read_file
from results.json_text import encode, encode_indented
from results.locks import lock

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    import msgspec

SETTINGS_NAME = "settings.json"
LAST_WRITER_S = 2.0  # who was killed with its harness may live on for a moment


class LineJournal:
    """The open journal of one folder. Use as an async context manager.

    `lock_and_read`, then `repair` with what is worth keeping of it, then `add`.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / name
        self._folder = folder
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._flushing: asyncio.Task[None] | None = None
        self._descriptor = -1
        self._held = contextlib.ExitStack()
        self._end = 0

    def lock_and_read(self) -> bytes:
        """What is in it; nobody else can open it until it is closed. Raises ResultsError."""
        with explained("write", self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            if self._held.enter_context(lock(self._folder, within_s=LAST_WRITER_S)) is None:
                raise ResultsError(
                    f"another process is writing to {self._folder}",
                    hint="wait until it has ended, or choose another --output",
                )
        with explained("write", self.path):
            return read_file(self.path) if self.path.exists() else b""

    def repair(self, data: bytes, kept: bytes) -> None:
        """Replace what was read by what is kept of it, and go on behind that. Raises ResultsError."""
        with explained("write", self.path):
            if kept != data:
                replace_file(self.path, kept)
            self._descriptor = open_regular(self.path, os.O_RDWR | os.O_CREAT)
            sync_folder(self._folder)  # the name of a new journal
            self._end = len(kept)

    def bind(self, settings: msgspec.Struct) -> None:
        """Write down what the journal is bound to, atomically."""
        path = self._folder / SETTINGS_NAME
        with explained("write", path):
            replace_file(path, encode_indented(settings, indent=2))

    async def add(self, item: msgspec.Struct) -> None:
        """Returns when the line is on disk. Many at once share one fsync. Raises ResultsError."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((encode(item) + b"\n", done))
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush())
        await asyncio.shield(done)

    async def _flush(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                data = b"".join(line for line, _ in batch)
                try:
                    await asyncio.to_thread(self._write, data)
                except ResultsError as error:
                    for _, done in batch:
                        done.set_exception(error)
                    continue  # what came meanwhile gets an answer too
                for _, done in batch:
                    done.set_result(None)
        finally:
            self._flushing = None

    def _write(self, data: bytes) -> None:
        with explained("write", self.path):
            try:
                write_at(self._descriptor, data, self._end)
                os.fdatasync(self._descriptor)
            except OSError:
                # A shorter line that comes next would leave the rest of this one behind it.
                with contextlib.suppress(OSError):
                    os.ftruncate(self._descriptor, self._end)
                raise
        self._end += len(data)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._flushing is not None:
            await self._flushing
        self.close()

    def close(self) -> None:
        """Can be called repeatedly."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1
        self._held.close()
