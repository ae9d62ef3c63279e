"""What a failed check says to people: the compared values, bounded, and where in the program an error was raised."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

if TYPE_CHECKING:
    from results.failed_check import FailedCheck

MOST_CHARS = 2000  # of a value
_BEFORE = 3  # lines, before the first that differs
_LINE_CHARS = 300


def bounded(text: str, most: int = MOST_CHARS) -> str:
    """The text, or its beginning and how much there is of it."""
    return text if len(text) <= most else f"{text[:most]}... ({len(text)} characters)"


def shown(value: object) -> str:
    """Of a value as JSON has it."""
    try:
        return bounded(repr(value))
    except (RecursionError, ValueError):  # nested too deeply, or a number too long to be written
        return f"<{type(value).__name__} object>"


def both_bounded(got: str, expected: str) -> tuple[str, str]:
    """Two texts of lines, each as far as there is room: from a little before the first line that differs."""
    if max(len(got), len(expected)) <= MOST_CHARS:
        return got, expected
    ours, theirs = got.split("\n"), expected.split("\n")
    pairs = enumerate(zip(ours, theirs, strict=False))
    first = next((at for at, (a, b) in pairs if a.strip() != b.strip()), min(len(ours), len(theirs)))
    start = max(0, first - _BEFORE)
    left_out = f"(from line {start + 1} on)\n" if start else ""
    return bounded(left_out + "\n".join(ours[start:])), bounded(left_out + "\n".join(theirs[start:]))


def located(check: FailedCheck | None, code: str, before: str = "") -> FailedCheck | None:
    """With the line that raised counted in `code`, which stood behind `before` in the program, and what stands there.

    Without the line where there is no such line in `code`.
    """
    if check is None or check.line is None:
        return check
    number = check.line - before.count("\n")
    lines = code.split("\n")
    if not 0 < number <= len(lines):
        return replace(check, line=None)
    return replace(check, line=number, code=bounded(lines[number - 1].strip(), _LINE_CHARS))
