"""YAML, JSON and TOML: every value knows its line and text, and what can't be read is refused with its line."""

from __future__ import annotations

import json
import os
import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from documents.problems import MOST_SHOWN, Problem, refuse
from documents.reading import FORMS, MOST_BYTES, read_file, read_text
from documents.tree import MOST_DEPTH, Node
from results.errors import UsageError

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


BOMB = "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(9)
)
MERGE_BOMB = "a: &a {x: 1}\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} {{{', '.join(f'k{k}: {{<<: *{chr(97 + n)}}}' for k in range(9))}}}\n"
    for n in range(9)
)


@pytest.mark.parametrize(
    ("text", "form", "message"),
    [
        # YAML
        ("a: 1\nb: [1,\nc: 2\n", "yaml", "^x:2: not valid YAML: what opens here is not closed by ]"),
        ("a: {b: 1\nc: 2\n", "yaml", "^x:1: not valid YAML: what opens here is not closed by }"),
        ("a: [1]]\n", "yaml", "^x:1: not valid YAML: ] closes nothing"),
        ("a:\n\t- 1\n", "yaml", "^x:2: not valid YAML: it is indented with a tab; YAML requires spaces"),
        ("a:\n  b: 3\n\tc: 4\n", "yaml", "^x:3: not valid YAML: it is indented with a tab"),
        ("a: 1\nb: 'x\nc: 3\nd: 4\n", "yaml", "^x:2: not valid YAML: the quote that opens here is never closed"),
        ("a: 1\nlimit:3\nb: 4\n", "yaml", "^x:2: not valid YAML: a key needs a colon followed by a space"),
        ("a: b: c\n", "yaml", "^x:1: not valid YAML: `key: value` is not allowed here: check the ind"),
        ("a:\n  b: 3\n   c: 4\n", "yaml", "^x:3: not valid YAML: `key: value` is not allowed here: check the ind"),
        ("a:\n  - b: c\n    - d\n", "yaml", "^x:3: not valid YAML: this does not fit what begins in line 2"),
        ("model: *.gguf\n", "yaml", r"^x:1: not valid YAML: a text that begins with \* or & needs quotes"),
        ("a: *b\n", "yaml", r"^x:1: a: \*b has no anchor &b; a text that begins with \* needs quotes"),
        ("a: %x\n", "yaml", "^x:1: not valid YAML: a text that begins with % needs quotes"),
        ('a: "\\q"\n', "yaml", "^x:1: not valid YAML: found unknown escape character 'q'"),
        ("a: 1\n---\nb: 2\n", "yaml", "^x:2: a second document begins here, but only one is read"),
        ("a: !!python/object:os.system x\n", "yaml", "^x:1: a: the tag !!python/object:os.system means nothing here"),
        ("a: !env HOME\n", "yaml", "^x:1: a: the tag !env means nothing here"),
        ("a: !!set {b}\n", "yaml", "^x:1: a: the tag !!set means nothing here"),
        ("a: !!int x\n", "yaml", "^x:1: a: 'x' does not have the type that its tag !!int names"),
        ("a:\n- [b]: 1\n", "yaml", r"^x:2: a\[0\]: a key must be a name"),
        ("<<: 3\n", "yaml", "^x:1: << can only merge mappings"),
        ("a: 1\nb: \x07\n", "yaml", r"^x:2: the character U\+0007 is not allowed in YAML unescaped"),
        ("a: &b 1\nc: &b 2\n", "yaml", "^x:2: c: the anchor &b is defined twice"),
        ("a: &a\n  - *a\n", "yaml", r"^x:2: a\[0\]: the alias \*a is inside what it repeats"),
        ("a: &a\n  <<: *a\n", "yaml", r"^x:2: a: the alias \*a is inside what it repeats"),
        (BOMB, "yaml", "^x:7: more than 1,000,000 values, counting what aliases repeat"),
        (MERGE_BOMB, "yaml", "^x:7: more than 1,000,000 values, counting what aliases repeat"),
        ("a: '\\\n" + '"\n', "yaml", "^x:1: not valid YAML"),
        ('a:\n  "\\ud800": 1\n', "yaml", "^x:2: "),
        # JSON
        ('{"a": 1,\n "b": }', "json", r"^x:2: not valid JSON: Expecting value \(column 7\)"),
        ('{"a": 1,\n}', "json", "^x:2: not valid JSON: a comma before } is not allowed"),
        ("[1, // one\n 2]", "json", "^x:1: not valid JSON: JSON has no comments"),
        ('{"a":\n NaN}', "json", "^x:2: a: NaN is not a JSON number"),
        ("[1,\n -Infinity]", "json", r"^x:2: \[1\]: -Infinity is not a JSON number"),
        ('["\\ud800"]', "json", r"^x:1: \[0\]: half a surrogate pair is not a character"),
        ('{"a": {"\\ud800": 1}}', "json", "half a surrogate pair is not a character"),
        # TOML
        ("a = 1\nb = = 2\n", "toml", "^x:2: not valid TOML: Invalid value$"),
        ("a = 1\na = 2\n", "toml", "^x:2: not valid TOML: Cannot overwrite a value"),
        ("a = [1,\n", "toml", "^x:1: not valid TOML: "),
        # all
        ("[1,\n" + "9" * 5000 + "]", "json", r"^x:2: \[1\]: 99999999999999999999\.\.\. has too many digits"),
        ("- 1\n- " + "9" * 5000, "yaml", r"^x:2: \[1\]: 99999999999999999999\.\.\. has too many digits"),
        ("a = 1\nb = " + "9" * 5000, "toml", "^x:2: a number has too many digits"),
        ('{"a":\n 1e999}', "json", "^x:2: a: 1e999 is too large a number"),
        ("a:\n  b: -1e999", "yaml", "^x:2: a.b: -1e999 is too large a number"),
        ("a = 1\nb = 1e999", "toml", "^x:2: b: 1e999 is too large a number"),
    ],
)  # fmt: skip
def test_what_cant_be_read_is_refused_with_its_line(text, form, message):
    with pytest.raises(UsageError, match=message):
        read_text(text, form, "x")


