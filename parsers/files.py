"""The result files that a tool leaves in the run's folder."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from parsers.output import not_understood
from results.errors import ParseError
from results.files import read_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from parsers.contract import ScriptOutput

LARGEST_BYTES = 512 << 20  # as Python objects several times that
_OURS = {"run.json"}  # the run's record lies in the same folder


def result_file(
    output: ScriptOutput,
    parser: str,
    pattern: str,
    fits: Callable[[Any], bool],
    expected: str,
    *,
    read: Callable[[Path], Any] | None = None,
) -> tuple[Path, Any]:
    """The newest file below the run's folder that fits, and its content. read: how, where it is not just JSON.

    A tool that evaluates twice in one run leaves several; its last word is the newest. Raises ParseError where
    there is none.
    """
    for found in result_files(output, pattern, fits, read=read):
        return found
    raise no_result_file(output, parser, pattern, expected)


def result_files(
    output: ScriptOutput,
    pattern: str,
    fits: Callable[[Any], bool],
    *,
    read: Callable[[Path], Any] | None = None,
) -> Iterator[tuple[Path, Any]]:
    """All that fit, the newest first; each is read when it is its turn. Raises ParseError."""
    read = read or read_json
    for path in _files(output, pattern):
        document = read(path)
        if fits(document):
            yield path, document


def no_result_file(output: ScriptOutput, parser: str, pattern: str, expected: str) -> ParseError:
    """The error that no file fits, and which one is too large to tell."""
    for path in _files(output, pattern):
        if path.stat().st_size > LARGEST_BYTES:
            return ParseError(
                f"{path} is larger than {LARGEST_BYTES >> 20} MiB, and no other file has the score",
                hint="keep samples and generated text out of the file with the score",
            )
    return not_understood(output, parser, expected)


def _files(output: ScriptOutput, pattern: str) -> list[Path]:
    """The newest first."""
    paths = [path for path in output.folder.rglob(pattern) if path.is_file() and path.name not in _OURS]
    return sorted(paths, key=lambda path: (path.stat().st_mtime_ns, path.name), reverse=True)


def read_json(path: Path) -> Any:
    """The file's content, None where it is no JSON or too large. Raises ParseError where it cannot be read."""
    try:
        return decoded(read_file(path)) if path.stat().st_size <= LARGEST_BYTES else None
    except OSError as error:
        raise ParseError(f"cannot read {path}: {error.strerror}", hint="it has the score") from error


def decoded(text: bytes) -> Any:
    """None where it is no JSON; NaN is read, since Python's own writers write it."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def entry(document: Any, *keys: str) -> Any:
    """What lies under these keys, one within the other; None where one is missing."""
    for key in keys:
        document = document.get(key) if isinstance(document, dict) else None
    return document
