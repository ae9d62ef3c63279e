"""Finding the line that matters in a script's output, and saying clearly that it is not there; what our own scripts say
last, and the journal that it is held to.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from results.errors import ParseError
from results.files import read_file
from results.json_text import NOT_THAT_JSON
from results.plain_text import tail
from settings.parsers import PARSERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from parsers.contract import ScriptOutput

T = TypeVar("T")

_MOST = 2**53  # above it JSON's numbers are no whole ones any more
_LISTED = 8


def lines_from_the_end(text: str) -> Iterator[str]:
    """Lines without surrounding space, the last first; a progress bar's carriage return ends a line too."""
    return (line.strip() for line in reversed(re.split(r"[\r\n]+", text)))


def json_objects_from_the_end(text: str) -> Iterator[dict[str, Any]]:
    """The lines that are a JSON object each, the last first; other lines are passed over."""
    for line in lines_from_the_end(text):
        if line.startswith("{") and (document := json_object(line)) is not None:
            yield document


def json_object(text: str | bytes) -> dict[str, Any] | None:
    """The JSON object that the text is, or None."""
    try:
        document = msgspec.json.decode(text)
    except (*NOT_THAT_JSON, UnicodeError):
        return None
    return document if isinstance(document, dict) else None


def number(value: object) -> float | None:
    """A JSON number as a float; None for all else, also for true and false."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def count(value: object) -> int | None:
    """A JSON number that counts something, from 0 on; None for all else, and for what no record can hold."""
    told = number(value)
    return int(told) if told is not None and 0 <= told <= _MOST and told == int(told) else None


def figure(value: object) -> float | None:
    """A JSON number that is one; None for NaN and the infinities too."""
    told = number(value)
    return told if told is not None and math.isfinite(told) else None


def listed(names: Iterable[str]) -> str:
    """In a sentence: "a, b and c"; of many the first ones."""
    *first, last = names
    if len(first) >= _LISTED:
        first, last = first[:_LISTED], f"{len(first) + 1 - _LISTED} others"
    return f"{', '.join(first)} and {last}" if first else last


def not_understood(output: ScriptOutput, parser: str, expected: str) -> ParseError:
    """The error that shows the end of what the script said, and which parsers there are."""
    said = "stdout" if output.stdout.strip() else "stderr" if output.stderr.strip() else ""
    shown = tail(output.stdout if said == "stdout" else output.stderr)
    message = f"the script's output has no {expected} (exit code {output.exit_code})"
    if not said:
        message += "; it printed nothing"
    elif said == "stderr":
        message += "; it printed nothing on stdout, but this on stderr"
    others = ", ".join(name for name in PARSERS if name != parser)
    return ParseError(
        message,
        hint=f"read by the parser {parser}; choose another with --parser: {others}; or your own file",
        log_tail=shown,
    )


def summary_event(
    output: ScriptOutput, parser: str, *, field: str = "", shown: str = "..."
) -> dict[str, Any]:
    """The last `{"event": "summary", ...}` line of stdout, as our own scripts say it.

    field: what it must have; shown: how that looks in the error. Raises ParseError.
    """
    objects = json_objects_from_the_end(output.stdout)
    event = next((event for event in objects if event.get("event") == "summary"), None)
    if event is None or (field and field not in event):
        raise not_understood(output, parser, f'{{"event": "summary", {shown}}} line')
    return event


def said_as(event: dict[str, Any], form: type[T]) -> T:
    """The summary, or a part of it, as that type. Raises ParseError."""
    try:
        return msgspec.convert(event, form)
    except msgspec.ValidationError as error:
        raise ParseError(f"the script's summary is malformed: {error}") from error


def read_journal(path: Path) -> bytes:
    """The file that a summary's figures are computed from again. Raises ParseError."""
    try:
        return read_file(path)
    except OSError as error:
        raise ParseError(
            f"cannot read {path}: {error.strerror}", hint="the figures are computed from this file"
        ) from error
