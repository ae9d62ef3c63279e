"""Lines of `completions.jsonl`, as whatever version and server made them."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import msgspec

from results.json_text import MOST_WHOLE, NOT_THAT_JSON, number, whole_number
from results.records import Completion

if TYPE_CHECKING:
    from collections.abc import Iterable

_COUNTS = {"prompt_tokens", "completion_tokens", "attempts", "index"}
_SECONDS = {"request_s", "execute_s"}
_MOST_DIGITS = 100


def latest(lines: Iterable[bytes]) -> dict[tuple[str, int], Completion]:
    """The last line of each completion, by task and index, in the order of the first ones. Torn lines are skipped."""
    found: dict[tuple[str, int], Completion] = {}
    for line in lines:
        try:
            completion = decode_completion(line)
        except NOT_THAT_JSON:
            continue
        found[completion.task_id, completion.index] = completion
    return found


def decode_completion(line: bytes) -> Completion:
    """Read a line of `completions.jsonl`. A count that is none is None: what is finished is never lost for it.

    Raises what NOT_THAT_JSON has.
    """
    try:
        found = msgspec.json.decode(line, type=Completion)
        one, other = found.prompt_tokens, found.completion_tokens  # a page reads thousands: no loop
        if (one is None or 0 <= one < MOST_WHOLE) and (other is None or 0 <= other < MOST_WHOLE):
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
