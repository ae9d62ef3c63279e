"""YAML, JSON and TOML: every value knows its line, in documents of every shape; variables are filled in."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.errors import UsageError
from sweeps.manifest.text import Node, read_text

WORDS = st.text("abcXYZ019_- .\"'\\#[]{}=é\t", max_size=6)
TREES = st.recursive(
    st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=12,
)
BLANKS = st.sampled_from(["", "\n", "\n\n", ' # a comment with ] } and "\n', "  "])


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
    for line, value in told_lines(read_text(text, form, "x")):
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
    numbers = [leaf for leaf in told_lines(read_text(text, "toml", "x")) if isinstance(leaf[1], int)]
    assert len(numbers) == 13
    assert all(line == value for line, value in numbers)


def test_toml_with_dates_and_the_newlines_of_windows():
    node = read_text('a = 1979-05-27 07:32:00\r\nb = """x\r\ny"""\r\nc = 4\r\n', "toml", "x")
    assert node.value["a"].value == "1979-05-27T07:32:00"
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
    """`--flash-attn on` is not true, a date is a text, 1e-3 a number."""
    node = read_text(
        "[on, off, yes, no, 2024-08-01, 1:30, 1e-3, 010, 0x1F, true, ~, null, '1', .5]", "yaml", "x"
    )
    assert node.plain() == [
        "on", "off", "yes", "no", "2024-08-01", "1:30", 0.001, 10, 31, True, None, None, "1", 0.5,
    ]  # fmt: skip


def test_yaml_with_anchors_and_merges():
    text = "base: &base {a: 1, b: 1}\nmore: &more {b: 5, c: 2}\nx:\n  <<: [*base, *more]\n  a: 5\ny: *base\n"
    node = read_text(text, "yaml", "x")
    assert node.plain()["x"] == {"a": 5, "b": 1, "c": 2}
    assert node.plain()["y"] == {"a": 1, "b": 1}
    assert node.value["x"].value["a"].line == 5


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
        + "".join(
            f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(9)
        ),
        "a: &a\n  - *a\n",
        "a: &a\n  <<: *a\n",
    ],
)
def test_yaml_that_would_grow_without_end_is_refused(text):
    with pytest.raises(UsageError, match="x has more than 100000 values"):
        read_text(text, "yaml", "x")


@pytest.mark.parametrize(
    ("text", "form", "message"),
    [
        ("a: 1\nb: [1,\nc: 2\n", "yaml", "x:4: expected .* while parsing a flow sequence from line 2"),
        ("a:\n\t- 1\n", "yaml", "x:2: found character .* that cannot start any token"),
        ("a: 1\n---\nb: 2\n", "yaml", "x:2: but found another document"),
        ("a: !!python/object:os.system x\n", "yaml", "x:1: the tag .* means nothing here"),
        ("a: !!int x\n", "yaml", "x:1: 'x' is not of the type"),
        ("[a]: 1\n", "yaml", "x:1: a key must be a name"),
        ("a: 1\nb: 1\na: 2\n", "yaml", "^x:3: a: is there twice$"),
        ("<<: 3\n", "yaml", "x:1: << merges mappings only"),
        ("a: \x07\n", "yaml", "x: "),
        ('{"a": 1,\n "b": }', "json", r"x:2: Expecting value \(column 7\)"),
        ('{"a": 1,\n "b": 2,\n "a": 3}', "json", "^x:3: a: is there twice$"),
        ('{"a": NaN}', "json", "NaN is no number of JSON"),
        ("a = 1\nb = = 2\n", "toml", "x:2: Invalid value"),
        ("a = 1\na = 2\n", "toml", "x:2: Cannot overwrite a value"),
        ("a = [1,\n", "toml", "x:2: "),
        ("[" * 100_000, "json", "nested too deeply"),
        ("[" * 100_000, "yaml", "nested too deeply"),
    ],
)
def test_syntax_errors_have_a_line_and_no_traceback(text, form, message):
    with pytest.raises(UsageError, match=message):
        read_text(text, form, "x")
