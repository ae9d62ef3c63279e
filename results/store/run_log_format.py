r"""The bytes of `benchmark_results.json`: one valid JSON document with one record a line.

    {"runs": [
    {"schema_version":1,"run_id":...},
    {"schema_version":1,"run_id":...}
    ]}

No raw newline stands inside a record (JSON escapes them), so the last five bytes of a whole file are
`}\n]}\n`, and nothing that was cut off while it was written ends like that.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import msgspec

from results.errors import NewerRecord, ResultsError
from results.records import RunRecord, decode_record

if TYPE_CHECKING:
    from collections.abc import Sequence

HEAD = b'{"runs": ['
CLOSE = b"\n]}\n"
EMPTY = HEAD + CLOSE


class BrokenLog(Exception):
    """The bytes are not the document above, or one of its runs is no record."""


class _Document(msgspec.Struct, forbid_unknown_fields=True):
    runs: list[msgspec.Raw]


def render(lines: Sequence[bytes]) -> bytes:
    """The whole document of these records."""
    if not lines:
        return EMPTY
    return HEAD + b"\n" + b",\n".join(lines) + CLOSE


def parse(data: bytes, *, where: str) -> dict[bytes, RunRecord]:
    """Every record by its line, in order, from any layout of the document: an editor may have changed it.

    Raises BrokenLog, or NewerRecord.
    """
    try:
        data.decode()  # msgspec skips over strings that nobody asks for
        runs = msgspec.json.decode(data, type=_Document).runs
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BrokenLog(str(error)) from error
    found: dict[bytes, RunRecord] = {}
    for number, raw in enumerate(runs, 1):
        line = bytes(raw)
        try:
            record = decode_record(line, where=f"run {number} of {where}")
        except NewerRecord:
            raise
        except ResultsError as error:
            raise BrokenLog(error.message) from error
        found[line if b"\n" not in line else msgspec.json.format(line, indent=-1)] = record
    return found


def salvage(data: bytes, *, where: str) -> dict[bytes, RunRecord]:
    """Every whole record in a broken file, by its line. Raises NewerRecord: that must not be lost."""
    text = data.decode("utf-8", "replace")
    decoder = json.JSONDecoder()
    found: dict[bytes, RunRecord] = {}
    start = text.find("{")
    while start >= 0:
        after = start + 1
        try:
            document, end = decoder.raw_decode(text, start)
            if isinstance(document, dict) and "run_id" in document:
                record = decode_record(text[start:end], where=where)
                found[encode_document(document)] = record
                after = end
        except NewerRecord:
            raise
        except (ValueError, RecursionError, ResultsError):
            pass  # not a record: perhaps one begins further on
        start = text.find("{", after)
    return found


def encode_document(document: Any) -> bytes:
    """A record as plain dicts and lists -> its line. Raises ValueError for what JSON lacks (NaN)."""
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")


def place_to_append(descriptor: int) -> tuple[int, bytes] | None:
    """(The file's size, what stands before the next record), from a few bytes at both ends. None: broken."""
    size = os.fstat(descriptor).st_size
    if os.pread(descriptor, len(HEAD) + 1, 0) != HEAD + b"\n":
        return None
    tail = os.pread(descriptor, len(CLOSE) + 1, max(0, size - len(CLOSE) - 1))
    if tail == b"}" + CLOSE:
        return size, b",\n"
    return (size, b"\n") if size == len(EMPTY) and tail == b"[" + CLOSE else None
