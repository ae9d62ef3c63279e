r"""The format of `benchmark_results.json`: one valid JSON document with one record per line.

    {"runs": [
    {"schema_version":1,"run_id":...},
    {"schema_version":1,"run_id":...}
    ]}

A record contains no raw newline (JSON escapes them), so an intact file ends in the five bytes `}\n]}\n`, and a file
that was cut off while being written never does.
"""

from __future__ import annotations

import itertools
import json
import os
import re
from collections import deque
from typing import TYPE_CHECKING, Any

import msgspec

from results.errors import NewerRecord, ResultsError
from results.json_text import NOT_THAT_JSON
from results.records import RunRecord, decode_record

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HEAD = b'{"runs": ['
CLOSE = b"\n]}\n"
EMPTY = HEAD + CLOSE
# A brace, or a string up to its end or that of the line.
_TOKEN = re.compile(r'[{}]|"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"?')
_RECORD_HEAD = re.compile(r'\{\s*"schema_version"\s*:')
_DEEPEST = 1000  # the depth to which JSON is read
_MOST_BELOW = 4  # objects with more levels of run_ids inside are not records


class BrokenLog(Exception):
    """The bytes are not the document described above, or one of its runs is not a record."""


class _Document(msgspec.Struct, forbid_unknown_fields=True):
    runs: list[msgspec.Raw]


def render(lines: Sequence[bytes]) -> bytes:
    """The whole document with these records."""
    if not lines:
        return EMPTY
    return HEAD + b"\n" + b",\n".join(lines) + CLOSE


def parse(data: bytes, *, where: str) -> dict[bytes, RunRecord]:
    """All records by their line, in order. Accepts any layout of the document, as an editor may have changed it.

    Raises BrokenLog, or NewerRecord.
    """
    try:
        data.decode()  # checks all strings; msgspec skips those that it doesn't decode
        runs = msgspec.json.decode(data, type=_Document).runs
    except NOT_THAT_JSON as error:
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
    """All intact records in a broken file, by their line. Raises NewerRecord, because such a record must not be lost.

    Takes linear time, whatever the content.
    """
    text = data.decode("utf-8", "replace")
    found: list[tuple[int, bytes, RunRecord]] = []
    for start, end in _candidates(text):
        try:
            record = decode_record(text[start:end].encode(), where=where)
            line = encode_document(json.loads(text[start:end]))
        except NewerRecord:
            raise
        except (ValueError, RecursionError, ResultsError):
            continue
        while found and found[-1][0] > start:  # it is part of this one
            found.pop()
        found.append((start, line, record))
    return {line: record for _, line, record in found}


def _candidates(text: str) -> Iterator[tuple[int, int]]:
    """Where each object with a run_id begins and ends, inner objects before outer ones.

    An unclosed quote ends at the next newline or record head, because no string contains either unescaped.
    """
    if '"run_id"' not in text:
        return
    heads = [match.start() for match in _RECORD_HEAD.finditer(text)]
    # For each open object: its place, whether it has a run_id, and how many levels of run_ids are inside it.
    opened: deque[list[int]] = deque(maxlen=_DEEPEST)
    for begin, end in itertools.pairwise([0, *heads, len(text)]):
        for token in _TOKEN.finditer(text, begin, end):
            what = token[0]
            if what == "{":
                opened.append([token.start(), 0, 0])
            elif not opened:
                continue
            elif what == '"run_id"':
                opened[-1][1] = 1
            elif what == "}":
                start, has_run_id, below = opened.pop()
                if has_run_id and below < _MOST_BELOW:
                    yield start, token.end()
                if opened:
                    opened[-1][2] = max(opened[-1][2], below + has_run_id)


def encode_document(document: Any) -> bytes:
    """The line of a record given as plain dicts and lists. Raises ValueError for values that JSON lacks (NaN)."""
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")


def place_to_append(descriptor: int) -> tuple[int, bytes] | None:
    """(The file's size, the bytes before the next record), from a few bytes at both ends. None if broken."""
    size = os.fstat(descriptor).st_size
    if os.pread(descriptor, len(HEAD) + 1, 0) != HEAD + b"\n":
        return None
    tail = os.pread(descriptor, len(CLOSE) + 1, max(0, size - len(CLOSE) - 1))
    if tail == b"}" + CLOSE:
        return size, b",\n"
    return (size, b"\n") if size == len(EMPTY) and tail == b"[" + CLOSE else None
