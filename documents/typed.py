"""Read a tree into msgspec structs: errors have their line and field, and name the closest field or value.

The types say all: which fields there are and which are needed, choices (`Literal`), ranges (`Meta`), and which struct
is meant where several are possible (by their tag).
"""

from __future__ import annotations

import difflib
import functools
import math
import re
from typing import TYPE_CHECKING, Any, TypeVar, cast

import msgspec
from msgspec import inspect

from documents.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

    from documents.tree import Node

T = TypeVar("T", bound=msgspec.Struct)
_KINDS = {list: "list", dict: "mapping", bool: "truth value", str: "text", type(None): "missing value"}


class Unreadable(Exception):
    """A value that does not fit; the problem is in the list by then."""


class TypedReader:
    """Reads nodes as structs and collects what is wrong with them."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems

    def struct(self, node: Node, kind: type[T], at: str = "") -> T | None:
        """None where something in it is wrong. at: the node's place, such as `tasks.cola`."""
        before = len(self.problems)
        try:
            found = self._value(node, _type_of(kind), at)
        except Unreadable:
            return None
        return cast("T", found) if len(self.problems) == before else None

    def wrong(self, node: Node, at: str, what: str, hint: str = "") -> Unreadable:
        """Note what is wrong with a value."""
        self.problems.append(Problem(node.line, at, what, hint))
        return Unreadable(what)

    def _value(self, node: Node, kind: inspect.Type, at: str) -> Any:
        match kind:
            case inspect.Metadata():
                if isinstance(kind.type, inspect.StrType):
                    return self._text(node, kind.type, at, (kind.extra or {}).get("rule", ""))
                return self._value(node, kind.type, at)
            case inspect.StructType():
                return self._struct(node, kind, at)
            case inspect.UnionType():
                return self._one_of(node, kind, at)
            case inspect.StrType():
                return self._text(node, kind, at)
            case inspect.BoolType():
                if not isinstance(node.value, bool):
                    raise self.wrong(node, at, f"must be true or false, not a {kind_of(node)}")
                return node.value
            case inspect.IntType() | inspect.FloatType():
                return self._number(node, kind, at)
            case inspect.LiteralType():
                if node.text not in kind.values or not isinstance(node.value, str):
                    known = [str(value) for value in kind.values]
                    raise self.wrong(
                        node, at, f"{shown(node)} is not one of {', '.join(known)}{_meant(node.text, known)}"
                    )
                return node.text
            case inspect.VarTupleType() | inspect.ListType():
                return self._list(node, kind, at)
            case inspect.DictType():
                if not isinstance(node.value, dict):
                    raise self.wrong(node, at, f"must be a mapping, not a {kind_of(node)}")
                return {
                    self._key(node, name, kind.key_type, at): self._value(
                        each, kind.value_type, join(at, name)
                    )
                    for name, each in node.value.items()
                }
            case inspect.NoneType():
                if node.value is not None:
                    raise self.wrong(node, at, "must be null")
                return None
        self._require_json(node, at)
        return node.plain()

    def _struct(self, node: Node, kind: inspect.StructType, at: str) -> Any:
        if not isinstance(node.value, dict):
            needed = [field.encode_name for field in kind.fields if field.required]
            with_fields = f" with {', '.join(needed)}" if needed else ""
            raise self.wrong(node, at, f"must be a mapping{with_fields}, not a {kind_of(node)}")
        fields = {field.encode_name: field for field in kind.fields}
        given = {name: each for name, each in node.value.items() if name != kind.tag_field}
        missing = [name for name, field in fields.items() if field.required and name not in given]
        values: dict[str, Any] = {}
        before = len(self.problems)
        for name, each in given.items():
            if name not in fields:
                close = difflib.get_close_matches(name, missing or [*fields], n=1, cutoff=0.4)
                close = close or difflib.get_close_matches(name, [*fields], n=1, cutoff=0.6)
                hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(fields)}"
                self.wrong(each, join(at, name), f"is not a field of the format; {hint}")
                missing = [other for other in missing if other not in close]  # told once
                continue
            try:
                values[fields[name].name] = self._value(each, fields[name].type, join(at, name))
            except Unreadable:
                continue
        for name in missing:
            self.wrong(node, join(at, name), "is missing")
        if len(self.problems) > before:
            raise Unreadable
        return kind.cls(**values)

    def _one_of(self, node: Node, kind: inspect.UnionType, at: str) -> Any:
        kinds = [_bare(each) for each in kind.types]
        if node.value is None and kind.includes_none:
            return None
        structs = [each for each in kinds if isinstance(each, inspect.StructType)]
        if structs and isinstance(node.value, dict):
            return self._tagged(node, structs, at) if len(structs) > 1 else self._value(node, structs[0], at)
        for each, original in zip(kinds, kind.types, strict=True):
            if _takes(each, node):
                return self._value(node, original, at)
        for each, original in zip(kinds, kind.types, strict=True):  # a number may be written for a text
            if isinstance(each, inspect.StrType) and not isinstance(node.value, (dict, list)):
                return self._value(node, original, at)
        names = " or ".join(f"a {_name(each)}" for each in kinds if not isinstance(each, inspect.NoneType))
        raise self.wrong(node, at, f"must be {names}, not a {kind_of(node)}")

    def _tagged(self, node: Node, structs: list[inspect.StructType], at: str) -> Any:
        field = structs[0].tag_field or ""
        tags = {str(each.tag): each for each in structs}
        tag = node.value.get(field)
        if tag is None:
            raise self.wrong(node, join(at, field), f"is missing; one of {', '.join(tags)}")
        if tag.text not in tags:
            raise self.wrong(
                tag, join(at, field), f"{shown(tag)} is not one of {', '.join(tags)}{_meant(tag.text, tags)}"
            )
        return self._value(node, tags[tag.text], at)

    def _text(self, node: Node, kind: inspect.StrType, at: str, rule: str = "") -> str:
        """As it is written: a number or `yes` without quotes is a text too. rule: what its pattern wants, in words."""
        if isinstance(node.value, (list, dict)):
            raise self.wrong(node, at, f"must be a text, not a {kind_of(node)}")
        if node.value is None or (kind.min_length and not node.text.strip()):
            raise self.wrong(node, at, "is empty" if kind.min_length else 'is empty; for no text write ""')
        if kind.max_length is not None and len(node.text) > kind.max_length:
            raise self.wrong(node, at, f"is longer than {kind.max_length} characters")
        if kind.pattern is not None and not re.search(kind.pattern, node.text):
            raise self.wrong(node, at, f"{shown(node)} {rule or f'does not match {kind.pattern}'}")
        return node.text

    def _number(self, node: Node, kind: inspect.IntType | inspect.FloatType, at: str) -> float:
        value = node.value
        is_whole = isinstance(kind, inspect.IntType)
        if isinstance(value, bool) or not isinstance(value, int if is_whole else (int, float)):
            raise self.wrong(node, at, f"must be a {_name(kind)}, not {_a(node)}")
        if not math.isfinite(value):
            raise self.wrong(node, at, "must be a finite number")
        for fits, bound, words in (
            (kind.ge is None or value >= kind.ge, kind.ge, "at least"),
            (kind.gt is None or value > kind.gt, kind.gt, "more than"),
            (kind.le is None or value <= kind.le, kind.le, "at most"),
            (kind.lt is None or value < kind.lt, kind.lt, "less than"),
        ):
            if not fits:
                raise self.wrong(node, at, f"{node.text} must be {words} {bound:g}")
        return value if is_whole else float(value)

    def _list(self, node: Node, kind: inspect.VarTupleType | inspect.ListType, at: str) -> Any:
        if not isinstance(node.value, list):
            raise self.wrong(node, at, f"must be a list, not a {kind_of(node)}")
        least = kind.min_length or 0
        if len(node.value) < least:
            raise self.wrong(node, at, "is empty" if not node.value else f"needs at least {least} items")
        before = len(self.problems)
        found = []
        for number, each in enumerate(node.value):
            try:
                found.append(self._value(each, kind.item_type, f"{at}[{number}]"))
            except Unreadable:
                continue
        if len(self.problems) > before:
            raise Unreadable
        return tuple(found) if isinstance(kind, inspect.VarTupleType) else found

    def _key(self, node: Node, name: str, kind: inspect.Type, at: str) -> str:
        bare = _bare(kind)
        pattern = bare.pattern if isinstance(bare, inspect.StrType) else None
        if pattern is not None and not re.search(pattern, name):
            self.wrong(node.value[name], join(at, name), f"{name[:60]!r} as a name does not match {pattern}")
        return name

    def _require_json(self, node: Node, at: str) -> None:
        nodes: Iterable[tuple[str, Node]] = ()
        if isinstance(node.value, dict):
            nodes = ((f"{at}.{key}", each) for key, each in node.value.items())
        elif isinstance(node.value, list):
            nodes = ((f"{at}[{number}]", each) for number, each in enumerate(node.value))
        elif isinstance(node.value, float) and not math.isfinite(node.value):
            raise self.wrong(node, at, "JSON has no such number")
        for place, each in nodes:
            self._require_json(each, place)


