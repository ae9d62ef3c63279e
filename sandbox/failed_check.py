"""What the process of a program's tests said of a failure, beside the verdict."""

from __future__ import annotations

import msgspec

from results.failed_check import FailedCheck
from results.json_text import NOT_THAT_JSON


def read_word(word: bytes) -> tuple[str, str, bytes]:
    """Kind, detail, and what is known beside: `kind`, newline, detail; or with the detail's length behind the kind,
    and what is known behind the detail.
    """
    head, _, rest = word.partition(b"\n")
    kind, _, length = head.partition(b" ")
    size = int(length) if length.isdigit() and len(length) < 9 else len(rest)
    return kind.decode("utf-8", "replace"), rest[:size].decode("utf-8", "replace"), rest[size:]


def failed_check(known: bytes, *, script: bool) -> FailedCheck | None:
    """None where nothing is known, or it was cut off. script: it says so itself, so nothing but the line is taken."""
    if not known:
        return None
    try:
        found = msgspec.json.decode(known, type=FailedCheck)
    except NOT_THAT_JSON:
        return None
    if found.line is not None and found.line < 1:
        return None
    return FailedCheck(line=found.line) if script else found
