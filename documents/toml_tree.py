"""TOML with lines: Python's own parser reads the values, and a scan of the text finds their lines.

https://toml.io/en/v1.0.0
"""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from functools import partial
from typing import TYPE_CHECKING, Any

from documents.tree import MOST_DEPTH, Node, Tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Path = tuple[str | int, ...]
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")  # between statements, and inside arrays
_SPACE = re.compile(r"[ \t]*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
# The longest quotes first. A multi-line string may itself end with one or two quotes before the closing three.
_STRING = re.compile(
    r"""
    \"\"\"(?:\\.|[^\\])*?\"\"\"\"{0,2}
    |'''.*?''''{0,2}
    |"(?:\\.|[^"\\])*"
    |'[^']*'
    """,
    re.DOTALL | re.VERBOSE,
)
_PLAIN = re.compile(r"[^,\]}#\n]+")  # numbers, dates (one may have a space inside), true and false


class TomlTree(Tree):
    def document(self) -> Node:
        try:
            data = tomllib.loads(self.text)
        except tomllib.TOMLDecodeError as error:
            what = str(error)
            place = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)", what)
            line = int(place[1]) if place and place[1] else self.text.rstrip().count("\n") + 1
            raise self.stop(line, f"not valid TOML: {what[: place.start()] if place else what}") from None
        except RecursionError:
            raise self.too_deep(None) from None
        except ValueError:  # Python limits the digits of a number
            digits = re.search(r"\d{1000}", self.text.replace("_", ""))
            where = self.text.count("\n", 0, digits.start()) + 1 if digits else None
            raise self.stop(where, "a number has too many digits") from None
        self._scan = _Scan(self.text.replace("\r\n", "\n"))
        try:
            self._scan.document()
        except _TooDeep as error:
            raise self.too_deep(error.line) from None
        return self._value(data, (), 1)

    def _value(self, value: Any, path: Path, above: int) -> Node:
        line = self._scan.lines.get(path, above)
        if isinstance(value, dict):
            return self.mapping(line, self._members(value, path, line))
        if isinstance(value, list):
            return self.sequence(
                line, (self._value(each, (*path, index), line) for index, each in enumerate(value))
            )
        text = value if isinstance(value, str) else self._scan.texts[path]
        return self.scalar(text if isinstance(value, dt.date | dt.time) else value, line, text)

    def _members(
        self, table: dict[str, Any], path: Path, above: int
    ) -> Iterator[tuple[str, int, Callable[[], Node]]]:
        for key, value in table.items():
            inner = (*path, key)
            line = self._scan.lines.get(inner, above)
            yield key, line, partial(self._value, value, inner, line)


class _TooDeep(Exception):
    def __init__(self, line: int) -> None:
        self.line = line


class _Scan:
    """Finds the line of each path (for an element of an array of tables, that of its header), and the texts of numbers,
    dates, true and false.

    The text is known to be valid, so only headers, keys and the ends of values matter.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.counted, self.line = 0, 1
        self.lines: dict[Path, int] = {(): 1}
        self.texts: dict[Path, str] = {}
        self.elements: dict[Path, int] = {}  # index of the latest element of each array of tables

    def document(self) -> None:
        table: Path = ()
        while self.over(_BLANK) < len(self.text):
            if self.text.startswith("[[", self.at):
                table = self.header(2)
            elif self.text[self.at] == "[":
                table = self.header(1)
            else:
                self.pair(table)

    def header(self, brackets: int) -> Path:
        line = self.here()
        self.at += brackets
        path: Path = ()
        key = self.key()
        for depth, word in enumerate(key, 1):
            path = (*path, word)
            self.lines.setdefault(path, line)
            if brackets == 2 and depth == len(key):
                self.elements[path] = self.elements.get(path, -1) + 1
            if path in self.elements:  # refers to the latest element
                path = (*path, self.elements[path])
        self.lines.setdefault(path, line)
        self.at = self.text.index("]" * brackets, self.at) + brackets
        return path

    def pair(self, table: Path) -> None:
        line = self.here()
        path = table
        for word in self.key():
            path = (*path, word)
            self.lines.setdefault(path, line)
        self.at = self.text.index("=", self.at) + 1
        self.value(path)

    def key(self) -> tuple[str, ...]:
        """Read a dotted key."""
        words = []
        while True:
            self.over(_SPACE)
            quoted = self.text[self.at] in "\"'"
            start, end = self.at, self.over(_STRING if quoted else _BARE)
            words.append(_unquoted(self.text[start:end]) if quoted else self.text[start:end])
            if len(words) > MOST_DEPTH:
                raise _TooDeep(self.here())
            self.over(_SPACE)
            if not self.text.startswith(".", self.at):
                return tuple(words)
            self.at += 1

    def value(self, path: Path) -> None:
        if len(path) > MOST_DEPTH:
            raise _TooDeep(self.here())
        self.over(_SPACE)
        start, first = self.at, self.text[self.at]
        if first == "[":
            self.array(path)
        elif first == "{":
            self.inline_table(path)
        elif first in "\"'":
            self.over(_STRING)
        else:
            self.texts[path] = self.text[start : self.over(_PLAIN)].rstrip()

    def array(self, path: Path) -> None:
        self.at += 1
        index = 0
        while self.text[self.over(_BLANK)] != "]":
            self.lines[*path, index] = self.here()
            self.value((*path, index))
            self.comma()
            index += 1
        self.at += 1

    def inline_table(self, path: Path) -> None:
        self.at += 1
        while self.text[self.over(_BLANK)] != "}":
            self.pair(path)
            self.comma()
        self.at += 1

    def comma(self) -> None:
        if self.text[self.over(_BLANK)] == ",":
            self.at += 1

    def over(self, what: re.Pattern[str]) -> int:
        found = what.match(self.text, self.at)
        self.at = found.end() if found else self.at
        return self.at

    def here(self) -> int:
        self.line += self.text.count("\n", self.counted, self.at)
        self.counted = self.at
        return self.line


def _unquoted(text: str) -> str:
    return str(tomllib.loads(f"key = {text}")["key"])