NESTED = {
    "yaml": lambda depth: "x: 1\ny:\n " + "[" * depth + "]" * depth,
    "json": lambda depth: '{"x":\n1, "y":' + "[" * depth + "]" * depth + "}",
    "toml": lambda depth: "x = 1\ny = " + "[" * depth + "]" * depth,
}


@pytest.mark.parametrize("form", list(NESTED))
@pytest.mark.parametrize("depth", [MOST_DEPTH, 2_000, 100_000])
def test_what_is_nested_too_deeply_is_refused(form, depth):
    """A hundred thousand brackets ended the process by a signal: PyYAML's C code calls itself for each."""
    with pytest.raises(UsageError, match=f"^x(:[23])?: nested more than {MOST_DEPTH} levels deep"):
        read_text(NESTED[form](depth), form, "x")
    assert tree(NESTED[form](MOST_DEPTH - 1), form).value["x"].plain() == 1


@pytest.mark.parametrize("key", [".".join("a" * 3000) + " = 1", "[" + ".".join("a" * 3000) + "]"])
def test_long_dotted_keys_of_toml_are_refused(key):
    with pytest.raises(UsageError, match="levels deep"):
        read_text(key, "toml", "x")


@given(
    st.sampled_from(sorted(set(FORMS.values()))),
    st.text(st.characters(codec="utf-8") | st.sampled_from("[]{}:,-\n\t\"'#&*!|>%=. 01ea")),
)
@settings(max_examples=400, deadline=None)
def test_any_text_is_read_or_refused(form, text):
    """Nothing but UsageError comes out of it: no traceback for what somebody wrote."""
    try:
        node, _ = read_text(text, form, "x")
    except UsageError:
        return
    node.plain()
    if form != "yaml":
        {"json": json.loads, "toml": tomllib.loads}[form](text)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("a:\n- b: 1\n  c: 1\n  b: 2\n  b: 3\nd: 1\n", "yaml"),
        ('{"a":\n[{"b": 1,\n"c": 1,\n"b": 2,\n"b": 3}],\n"d": 1}', "json"),
    ],
)
def test_a_key_that_is_there_twice_is_told_and_the_rest_is_read(text, form):
    node, problems = read_text(text, form, "x")
    assert problems == [Problem(line, "a[0].b", "is given twice, first in line 2") for line in (4, 5)]
    assert node.value["d"].value == 1


