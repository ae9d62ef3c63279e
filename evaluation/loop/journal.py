"""A file of one JSON line an item, each on disk (fsync) before it counts as done; one folder has one writer."""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import threading
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Self, TypeVar

from results.durable import explained, replace_file, sync_folder, write_at
from results.errors import ResultsError
from results.files import open_regular, read_file
from results.json_text import encode, encode_indented
from results.locks import lock

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    import msgspec

_Item = TypeVar("_Item", bound="msgspec.Struct")
SETTINGS_NAME = "settings.json"
LAST_WRITER_S = 2.0  # who was killed with its harness may live on for a moment


class _Line(NamedTuple, Generic[_Item]):
    data: bytes
    item: _Item
    written: asyncio.Future[_Item]


class LineJournal:
    """The open journal of one folder. Use as an async context manager.

    `lock_and_read`, then `repair` with what is worth keeping of it, then `add`.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / name
        self._folder = folder
        self._waiting: queue.SimpleQueue[_Line[Any] | None] = queue.SimpleQueue()
        self._writer: threading.Thread | None = None
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
        writer = threading.Thread(target=self._write_waiting, name="journal", daemon=True)
        writer.start()
        self._writer = writer

    def bind(self, settings: msgspec.Struct) -> None:
        """Write down what the journal is bound to, atomically."""
        path = self._folder / SETTINGS_NAME
        with explained("write", path):
            replace_file(path, encode_indented(settings, indent=2))

    async def add(self, item: msgspec.Struct) -> None:
        """Returns once the line is on disk; if this is cancelled, the line is still written. Raises ResultsError."""
        written: asyncio.Future[msgspec.Struct] = asyncio.get_running_loop().create_future()
        self.put(item, written)
        await written

    def put(self, item: _Item, written: asyncio.Future[_Item]) -> None:
        """The same from any thread, without waiting. written: gets the item, or why it could not be written."""
        if self._writer is None:
            raise RuntimeError("repair() comes first")
        self._waiting.put(_Line(encode(item) + b"\n", item, written))

    def _write_waiting(self) -> None:
        """In a thread of its own, until it is closed: what waits while lines are written shares the next fsync."""
        while True:
            waiting = [self._waiting.get()]
            while not self._waiting.empty():
                waiting.append(self._waiting.get())
            lines = [line for line in waiting if line is not None]
            if lines:
                self._write_lines(lines)
            if len(lines) < len(waiting):
                return

    def _write_lines(self, lines: list[_Line[Any]]) -> None:
        error: Exception | None = None
        try:
            self._write(b"".join(line.data for line in lines))
        except Exception as failure:  # noqa: BLE001 - raised where the lines are waited for
            error = failure
        with contextlib.suppress(RuntimeError):  # the loop is closed, so nobody waits
            lines[0].written.get_loop().call_soon_threadsafe(_tell, lines, error)

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
        self.close()

    def close(self) -> None:
        """Blocks until what waits is written. Can be called repeatedly."""
        if self._writer is not None:
            self._waiting.put(None)
            self._writer.join()
        self._writer = None
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1
        self._held.close()


def _tell(lines: list[_Line[Any]], error: Exception | None) -> None:
    for line in lines:
        if line.written.done():  # nobody waits for it any more
            continue
        if error is None:
            line.written.set_result(line.item)
        else:
            line.written.set_exception(error)
