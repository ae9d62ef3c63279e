"""YAML with lines, by the core schema of YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema) plus `<<`.

PyYAML's parser gives events; this module decides what a plain scalar means. PyYAML's own loader follows YAML 1.1, where
`on` is true (although `--flash-attn on` is a common server option), `no` false, `12:30` 750 and `2024-08-01` a date.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING, Any

import yaml

from documents.tree import Node, Stop, Tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_FAST = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # C where PyYAML has it
_NEWLINE = re.compile(r"\r\n?|\n")
_CORE = re.compile(
    r"""
    (?P<null>~|null|Null|NULL|)
    |(?P<bool>true|True|TRUE|false|False|FALSE)
    |(?P<int>[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)
    |(?P<float>[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?
        |[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))
    """,
    re.VERBOSE,
)
_OURS = "tag:yaml.org,2002:"
# PyYAML's message -> what it means to the file's author. {0}: what it names; {line}: where its context begins.
_MEANINGS = (
    (r"found unexpected end of stream", "the quote that opens here is never closed"),
    (
        r"mapping values are not allowed",
        "`key: value` is not allowed here: check the indentation, and put a text with a colon in quotes",
    ),
    (r"found character '\\t'", "it is indented with a tab; YAML requires spaces"),
    (r"found character '(.)' that cannot start", "a text that begins with {0} needs quotes"),
    (r"expected alphabetic or numeric character", "a text that begins with * or & needs quotes"),
    (r"could not find expected ':'", "a key needs a colon followed by a space"),
    (r"expected ',' or '(.)'", "what opens here is not closed by {0}, or a comma is missing"),
    (r"expected <block end>, but found '([\]}},])'", "{0} closes nothing"),
    (
        r"expected <block end>, but found",
        "this does not fit what begins in line {line}: check the indentation and the space after a dash",
    ),
)
# For these, the place where the problem begins is more helpful than where it was noticed.
_OF_THE_BEGINNING = ("found unexpected end", "could not find expected ':'", "expected ',' or")


class YamlTree(Tree):
    def document(self) -> Node:
        bad = yaml.reader.Reader.NON_PRINTABLE.search(self.text)
        self._newlines = [match.end() for match in _NEWLINE.finditer(self.text)]
        if bad is not None:
            where, code = self._line(bad.start()), ord(bad[0])
            raise self.stop(where, f"the character U+{code:04X} is not allowed in YAML unescaped")
        self._anchors: dict[str, tuple[Node, int] | None] = {}
        self._events = yaml.parse(self.text, _FAST)
        try:
            return self._root()
        except yaml.MarkedYAMLError as error:
            raise self._syntax(error) from None

    def _root(self) -> Node:
        next(self._events)  # the stream begins
        if isinstance(next(self._events), yaml.StreamEndEvent):
            return Node(None, 1)
        root = self._value()
        next(self._events)  # the document ends
        after = next(self._events)
        if not isinstance(after, yaml.StreamEndEvent):
            raise self.stop(self._line_of(after), "a second document begins here, but only one is read")
        return root

    def _value(self) -> Node:
        return self._node(next(self._events))

    def _node(self, event: Any) -> Node:
        line = self._line_of(event)
        if isinstance(event, yaml.AliasEvent):
            return self._repeated(event.anchor, line)
        before = self.left
        if event.anchor:
            if event.anchor in self._anchors:
                raise self.stop(line, f"the anchor &{event.anchor} is defined twice")
            self._anchors[event.anchor] = None  # while it is being read
        if isinstance(event, yaml.ScalarEvent):
            found = self.scalar(self._meaning(event, line), line, event.value)
        elif event.tag not in {None, "!", f"{_OURS}map", f"{_OURS}seq"}:
            raise self.stop(line, f"the tag {_shown(event.tag)} means nothing here")
        elif isinstance(event, yaml.SequenceStartEvent):
            found = self.sequence(line, self._items())
        else:
            found = self._with_merged(line)
        if event.anchor:
            self._anchors[event.anchor] = (found, before - self.left)
        return found

    def _repeated(self, name: Any, line: int) -> Node:
        if name not in self._anchors:
            raise self.stop(line, f"*{name} has no anchor &{name}; a text that begins with * needs quotes")
        known = self._anchors[name]
        if known is None:
            raise self.stop(line, f"the alias *{name} is inside what it repeats")
        self.count(line, known[1])
        return known[0]

    def _items(self) -> Iterator[Node]:
        for event in self._events:
            if isinstance(event, yaml.SequenceEndEvent):
                return
            yield self._node(event)

    def _with_merged(self, line: int) -> Node:
        """Read a mapping and merge what `<<` names. Its own keys win, then the first merged mapping's, and so on."""
        merged: list[Node] = []
        own = self.mapping(line, self._members(merged))
        found: dict[str, Node] = {}
        for node in reversed(merged):
            found |= node.value
        return Node({**found, **own.value}, line) if merged else own

    def _members(self, merged: list[Node]) -> Iterator[tuple[str, int, Callable[[], Node]]]:
        for event in self._events:
            if isinstance(event, yaml.MappingEndEvent):
                return
            line = self._line_of(event)
            if not isinstance(event, yaml.ScalarEvent):
                raise self.stop(line, "a key must be a name")
            if event.value == "<<" and event.implicit[0]:
                node = self._value()
                merged += node.value if isinstance(node.value, list) else [node]
                if not all(isinstance(each.value, dict) for each in merged):
                    raise self.stop(line, "<< can only merge mappings")
            else:
                if event.tag or event.anchor:
                    self._node(event)
                yield event.value, line, self._value

    def _meaning(self, event: Any, line: int) -> Any:
        text, tag = event.value, event.tag
        if tag in {"!", f"{_OURS}str"} or (tag is None and not event.implicit[0]):
            return text
        found = _CORE.fullmatch(text)
        kind = found.lastgroup if found else "str"
        if tag is not None:
            asked = tag.removeprefix(_OURS)
            if asked not in {"null", "bool", "int", "float"}:
                raise self.stop(line, f"the tag {_shown(tag)} means nothing here")
            if kind != asked and (asked, kind) != ("float", "int"):
                raise self.stop(
                    line, f"{text[:40]!r} does not have the type that its tag {_shown(tag)} names"
                )
            kind = asked
        match kind:
            case "null":
                return None
            case "bool":
                return text[0] in "tT"
            case "int":
                return self.whole(text, line, {"0o": 8, "0x": 16}.get(text[:2], 10))
            case "float":
                return float(re.sub(r"\.(?=[in])", "", text.lower()))  # YAML writes .inf
        return text

    def _line_of(self, event: Any) -> int:
        return self._line(int(event.start_mark.index))

    def _line(self, index: int) -> int:
        """The line of an index. PyYAML's own line numbers also count Unicode line separators; editors don't."""
        return bisect_right(self._newlines, index) + 1

    def _syntax(self, error: yaml.MarkedYAMLError) -> Stop:
        try:
            for _ in yaml.parse(self.text, yaml.SafeLoader):  # names what it found; the C parser doesn't
                pass
        except yaml.MarkedYAMLError as better:
            error = better
        self._path.clear()  # the parser is ahead of the tree
        problem = error.problem or error.context or ""
        begun, noticed = (self._line_of_mark(mark) for mark in (error.context_mark, error.problem_mark))
        line = begun if begun and problem.startswith(_OF_THE_BEGINNING) else noticed or begun
        for pattern, meaning in _MEANINGS:
            if found := re.match(pattern, problem):
                return self.stop(line, f"not valid YAML: {meaning.format(*found.groups(), line=begun)}")
        about = f", {error.context}" if error.context else ""
        return self.stop(line, f"not valid YAML: {problem}{about}")

    def _line_of_mark(self, mark: Any) -> int | None:
        """The line of PyYAML's mark; the end of the file counts as its last line."""
        return None if mark is None else self._line(min(mark.index, max(0, len(self.text.rstrip()) - 1)))


def _shown(tag: str) -> str:
    return tag.replace(_OURS, "!!")[:60]
