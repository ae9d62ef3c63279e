"""`evaluations.jsonl`: every call of a search, a line each, so that after a kill none is repeated.

The lines, by their `type`: `search` (the first: which search it is), `prompt` (a candidate, before it is asked for the
first time), `asked` (calls that are about to be made, with their worst case), `outcome` (of one sample with one
candidate), `reflection`. Only JSON of these types is read, never an object of another program.
"""

from __future__ import annotations

import contextlib
import math
import os
import time
from typing import TYPE_CHECKING, Self, TypeAlias

import msgspec

from results.durable import explained, replace_file, sync_folder, write_at
from results.errors import NewerRecord, ResultsError, ResumeMismatch
from results.files import open_regular, read_file
from results.json_text import NOT_THAT_JSON, encode
from results.locks import lock
from results.prompts.prompt_file import PromptText  # noqa: TC001 - a field: msgspec reads it at run time

if TYPE_CHECKING:
    from pathlib import Path

JOURNAL_NAME = "evaluations.jsonl"
JOURNAL_VERSION = 1
SYNC_S = 1.0  # a power cut repeats the calls of so long; a kill none
_LAST_WRITER_S = 2.0  # who was killed with its harness may live on for a moment


class _Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type"):
    pass


class SearchLine(_Line, frozen=True, kw_only=True, tag="search"):
    """identity: sha256 over all that determines the outcomes."""

    schema_version: int = JOURNAL_VERSION
    identity: str


class PromptLine(_Line, frozen=True, kw_only=True, tag="prompt"):
    sha256: str
    prompt: PromptText


class AskedLine(_Line, frozen=True, kw_only=True, tag="asked"):
    """in_flight: how many at most have no outcome yet although they are sent; tokens, cost_usd: the most each takes."""

    calls: int
    in_flight: int
    tokens: int = 0
    cost_usd: float = 0.0


class OutcomeLine(_Line, frozen=True, kw_only=True, tag="outcome"):
    """prompt, item: their hashes; the rest as in `Outcome`."""

    prompt: str
    item: str
    score: float
    answer: str = ""
    feedback: str = ""
    cause: str = ""
    tokens: int | None = None
    cost_usd: float | None = None


class ReflectionLine(_Line, frozen=True, kw_only=True, tag="reflection"):
    """asked: sha256 of the text that the reflector was given."""

    asked: str
    seed: int
    text: str
    tokens: int | None = None
    cost_usd: float | None = None


Line: TypeAlias = SearchLine | PromptLine | AskedLine | OutcomeLine | ReflectionLine
_DECODER: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)
_ENCODER = msgspec.json.Encoder()


class Journal:
    """An open journal; one process at a time. Use as a context manager.

    Each line is handed to the system at once, which is all that a kill needs, and is on disk (fdatasync) within a
    second or when the journal is closed.
    """

    def __init__(self, path: Path, *, identity: str) -> None:
        """Raises ResultsError where it can't be written or is open elsewhere, NewerRecord, and ResumeMismatch."""
        self.path = path
        self._held = contextlib.ExitStack()
        self._descriptor = -1
        self._end = 0
        self._synced_at = time.monotonic()
        try:
            self.lines = self._opened(identity)
        except BaseException:
            self.close()
            raise

    def _opened(self, identity: str) -> list[Line]:
        with explained("write", self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if self._held.enter_context(lock(self.path, within_s=_LAST_WRITER_S)) is None:
                raise ResultsError(
                    f"another process is writing to {self.path}",
                    hint="wait until it has ended, or choose another folder",
                )
            data = read_file(self.path)
        lines, kept = _read(data, self.path)
        if lines and not (isinstance(lines[0], SearchLine) and lines[0].identity == identity):
            raise ResumeMismatch(
                f"{self.path} is the journal of another search (other model, samples, seed prompt or seed)",
                hint="go on with the settings it was made with, or choose another folder",
            )
        if b"\n" in data and not lines:
            raise ResultsError(
                f"{self.path} is not the journal of a search", hint="move it away, or choose another folder"
            )
        with explained("write", self.path):
            if kept != data:
                # Not replaced: the lock is this file's. What a kill cut off is behind the last whole line.
                if data.startswith(kept):
                    os.truncate(self.path, len(kept))
                else:
                    replace_file(self.path.with_name(f"{self.path.name}.damaged"), data)
                    self._rewrite(kept)
            self._descriptor = open_regular(self.path, os.O_RDWR)
            sync_folder(self.path.parent)
        self._end = len(kept)
        if not lines:
            first = SearchLine(identity=identity)
            self.add(first)
            lines.append(first)
        return lines

    def _rewrite(self, kept: bytes) -> None:
        descriptor = open_regular(self.path, os.O_RDWR)
        try:
            write_at(descriptor, kept, 0)
            os.ftruncate(descriptor, len(kept))
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)

    def add(self, line: Line) -> None:
        """Returns when the system has it. Raises ResultsError."""
        try:
            data = _ENCODER.encode(line) + b"\n"
        except UnicodeEncodeError:
            data = encode(line) + b"\n"
        with explained("write", self.path):
            try:
                write_at(self._descriptor, data, self._end)
            except OSError:
                with contextlib.suppress(
                    OSError
                ):  # a shorter line would leave the rest of this one behind it
                    os.ftruncate(self._descriptor, self._end)
                raise
            self._end += len(data)
            if time.monotonic() - self._synced_at >= SYNC_S:
                self.sync()

    def sync(self) -> None:
        """Returns when all lines are on disk."""
        if self._descriptor >= 0:
            os.fdatasync(self._descriptor)
        self._synced_at = time.monotonic()

    def close(self) -> None:
        """Can be called repeatedly."""
        try:
            with explained("write", self.path):
                self.sync()
        finally:
            if self._descriptor >= 0:
                os.close(self._descriptor)
            self._descriptor = -1
            self._held.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _read(data: bytes, path: Path) -> tuple[list[Line], bytes]:
    """The whole lines that are ours, and their bytes; others (a torn last one, damage) are left out."""
    lines: list[Line] = []
    kept: list[bytes] = []
    for raw in data.splitlines(keepends=True):
        if not raw.endswith(b"\n"):
            break
        try:
            line = _DECODER.decode(raw)
        except NOT_THAT_JSON:
            continue
        if isinstance(line, SearchLine) and line.schema_version > JOURNAL_VERSION:
            raise NewerRecord(
                f"{path} was written by a newer bench_runner (schema {line.schema_version}, "
                f"this one reads {JOURNAL_VERSION})",
                hint="update bench_runner",
            )
        if isinstance(line, OutcomeLine) and not usable_score(line.score):
            continue
        lines.append(line)
        kept.append(raw)
    return lines, b"".join(kept)


def usable_score(score: float) -> bool:
    """Whether it is a share: 0 to 1."""
    return math.isfinite(score) and 0 <= score <= 1
