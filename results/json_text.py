"""JSON of our own files. Writing works with any file name in it, reading with damaged files."""

from __future__ import annotations

from typing import Any

import msgspec

from results.plain_text import in_unicode

# What msgspec raises for bytes that are not the expected JSON.
NOT_THAT_JSON = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


MOST_WHOLE = 2**53  # above it JSON's numbers are no whole ones any more


def whole_number(value: object) -> int | None:
    """A count, from 0 on; 10.0 is one too. None for whatever else somebody says there."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < MOST_WHOLE:
        return None
    return int(value) if value == int(value) else None


def number(value: object) -> float | None:
    """A figure, from 0 on; None for whatever else somebody says there."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < MOST_WHOLE:
        return None
    return float(value)


def as_json_keeps(value: Any) -> Any:
    """The value in the form that `encode` writes and that reading gives back."""
    if isinstance(value, str):
        return in_unicode(value)
    if isinstance(value, dict):
        return {as_json_keeps(key): as_json_keeps(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [as_json_keeps(each) for each in value]
    return value


def decode(data: bytes | bytearray) -> Any:
    """The same as `json.loads` gives, mostly in a fraction of its time. Raises ValueError, and RecursionError."""
    try:
        return msgspec.json.decode(data)
    except NOT_THAT_JSON:
        import json  # knows halves of a pair, such as a cut token leaves, NaN, and other encodings

        return json.loads(data)


def encode(value: Any) -> bytes:
    """Like `msgspec.json.encode`, but text that is not Unicode (some file names) goes through `in_unicode`."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return msgspec.json.encode(as_json_keeps(msgspec.to_builtins(value)))


def encode_sorted(value: Any) -> bytes:
    """The same with the keys of objects sorted."""
    return msgspec.json.encode(as_json_keeps(msgspec.to_builtins(value)), order="sorted")


def encode_indented(value: Any, indent: int = 1) -> bytes:
    """The same in a readable form, with a newline at the end."""
    return msgspec.json.format(encode(value), indent=indent) + b"\n"
