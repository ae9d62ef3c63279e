"""The line of every value of a TOML text that Python's own parser (which tells no lines) has accepted.

The text is valid, which leaves little to look at: headers, keys, and where a value ends. https://toml.io/en/v1.0.0
"""

from __future__ import annotations

import re
import tomllib

Path = tuple[str | int, ...]
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")  # between statements, and inside arrays
_SPACE = re.compile(r"[ \t]*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
# The longest quotes first. A multi-line string may end with one or two quotes of its own before the closing three.
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


def toml_lines(text: str) -> dict[Path, int]:
    """Line by path; an element of an array of tables has that of its header."""
    scan = _Scan(text.replace("\r\n", "\n"))
    scan.document()
    return scan.lines


class _Scan:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.counted, self.line = 0, 1
        self.lines: dict[Path, int] = {(): 1}
        self.elements: dict[Path, int] = {}  # how many an array of tables has so far

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
            if path in self.elements:  # its latest element is meant
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
        """A dotted key, up to what follows it."""
        words = []
        while True:
            self.over(_SPACE)
            quoted = self.text[self.at] in "\"'"
            start, end = self.at, self.over(_STRING if quoted else _BARE)
            words.append(_unquoted(self.text[start:end]) if quoted else self.text[start:end])
            self.over(_SPACE)
            if not self.text.startswith(".", self.at):
                return tuple(words)
            self.at += 1

    def value(self, path: Path) -> None:
        self.over(_SPACE)
        first = self.text[self.at]
        if first == "[":
            self.array(path)
        elif first == "{":
            self.inline_table(path)
        else:
            self.over(_STRING if first in "\"'" else _PLAIN)

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
