"""Values of a YAML or JSON file, each with the line that it stands on and the text that it was written as.

YAML is read by the core schema of YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema), not by PyYAML's 1.1: there
`no` is false, `12:30` is 750 and `2024-08-01` is a date, which surprises whoever writes down what a program prints.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_VALUES = 1_000_000  # aliases of aliases would fill the memory
_BOOL, _INT, _FLOAT, _NULL, _STR = (
    f"tag:yaml.org,2002:{kind}" for kind in ("bool", "int", "float", "null", "str")
)
_CORE = (
    (_NULL, r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    (_BOOL, r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    (_INT, r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    (_FLOAT, r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", list("-+0123456789.")),
)
# A string, a mark, or a word; between them is space. Of a text that Python's own parser has accepted.
_JSON_PART = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\],:]|[^\s{}\[\],:"]+')


class Problem(NamedTuple):
    """Something wrong in a file. field: where in the document, such as `tasks[0].id`; empty for the whole."""

    line: int
    field: str
    message: str


@dataclass(frozen=True)
class Located:
    """value: None, bool, int, float or str, a list of these, or a dict of them by key. text: of a scalar."""

    value: Any
    line: int
    text: str = ""

    def plain(self) -> Any:
        """The value without lines."""
        if isinstance(self.value, list):
            return [item.plain() for item in self.value]
        if isinstance(self.value, dict):
            return {key: item.plain() for key, item in self.value.items()}
        return self.value


class _Stop(Exception):
    """What follows can't be read."""


def read_located(text: str, *, is_json: bool) -> tuple[Located | None, list[Problem]]:
    """The document, and what is wrong with it as such; None where it can't be read."""
    reading = _Json(text) if is_json else _Yaml(text)
    try:
        return reading.document(), reading.problems
    except _Stop:
        return None, reading.problems
    except RecursionError:
        return None, [*reading.problems, Problem(1, "", "it is nested too deeply")]


class _Reading:
    def __init__(self, text: str) -> None:
        self.text = text
        self.problems: list[Problem] = []

    def stop(self, line: int, message: str) -> _Stop:
        self.problems.append(Problem(line, "", message))
        return _Stop(message)

    def members(self, pairs: Iterator[tuple[str, int, Located]]) -> dict[str, Located]:
        """Of a mapping; a key that is there twice is a problem."""
        found: dict[str, Located] = {}
        first: dict[str, int] = {}
        for key, line, value in pairs:
            if key in found:
                self.problems.append(Problem(line, key, f"is there twice, first in line {first[key]}"))
            found[key] = value
            first.setdefault(key, line)
        return found


class _Json(_Reading):
    def document(self) -> Located:
        try:
            json.loads(self.text, parse_constant=self._refuse)
        except json.JSONDecodeError as error:
            raise self.stop(error.lineno, f"no valid JSON: {error.msg} (column {error.colno})") from None
        except ValueError as error:  # a number of too many digits, or NaN
            raise self.stop(1, f"no valid JSON: {error}") from None
        self._parts = self._scan()
        return self._value(*next(self._parts))

    @staticmethod
    def _refuse(name: str) -> None:
        raise ValueError(f"{name} is no number of JSON")

    def _scan(self) -> Iterator[tuple[str, int]]:
        line, counted = 1, 0
        for match in _JSON_PART.finditer(self.text):
            line += self.text.count("\n", counted, match.start())
            counted = match.start()
            yield match[0], line

    def _value(self, part: str, line: int) -> Located:
        if part == "[":
            return Located(list(self._items()), line)
        if part == "{":
            return Located(self.members(self._pairs()), line)
        value = json.loads(part)
        if not isinstance(value, str):
            return Located(value, line, part)
        if re.search("[\ud800-\udfff]", value):
            raise self.stop(line, "half a surrogate pair is no character")
        return Located(value, line, value)

    def _items(self) -> Iterator[Located]:
        for part, line in self._parts:
            if part == "]":
                return
            if part != ",":
                yield self._value(part, line)

    def _pairs(self) -> Iterator[tuple[str, int, Located]]:
        for part, line in self._parts:
            if part == "}":
                return
            if part != ",":
                next(self._parts)  # the colon
                yield str(json.loads(part)), line, self._value(*next(self._parts))


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc] # C where PyYAML has it
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - as PyYAML has it


for _tag, _pattern, _first in _CORE:
    _Loader.add_implicit_resolver(_tag, re.compile(f"(?:{_pattern})\\Z"), _first)


class _Yaml(_Reading):
    def document(self) -> Located:
        bad = yaml.reader.Reader.NON_PRINTABLE.search(self.text)
        if bad is not None:
            line = self.text.count("\n", 0, bad.start()) + 1
            raise self.stop(line, f"the character U+{ord(bad[0]):04X} must not stand in YAML as it is")
        try:
            root = yaml.compose(self.text, _Loader)
        except yaml.MarkedYAMLError as error:
            raise self._syntax(error) from None
        except yaml.YAMLError as error:
            raise self.stop(1, f"no valid YAML: {error}") from None
        self._left = _MOST_VALUES
        self._inside: set[int] = set()
        return Located(None, 1) if root is None else self._value(root)

    def _syntax(self, error: yaml.MarkedYAMLError) -> _Stop:
        mark = error.problem_mark or error.context_mark
        lines = self.text.splitlines()
        line = min(mark.line + 1, len(lines)) if mark else 1  # the end of a file is behind its last line
        about = "; ".join(part for part in (error.problem, error.context) if part)
        if (
            line <= len(lines)
            and "\t" in lines[line - 1][: len(lines[line - 1]) - len(lines[line - 1].lstrip())]
        ):
            about = "a line begins with a tab; YAML is indented by spaces"
        return self.stop(line, f"no valid YAML: {about}")

    def _value(self, node: yaml.Node) -> Located:
        line = node.start_mark.line + 1
        self._left -= 1
        if self._left < 0:
            raise self.stop(line, f"it has more than {_MOST_VALUES:,} values, with what its aliases repeat")
        if id(node) in self._inside:
            raise self.stop(line, "an alias stands within what it names")
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, line)
        self._inside.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            found = Located([self._value(item) for item in node.value], line)
        else:
            found = Located(self.members(self._pairs(node)), line)
        self._inside.discard(id(node))
        return found

    def _pairs(self, node: yaml.Node) -> Iterator[tuple[str, int, Located]]:
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise self.stop(line, "a key must be a name")
            yield key.value, line, self._value(value)

    def _scalar(self, node: yaml.ScalarNode, line: int) -> Located:
        text = node.value
        try:
            if node.tag == _NULL:
                return Located(None, line, text)
            if node.tag == _BOOL:
                return Located({"true": True, "false": False}[text.lower()], line, text)
            if node.tag == _INT:
                base = 8 if text.startswith("0o") else 16 if text.startswith("0x") else 10
                return Located(int(text, base), line, text)
            if node.tag == _FLOAT:
                return Located(float(text), line, text)
        except (ValueError, KeyError) as error:
            raise self.stop(line, f"{text[:40]!r} can't be read: {error}") from None
        if node.tag != _STR:
            raise self.stop(line, f"the tag {node.tag} means nothing here")
        return Located(text, line, text)