# --- files ---


def test_a_file_is_read_whatever_its_newlines_and_mark(tmp_path):
    path = tmp_path / "a.YAML"
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    source = read_file(path, kind="a manifest")
    assert (source.form, source.name, source.text) == ("yaml", str(path), "a: 1\r\nb: 2\r\n")
    assert tree(source.text, source.form).value["b"].line == 2


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("a.txt", lambda path: path.touch(), "a manifest ends in .yaml, .yml, .json, .toml$"),
        ("a.yaml", lambda path: None, "can't be read: No such file or directory"),
        ("a.yaml", lambda path: path.mkdir(), "can't be read: Is a directory"),
        ("a.yaml", os.mkfifo, "can't be read: it is not a regular file"),
        ("a.yaml", lambda path: path.symlink_to("/dev/zero"), "can't be read: it is not a regular file"),
        ("a.yaml", lambda path: path.write_bytes(b"a: 1\nb: \xff\n"), r"a.yaml:2: is not UTF-8$"),
        ("a.yaml", lambda path: path.write_bytes("a: 1".encode("utf-16")), r"a.yaml:1: is not UTF-8$"),
        ("\0.yaml", lambda path: None, "can't be read: embedded null byte"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path, name, make, message):
    path = tmp_path / name
    make(path)
    with pytest.raises(UsageError, match=message):
        read_file(path, kind="a manifest")


def test_a_file_without_end_is_refused(tmp_path):
    path = tmp_path / "a.json"
    path.touch()
    os.truncate(path, MOST_BYTES + 1)
    with pytest.raises(UsageError, match="it has more than 256 MiB"):
        read_file(path, kind="a manifest")


# --- problems ---


def test_all_problems_are_told_once_in_the_order_of_their_lines():
    found = [
        Problem(7, "a.b", "is wrong"),
        Problem(None, "", "is empty"),
        Problem(3, "", "is odd"),
        Problem(7, "a.b", "is wrong"),
    ]
    with pytest.raises(UsageError) as caught:
        refuse("x.yaml", found, hint="look")
    assert (
        caught.value.message
        == "x.yaml has 3 errors:\nx.yaml: is empty\nx.yaml:3: is odd\nx.yaml:7: a.b: is wrong"
    )
    assert caught.value.hint == "look"
    with pytest.raises(UsageError, match=r"^x\.yaml:3: is odd$"):
        refuse("x.yaml", found[2:3])
    refuse("x.yaml", [])


def test_a_key_forges_no_line_of_ours_and_steers_no_terminal():
    _, problems = read_text('{"a\\nx:9: seed: \\u001b[31m": 1, "a\\nx:9: seed: \\u001b[31m": 2}', "json", "x")
    with pytest.raises(UsageError) as caught:
        refuse("x", problems)
    assert caught.value.message == r"x:1: a\nx:9: seed: \u001b[31m: is given twice, first in line 1"


def test_of_very_many_problems_the_first_are_shown():
    with pytest.raises(UsageError) as caught:
        refuse("x", [Problem(line, "", "is odd") for line in range(1, 1001)])
    assert caught.value.message.startswith("x has 1000 errors:\nx:1: ")
    assert len(caught.value.message.splitlines()) == 1 + MOST_SHOWN + 1
    assert caught.value.message.endswith(f"and {1000 - MOST_SHOWN} more")
