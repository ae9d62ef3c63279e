"""What can't be read, a text or a file, is refused with its line, and costs neither memory nor the process."""

from __future__ import annotations

import json
import os
import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from documents.problems import Problem
from documents.reading import FORMS, MOST_BYTES, read_file, read_text
from documents.tree import MOST_DEPTH, Node
from results.errors import UsageError


def tree(text: str, form) -> Node:
    node, problems = read_text(text, form, "x")
    assert problems == []
    return node


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
