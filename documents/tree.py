"""The tree that a document of any form becomes, and the checks that all forms share."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from documents.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MOST_VALUES = 1_000_000  # with aliases, a kilobyte of YAML can become billions of values
MOST_DEPTH = 100
_HALF_PAIR = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Node:
    """A value in a document. value: dict[str, Node], list[Node], str, int, float, bool or None.

    line: that of its key, in a list its own; from 1. text: a scalar as written, without quotes.
    """

    value: Any
    line: int
    text: str = ""

    def plain(self) -> Any:
        """The value without lines."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


class Stop(Exception):
    """The rest of the document can't be read; `Tree.problems` says why."""


class Tree:
    """Builds nodes and collects problems with them. Each form of document has a subclass that reads it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.problems: list[Problem] = []
        self.left = MOST_VALUES
        self._path: list[str | int] = []

    def document(self) -> Node:
        """The root. Raises Stop."""
        raise NotImplementedError

    def stop(self, line: int | None, what: str) -> Stop:
        self.problems.append(Problem(line, self.field(), what))
        return Stop(what)

    def field(self) -> str:
        """The current place in the document, such as `tasks[0].id`."""
        parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in self._path if part != "")
        return "".join(parts).removeprefix(".")

    def scalar(self, value: Any, line: int, text: str) -> Node:
        self.count(line)
        if isinstance(value, str):
            if not value.isascii() and _HALF_PAIR.search(value):
                raise self.stop(line, "half a surrogate pair is not a character")
        elif isinstance(value, float) and math.isinf(value) and text[-1:].isdigit():
            raise self.stop(line, f"{_short(text)} is too large a number")
        return Node(value, line, text)

    def whole(self, text: str, line: int, base: int = 10) -> int:
        try:
            return int(text, base)
        except ValueError:  # Python limits the digits of a number
            raise self.stop(line, f"{_short(text)} has too many digits") from None

    def sequence(self, line: int, items: Iterable[Node]) -> Node:
        """A list. items: an iterator that reads the next item on demand."""
        self._enter(line, 0)
        found = []
        for index, node in enumerate(items, 1):
            found.append(node)
            self._path[-1] = index
        self._path.pop()
        return Node(found, line)

    def mapping(self, line: int, members: Iterable[tuple[str, int, Callable[[], Node]]]) -> Node:
        """A mapping. members: (key, its line, a function that reads the value). A repeated key is a problem."""
        self._enter(line, "")
        found: dict[str, Node] = {}
        for key, key_line, read in members:
            self._path[-1] = key
            if not key.isascii() and _HALF_PAIR.search(key):
                raise self.stop(key_line, "half a surrogate pair is not a character")
            node = read()
            if key in found:
                what = f"is given twice, first in line {found[key].line}"
                self.problems.append(Problem(key_line, self.field(), what))
            elif node.line == key_line:
                found[key] = node
            else:
                found[key] = Node(node.value, key_line, node.text)
            self._path[-1] = ""
        self._path.pop()
        return Node(found, line)

    def count(self, line: int, values: int = 1) -> None:
        self.left -= values
        if self.left < 0:
            self._path.clear()
            raise self.stop(line, f"more than {MOST_VALUES:,} values, counting what aliases repeat")

    def too_deep(self, line: int | None) -> Stop:
        self._path.clear()
        return self.stop(line, f"nested more than {MOST_DEPTH} levels deep")

    def _enter(self, line: int, part: str | int) -> None:
        self.count(line)
        if len(self._path) >= MOST_DEPTH:
            raise self.too_deep(line)
        self._path.append(part)


def _short(text: str) -> str:
    return text if len(text) <= 24 else f"{text[:20]}..."
