# ruff: noqa: E501 - tables of cases
"""When an argument is what a scenario expects."""

from __future__ import annotations

import pytest

from evaluation.benchmarks.tools.values import assigned, difference, stands_in


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, 3.0), (3.0, 3), (-0.0, 0), (True, True), (None, None), ("Oslo", " OSLO. "), ("a  b\n", "A b"),
        ("it\u2019s", "it's"), ("\uff21\uff22", "ab"), ([1, [2]], [1.0, [2]]), ({"a": {"b": 1}}, {"a": {"b": 1}}),
        ("x", {"$any": True}), ("b", {"$one_of": ["a", "b"]}), ("A/b", {"$exact": "A/b"}),
        ("In Oslo, Norway", {"$contains": ["norway", "oslo"]}), ([2, 1], {"$unordered": [1, 2]}),
        (["ab", "a"], {"$unordered": [{"$contains": ["a"]}, {"$contains": ["b"]}]}),
        (21.4, {"$near": [21.5, 0.1]}), ({}, {"a": {"$optional": 1}}), ({"a": 1}, {"a": {"$optional": 1}}),
        ([], []), ({}, {}), (10**400, {"$any": True}),
    ],
)  # fmt: skip
def test_it_is(value, expected):
    assert difference(value, expected) == ""


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, "3"), ("3", 3), (True, 1), (1, True), (0, False), (None, ""), ("", None), ("Oslo", "Bergen"), ([1, 2], [2, 1]),
        ([1], [1, 1]), ([1, 1], [1]), ({"a": 1}, {}), ({}, {"a": 1}), ({"a": 1, "b": 2}, {"a": 1}), (1, [1]), ("a", {"a": 1}),
        ("c", {"$one_of": ["a", "b"]}), ("a/b", {"$exact": "A/b"}), ("Oslo", {"$contains": ["norway"]}),
        (5, {"$contains": ["5"]}), ([1, 1], {"$unordered": [1, 2]}), ("12", {"$unordered": [1, 2]}),
        (21.39, {"$near": [21.5, 0.1]}), ("21.5", {"$near": [21.5, 0.1]}), (True, {"$near": [1, 0.1]}),
        ({"a": 2}, {"a": {"$optional": 1}}), (10**400, {"$near": [1, 1]}), (10**400, 1.5), ("x" * 10**6, "x"),
    ],
)  # fmt: skip
def test_it_is_not_and_the_reason_is_a_short_line(value, expected):
    why = difference(value, expected, "a")
    assert why
    assert len(why) < 400
    assert "\n" not in why


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ("7", "It is 7 degrees."), ("-7", "-7\u00b0C"), ("-7", "\u22127 degrees"), ("7", "5-7 days"), ("7", "B-7"), ("7", "- 7"), ("1750", "1,750 euros"), ("1,750", "1750."), ("320.5", "320.50 EUR"),
        ("heron", "The word is HERON!"), ("7", "7.0"), ("it's", "It\u2019s so"), ("12", "=12"), ("1750", "so 1,200, 1,750.00"),
        ("5", "1, 2, 5"), ("5", "(5)"), ("B12", "room b12"),
        ("20%", "20%"), ("20%", "15%, 20%."), ("8:30", "7:30,8:30"), ("8:30", "from 8:30-9:30"), ("9:30", "8:30-9:30"),
        ("$5", "$5.00"), ("$5", "$5."), ("$5", "($5)"), ("$1,750", "$1,750.00"), ("5 km", "15 km, then 5 km"),
    ],
)  # fmt: skip
def test_a_text_says_it(part, text):
    assert stands_in(part, text)


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ("7", "17"),
        ("7", "72"),
        ("7", "7.5"),
        ("750", "1,750"),
        ("750", "1.750"),
        ("ab", "a b"),
        ("7", "9" * 10**5),
        ("5", "-5"),
        ("5", "it is \u22125"),
        ("-5", "5"),
        ("-5", "-50"),
        ("-5", "3-5"),
        ("20%", "120%"),
        ("20%", "-20%"),
        ("20%", "3.20%"),
        ("8:30", "18:30"),
        ("8:30", "8:300"),
        ("$5", "$50"),
        ("$5", "$5.05"),
        ("$5", "$5,000"),
        ("750 euros", "1,750 euros"),
        ("B12", "B123"),
    ],
)
def test_a_text_does_not_say_it(part, text):
    assert not stands_in(part, text)


def test_each_gets_one_of_its_own_where_that_is_possible():
    fits = lambda one, other: other in one  # noqa: E731
    assert assigned(["ab", "a"], ["a", "b"], fits) == [1, 0]
    assert assigned(["a", "a"], ["a", "b"], fits) is None
    assert assigned([], ["a"], fits) == []