def join(at: str, name: str) -> str:
    """The place of a field in what stands at `at`."""
    return f"{at}.{name}" if at else name


def kind_of(node: Node) -> str:
    """In words: list, mapping, text, number, truth value, missing value."""
    return _KINDS.get(type(node.value), "number")


def shown(node: Node) -> str:
    """A value as it is written, short."""
    if isinstance(node.value, (list, dict)):
        return f"a {kind_of(node)}"
    return repr(node.text if len(node.text) <= 60 else f"{node.text[:57]}...")


@functools.cache
def _type_of(kind: type) -> inspect.Type:
    return inspect.type_info(kind)


def _bare(kind: inspect.Type) -> inspect.Type:
    return _bare(kind.type) if isinstance(kind, inspect.Metadata) else kind


def _takes(kind: inspect.Type, node: Node) -> bool:
    """Whether a value is of that kind by what it is, not only by how it may be read."""
    value = node.value
    match kind:
        case inspect.StrType() | inspect.LiteralType():
            return isinstance(value, str)
        case inspect.BoolType():
            return isinstance(value, bool)
        case inspect.IntType():
            return isinstance(value, int) and not isinstance(value, bool)
        case inspect.FloatType():
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        case inspect.VarTupleType() | inspect.ListType():
            return isinstance(value, list)
        case inspect.DictType():
            return isinstance(value, dict)
    return False


def _name(kind: inspect.Type) -> str:
    names = {
        inspect.StrType: "text",
        inspect.LiteralType: "text",
        inspect.BoolType: "truth value",
        inspect.IntType: "whole number",
        inspect.FloatType: "number",
        inspect.VarTupleType: "list",
        inspect.ListType: "list",
    }
    return names.get(type(kind), "mapping")


def _a(node: Node) -> str:
    return shown(node) if isinstance(node.value, (float, str)) else f"a {kind_of(node)}"


def _meant(text: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(text.lower(), list(known), n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else ""
