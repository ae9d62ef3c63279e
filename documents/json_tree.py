"""JSON with lines: Python's own parser checks the text, then its parts are read one by one."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from documents.tree import MOST_DEPTH, Node, Stop, Tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# A string, a punctuation mark, or a word; only space is between them.
_PART = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_WORDS = {"true": True, "false": False, "null": None}


class JsonTree(Tree):
    def document(self) -> Node:
        try:
            json.loads(self.text, parse_int=str, parse_float=str, parse_constant=str)
        except json.JSONDecodeError as error:
            raise self.stop(error.lineno, self._syntax(error)) from None
        except RecursionError:
            raise self._where_too_deep() from None
        self._parts = self._scan()
        return self._value(*next(self._parts))

    def _scan(self) -> Iterator[tuple[str, int]]:
        line, counted = 1, 0
        for match in _PART.finditer(self.text):
            line += self.text.count("\n", counted, match.start())
            counted = match.start()
            yield match[0], line

    def _value(self, part: str, line: int) -> Node:
        if part == "[":
            return self.sequence(line, self._items())
        if part == "{":
            return self.mapping(line, self._members())
        if part[0] == '"':
            text = _string(part)
            return self.scalar(text, line, text)
        if part in _WORDS:
            return self.scalar(_WORDS[part], line, part)
        if part.lstrip("-").isdecimal():
            return self.scalar(self.whole(part, line), line, part)
        if part.lstrip("-").isalpha():
            raise self.stop(line, f"{part} is not a JSON number")
        return self.scalar(float(part), line, part)

    def _items(self) -> Iterator[Node]:
        for part, line in self._parts:
            if part == "]":
                return
            if part != ",":
                yield self._value(part, line)

    def _members(self) -> Iterator[tuple[str, int, Callable[[], Node]]]:
        for part, line in self._parts:
            if part == "}":
                return
            if part != ",":
                next(self._parts)  # the colon
                yield _string(part), line, self._next

    def _next(self) -> Node:
        return self._value(*next(self._parts))

    def _syntax(self, error: json.JSONDecodeError) -> str:
        before, there = self.text[: error.pos].rstrip(), self.text[error.pos : error.pos + 2]
        if there[:1] in {"}", "]"} and before.endswith(","):
            return f"not valid JSON: a comma before {there[0]} is not allowed"
        if there[:1] == "#" or there in {"//", "/*"}:
            return "not valid JSON: JSON has no comments"
        return f"not valid JSON: {error.msg} (column {error.colno})"

    def _where_too_deep(self) -> Stop:
        depth = 0
        for part, line in self._scan():
            depth += (part in "[{") - (part in "]}")
            if depth > MOST_DEPTH:
                return self.too_deep(line)
        return self.too_deep(None)


def _string(part: str) -> str:
    return str(json.loads(part)) if "\\" in part else part[1:-1]
