"""YAML with the line of every value.

By the core schema of YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema), not by PyYAML's 1.1: there `on` is true
(and `--flash-attn on` is said to servers every day), `1e-3` a text and `2024-08-01` a date.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

Path = tuple[str | int, ...]
_BOOL, _INT, _FLOAT, _NULL, _STR = (
    f"tag:yaml.org,2002:{kind}" for kind in ("bool", "int", "float", "null", "str")
)
_CORE = (
    (_NULL, re.compile(r"~|null|Null|NULL|"), ["~", "n", "N", ""]),
    (_BOOL, re.compile(r"true|True|TRUE|false|False|FALSE"), list("tTfF")),
    (_INT, re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"), list("-+0123456789")),
    (_FLOAT, re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"), list("-+0123456789.")),
    (_FLOAT, re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"), list("-+.")),
)


class TooMuch(Exception):
    """Aliases of aliases that would fill the memory, or an alias of what it stands in."""


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - as PyYAML has it


for _tag, _pattern, _first in _CORE:
    _Loader.add_implicit_resolver(_tag, re.compile(f"(?:{_pattern.pattern})\\Z"), _first)
_Loader.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile(r"<<\Z"), ["<"])


def yaml_lines(text: str, most: int) -> tuple[Any, dict[Path, int], list[tuple[str, int]]]:
    """The document, the line of each value by its path, and the keys that are there twice with the line of the second.

    Raises yaml.MarkedYAMLError (or another YAMLError), and TooMuch beyond so many values.
    """
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return None, {}, []
        reading = _Reading(most)
        return reading.value(root, (), root.start_mark.line + 1), reading.lines, reading.repeated
    finally:
        loader.dispose()


class _Reading:
    def __init__(self, most: int) -> None:
        self.left = most
        self.lines: dict[Path, int] = {}
        self.repeated: list[tuple[str, int]] = []
        self.inside: set[int] = set()  # nodes that are being read: an alias may point at one of them

    def value(self, node: yaml.Node, path: Path, line: int) -> Any:
        self.left -= 1
        if self.left < 0 or id(node) in self.inside:
            raise TooMuch
        self.lines.setdefault(path, line)
        if isinstance(node, yaml.ScalarNode):
            return _scalar(node)
        self.inside.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                return [
                    self.value(each, (*path, index), each.start_mark.line + 1)
                    for index, each in enumerate(node.value)
                ]
            return {key: self.value(each, (*path, key), at) for key, (each, at) in self.pairs(node).items()}
        finally:
            self.inside.discard(id(node))

    def pairs(self, node: yaml.Node) -> dict[str, tuple[yaml.Node, int]]:
        """Of a mapping, with what `<<` merges into it: its own keys win, then those of the first that is merged."""
        own: dict[str, tuple[yaml.Node, int]] = {}
        merged: list[yaml.Node] = []
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.tag == "tag:yaml.org,2002:merge":
                merged += value.value if isinstance(value, yaml.SequenceNode) else [value]
                continue
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem="a key must be a name", problem_mark=key.start_mark)
            if key.value in own:
                self.repeated.append((key.value, line))
            own[key.value] = (value, line)
        for each in merged:
            self.left -= 1
            if self.left < 0 or id(each) in self.inside:
                raise TooMuch
            if not isinstance(each, yaml.MappingNode):
                raise yaml.MarkedYAMLError(problem="<< merges mappings only", problem_mark=each.start_mark)
            self.inside.add(id(each))
            own = {**self.pairs(each), **own}
            self.inside.discard(id(each))
        return own


def _scalar(node: yaml.ScalarNode) -> Any:
    text = node.value
    try:
        if node.tag == _NULL:
            return None
        if node.tag == _BOOL:
            return {"true": True, "false": False}[text.lower()]
        if node.tag == _INT:
            return int(text, 8 if text.startswith("0o") else 16 if text.startswith("0x") else 10)
        if node.tag == _FLOAT:
            return float(re.sub(r"\.(?=[in])", "", text.lower()))  # theirs is .inf
    except (ValueError, KeyError):
        raise yaml.MarkedYAMLError(
            problem=f"{text!r} is not of the type that its tag names", problem_mark=node.start_mark
        ) from None
    if node.tag != _STR:
        raise yaml.MarkedYAMLError(
            problem=f"the tag {node.tag} means nothing here", problem_mark=node.start_mark
        )
    return text
