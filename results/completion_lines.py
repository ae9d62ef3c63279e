"""Lines of `completions.jsonl`, as whatever version and server made them."""

from __future__ import annotations

import json
import math

import msgspec

from results.json_text import number, whole_number
from results.records import Completion

_COUNTS = {"prompt_tokens", "completion_tokens", "attempts", "index"}
_SECONDS = {"request_s", "execute_s"}
_MOST_DIGITS = 100


def decode_completion(line: bytes) -> Completion:
    """Read a line of `completions.jsonl`. A count that is none is None: what is finished is never lost for it.

    Raises what NOT_THAT_JSON has.
    """
    try:
        found = msgspec.json.decode(line, type=Completion)
        counts = found.prompt_tokens, found.completion_tokens
        if all(count is None or count == whole_number(count) for count in counts):
            return found
    except msgspec.MsgspecError:
        pass
    try:  # Python's reads NaN and Infinity, which it also writes; a number may be longer than it reads
        fields = json.loads(
            line, parse_int=lambda digits: int(digits) if len(digits) < _MOST_DIGITS else math.inf
        )
    except ValueError as error:
        raise msgspec.DecodeError(str(error)) from None
    if not isinstance(fields, dict):
        raise msgspec.ValidationError("no completion")
    for name in _COUNTS & fields.keys():
        fields[name] = whole_number(fields[name])
    for name in _SECONDS & fields.keys():
        fields[name] = number(fields[name])
    for name in ("index", "attempts"):
        if fields.get(name, 0) is None:
            del fields[name]
    return msgspec.convert(fields, Completion)
