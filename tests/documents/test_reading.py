"""YAML, JSON and TOML: every value knows its line and text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from documents.reading import read_text

if TYPE_CHECKING:
    from documents.tree import Node

WORDS = st.text("abcXYZ019_- .\"'\\#[]{}=é\t", max_size=6)
TREES = st.recursive(
    st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=12,
)
BLANKS = st.sampled_from(["", "\n", "\n\n", ' # a comment with ] } and "\n', "  "])


def tree(text: str, form) -> Node:
    node, problems = read_text(text, form, "x")
    assert problems == []
    return node


def told_lines(node: Node) -> list[tuple[int, object]]:
    """(line that we tell, value) of every leaf."""
    value = node.value
    if isinstance(value, dict):
        return [leaf for each in value.values() for leaf in told_lines(each)]
    if isinstance(value, list):
        return [leaf for each in value for leaf in told_lines(each)]
    return [(node.line, value)]


def assert_lines(text: str, form) -> None:
    """Each leaf of the text is the number of the line on which it (or its key) stands."""
    for line, value in told_lines(tree(text, form)):
        assert line == value, text


class Writer:
    """Writes a tree in which every leaf is the number of its line."""

    def __init__(self, blanks) -> None:
        self.text = ""
        self.blanks = blanks

    @property
    def line(self) -> int:
        return self.text.count("\n") + 1

    def add(self, text: str) -> None:
        self.text += text

    def gap(self) -> None:
        self.add(self.blanks())


class Json(Writer):
    def gap(self) -> None:
        self.add(self.blanks().split("#")[0].replace(" ", "") or " ")

    def value(self, tree, line=None) -> None:
        if isinstance(tree, dict):
            self.between("{", "}", list(tree.items()), self.member)
        elif isinstance(tree, list):
            self.between("[", "]", tree, self.value)
        else:
            self.add(str(line or self.line))

    def member(self, item) -> None:
        line = self.line
        self.add(json.dumps(item[0]))
        self.gap()
        self.add(":")
        self.gap()
        self.value(item[1], line)

    def between(self, start, end, items, write) -> None:
        self.add(start)
        for index, item in enumerate(items):
            if index:
                self.add(",")
            self.gap()
            write(item)
            self.gap()
        self.add(end)


class TomlValues(Json):
    """Inline: arrays may go over lines, inline tables may not."""

    def gap(self) -> None:
        Writer.gap(self)

    def value(self, tree, line=None) -> None:
        if isinstance(tree, dict):
            kept, self.blanks = self.blanks, lambda: " "
            self.between("{", "}", list(tree.items()), self.member)
            self.blanks = kept
        else:
            super().value(tree, line)

    def member(self, item) -> None:
        line = self.line
        self.add(f"{toml_key(item[0])} = ")
        self.value(item[1], line)


def toml_key(word: str) -> str:
    bare = word and all(letter.isascii() and (letter.isalnum() or letter in "_-") for letter in word)
    return word if bare else json.dumps(word, ensure_ascii=False)


@given(TREES, st.data())
def test_every_line_of_json_is_told(tree, data):
    writer = Json(lambda: data.draw(BLANKS))
    writer.value(tree)
    assert_lines(writer.text, "json")


@given(st.dictionaries(WORDS, TREES, max_size=4), st.dictionaries(WORDS, TREES, max_size=3), st.data())
def test_every_line_of_toml_is_told(top, table, data):
    table.pop(']"', None)  # the name of a table below
    writer = TomlValues(lambda: data.draw(BLANKS))

    def pairs(items) -> None:
        for item in items.items():
            writer.add(data.draw(st.sampled_from(["", "\n", "# [x]\n"])))
            writer.member(item)
            writer.add(data.draw(st.sampled_from(["\n", " # } ]\n", "\r\n"])))

    pairs(top)
    if "t" not in top:
        for _ in range(data.draw(st.integers(0, 3))):
            writer.add('[[t . "u.v"]] # [t]\n')
            pairs(table)
            writer.add('[t.\'u.v\'."]\\""]\n')
            pairs(table)
    assert_lines(writer.text, "toml")


def test_toml_of_every_kind():
    text = '''a = 1
"b".c . 'd' = 2   # dotted and quoted
e = """
not = 9
]""""" # two quotes of its own
f = [ [6], # ]
  { g = 7, h = [7,
    8] },
]
i = \'\'\'
[x]\'\'\' # literal

[j."k l"]
m = 14
n = """\\""" ] = """
[[o]]
p = 17
[o.q]
r = 19
[[o.s]]
t = 21
[[o.s]]
t = 23
[[o]]
p = 25
[o.q]
r = 27
'''
    numbers = [leaf for leaf in told_lines(tree(text, "toml")) if isinstance(leaf[1], int)]
    assert len(numbers) == 13
    assert all(line == value for line, value in numbers)


def test_toml_with_the_newlines_of_windows():
    node = tree('a = 1\r\nb = """x\r\ny"""\r\nc = 4\r\n', "toml")
    assert node.value["b"].value == "x\ny"
    assert node.value["c"].line == 4


def test_every_line_of_yaml_is_told():
    text = """# a comment
a: 2
b:
  - 4
  - [5, 5,
     6]
  - c: 7
    d: {e: 8, f:
      8}
? g
: 10
h: |
  text
i: 14
"""
    assert_lines(text.replace("|\n  text", "12\n"), "yaml")


def test_yaml_is_that_of_the_core_schema_of_1_2():
    """`--flash-attn on` is not true, a date is a text, 1e-3 a number; whatever version the document claims."""
    text = (
        "[on, off, yes, no, y, 2024-08-01, 1:30, 12:30:45, 1e3, 1e-3, 010, 0o10, 0x1F, 0b1, 1_000, =, true, ~, "
        "null, '1', .5, -.inf, !!str 3, !!float 3, ! 4]"
    )
    for form in (text, f"%YAML 1.1\n---\n{text}"):
        assert tree(form, "yaml").plain() == [
            "on", "off", "yes", "no", "y", "2024-08-01", "1:30", "12:30:45", 1000.0, 0.001, 10, 8, 31, "0b1", "1_000",
            "=", True, None, None, "1", 0.5, float("-inf"), "3", 3.0, "4",
        ]  # fmt: skip


def test_yaml_with_anchors_and_merges():
    text = "base: &base {a: 1, b: 1}\nmore: &more {b: 5, c: 2}\nx:\n  <<: [*base, *more]\n  a: 5\ny: *base\n"
    node = tree(text, "yaml")
    assert node.plain()["x"] == {"a": 5, "b": 1, "c": 2}
    assert node.plain()["y"] == {"a": 1, "b": 1}
    assert node.value["x"].value["a"].line == 5
    assert tree('a: {"<<": 1}', "yaml").plain() == {"a": {"<<": 1}}, "in quotes it is a key like others"


@pytest.mark.parametrize(
    ("text", "form", "texts"),
    [
        ("a: 1.10\nb: 007\nc: 'it''s'\nd: |\n  two\n  lines\n", "yaml", ["1.10", "007", "it's", "two\nlines\n"]),
        ('{"a": 1.10, "b": true, "c": "\\u00e9", "d": null}', "json", ["1.10", "true", "é", "null"]),
        ("a = 1_000.50 # x\nb = [2024-08-01 07:32:00, 0x1F]\nc = 'y'", "toml",
         ["1_000.50", "2024-08-01 07:32:00", "0x1F", "y"]),
    ],
)  # fmt: skip
def test_a_scalar_knows_how_it_is_written(text, form, texts):
    """What a program prints is taken as it is written: 1.10 is not 1.1."""

    def leaves(node):
        inner = node.value.values() if isinstance(node.value, dict) else node.value
        return (
            [leaf for each in inner for leaf in leaves(each)]
            if isinstance(node.value, dict | list)
            else [node.text]
        )

    assert leaves(tree(text, form)) == texts


def test_dates_of_toml_are_texts():
    assert tree("a = 2024-08-01\nb = 07:32:00", "toml").plain() == {"a": "2024-08-01", "b": "07:32:00"}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda below: st.lists(below) | st.dictionaries(st.text(), below),
    max_leaves=10,
)


@settings(max_examples=150, deadline=None)
@given(VALUES, st.sampled_from([None, 1, "\t"]), st.booleans())
def test_any_json_is_read_as_python_reads_it(value, indent, ascii_only):
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    assert tree(text, "json").plain() == json.loads(text)


@pytest.mark.parametrize("separator", ["\x85", "\u2028", "\u2029"])
@pytest.mark.parametrize(
    ("form", "text"),
    [("yaml", 'a: "x{}y"\nb: 2\n'), ("json", '{{"a": "x{}y",\n"b": 2}}'), ("toml", 'a = "x{}y"\nb = 2\n')],
)
def test_lines_are_those_that_an_editor_counts(form, text, separator):
    """Unicode's own separators begin no line there."""
    assert tree(text.format(separator), form).value["b"].line == 2


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_yaml_with_the_newlines_of_any_system(newline):
    node = tree(newline.join(["a: 1", "b: |", "  x", "  y", "c: 5", ""]), "yaml")
    assert node.value["b"].value == "x\ny\n"
    assert node.value["c"].line == 5
