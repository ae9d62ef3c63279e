"""What is a right answer, by LiveCodeBench's rules."""

from __future__ import annotations

import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.benchmarks.lcb.checker import difference, result_difference

SAME = [
    ("3\n", "3"),
    ("  3  \n\n", "3\n"),
    ("1 2\n3 4\n", "1 2 \n 3 4"),
    ("1.0", "1"),
    ("1e3", "1000.00"),
    ("1   2", "1 2.0"),
    ("+7 -0", "7 0"),
    ("50000000000000000.0", "50000000000000000"),
    ("yes\r\nno\r\n", "yes\nno"),
    ("", ""),
    ("\n \n", ""),
]
OTHER = [
    ("3", "4", "line 1 is '3' instead of '4'"),
    ("1\n2", "1\n3", "line 2 is '2' instead of '3'"),
    ("1 2", "1\n2", "1 line instead of 2"),
    ("1\n\n2", "1\n2", "3 lines instead of 2"),
    ("Yes", "yes", "'Yes' instead of 'yes'"),
    ("50000000000000001", "50000000000000000", "line 1"),  # no float can tell these two
    ("0.1000000000000000055", "0.1", "line 1"),
    ("0.3333", "0.33333", "line 1"),
    ("a  b", "a b", "line 1"),  # blanks count among words, not among numbers
    ("1 2 3", "1 2", "line 1"),
    ("nan", "NaN", "line 1"),
    ("sNaN", "1", "line 1"),
    ("", "0", "line 1 is '' instead of '0'"),
    ("[1, 2]", "1 2", "line 1"),
]


@pytest.mark.parametrize(("printed", "expected"), SAME)
def test_blanks_at_the_ends_and_the_writing_of_numbers_do_not_count(printed, expected):
    assert difference(printed, expected) == ""


@pytest.mark.parametrize(("printed", "expected", "why"), OTHER)
def test_anything_else_counts_and_is_told(printed, expected, why):
    assert why in difference(printed, expected)


@pytest.mark.parametrize(
    ("returned", "expected"),
    [
        ("3", "3"),
        ("3.0", "3"),
        ("true", "1"),
        ("[1, 2]", "[1, 2]"),
        ('{"tuple": [1, [2]]}', "[1, [2]]"),
        ('{"dict": [["b", 2], ["a", 1]]}', '{"a": 1, "b": 2}'),
        ("null", "null"),
        ('"x"', '"x"'),
    ],
)
def test_returned_values_are_compared_as_python_does(returned, expected):
    assert result_difference(returned, expected) == ""


@pytest.mark.parametrize(
    ("returned", "expected"),
    [
        ("3", '"3"'),
        ("[1, 2]", "[2, 1]"),
        ('[{"tuple": [1]}]', "[[1]]"),
        ("null", "[]"),
        ("NaN", "NaN"),
        ('{"other": "generator"}', "[]"),
        ("0.30000000000000004", "0.3"),
        ('{"dict": []}', "[]"),
        ("", "0"),
        ("3 4", "3"),
    ],
)
def test_other_values_are_wrong(returned, expected):
    assert result_difference(returned, expected)


@pytest.mark.parametrize(
    "returned",
    [
        "[" * 100_000,
        '{"dict": 5}',
        '{"dict": [[[1], 2, 3]]}',
        '{"tuple": null}',
        "{}",
        '{"dict": [[1]]}',
        "9" * 9999,
        "\0",
    ],
)
def test_nonsense_on_the_channel_is_a_wrong_answer_and_nothing_worse(returned):
    """A solution may write there what it likes."""
    assert result_difference(returned, "1") == "its return value could not be read"


def test_a_dict_of_numbers_is_told_without_being_made():
    """All these have one hash: to put them into a dict would take hours."""
    pairs = [[number * sys.hash_info.modulus, 0] for number in range(100_000)]
    assert result_difference(json.dumps({"dict": pairs}), '{"a": 1}').startswith(
        "it returned a dict with keys"
    )


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=9))
def test_what_json_can_say_is_equal_to_itself(value):
    assert result_difference(json.dumps(value), json.dumps(value)) == ""


@given(st.text(), st.text())
def test_any_text_is_compared(one, other):
    assert difference(one, one) == ""
    assert isinstance(difference(one, other), str)


def test_what_is_told_stays_short():
    assert len(difference("x" * 10_000_000, "y" * 10_000_000)) < 200
    assert len(result_difference(json.dumps("x" * 100_000), json.dumps("y" * 100_000))) < 200
