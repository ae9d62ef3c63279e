"""The line of every value of a JSON text that Python's own parser has accepted."""

from __future__ import annotations

import json
import re

Path = tuple[str | int, ...]
_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()
_PLAIN = re.compile(r"[^,\]}\s]+")


def json_lines(text: str) -> tuple[dict[Path, int], list[tuple[str, int]]]:
    """Line by path (of a member its key's), and the keys that are there twice with the line of the second."""
    scan = _Scan(text)
    scan.value((), None)
    return scan.lines, scan.repeated


class _Scan:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.counted, self.line = 0, 1  # how far the newlines are counted
        self.lines: dict[Path, int] = {}
        self.repeated: list[tuple[str, int]] = []

    def value(self, path: Path, line: int | None) -> None:
        first = self.peek()
        self.lines.setdefault(path, line or self.here())
        if first == "{":
            self.members(path)
        elif first == "[":
            self.items(path)
        elif first == '"':
            self.string()
        else:
            self.at = _PLAIN.match(self.text, self.at).end()  # type: ignore[union-attr] # the text is valid

    def members(self, path: Path) -> None:
        self.at += 1
        seen = set()
        while self.peek() != "}":
            line = self.here()
            key = self.string()
            if key in seen:
                self.repeated.append((key, line))
            seen.add(key)
            self.skip(":")
            self.value((*path, key), line)
            self.skip(",")
        self.at += 1

    def items(self, path: Path) -> None:
        self.at += 1
        index = 0
        while self.peek() != "]":
            self.value((*path, index), None)
            self.skip(",")
            index += 1
        self.at += 1

    def string(self) -> str:
        found, self.at = _DECODER.raw_decode(self.text, self.at)
        return str(found)

    def peek(self) -> str:
        self.at = _SPACE.match(self.text, self.at).end()  # type: ignore[union-attr] # it matches anything
        return self.text[self.at]

    def skip(self, mark: str) -> None:
        """Over a comma or colon, where there is one."""
        if self.peek() == mark:
            self.at += 1

    def here(self) -> int:
        self.line += self.text.count("\n", self.counted, self.at)
        self.counted = self.at
        return self.line
