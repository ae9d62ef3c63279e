"""The first bad one is found, with few tests, and disorder and gaps are said."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choosing.bisection import Verdict, bisect

GOOD, BAD, SKIPPED = Verdict.GOOD, Verdict.BAD, Verdict.SKIPPED
OF = {"g": GOOD, "b": BAD, "s": SKIPPED}


def found(text: str, known: str = ""):
    """text: a letter for each position; known: a letter or a dot."""
    tested: list[int] = []

    def test(position: int) -> Verdict:
        assert position not in tested
        tested.append(position)
        return OF[text[position]]

    said = {at: OF[letter] for at, letter in enumerate(known) if letter != "."}
    result = bisect(len(text), test, said)
    assert not set(tested) & said.keys()
    return result, tested


@pytest.mark.parametrize("count", [2, 3, 10, 100, 1000])
def test_it_takes_as_few_tests_as_halving_does(count):
    for turn in {1, count // 2 or 1, count - 1}:
        result, tested = found("g" * turn + "b" * (count - turn))
        assert (result.last_good, result.first_bad) == (turn - 1, turn)
        assert len(tested) <= math.ceil(math.log2(count)) + 2


def test_nothing_is_searched_where_the_last_one_is_good():
    result, tested = found("gbbg")
    assert (result.first_bad, tested) == (None, [3])


def test_all_are_bad():
    result, tested = found("bbbb")
    assert (result.last_good, result.first_bad, tested) == (None, 0, [3, 0])


def test_what_is_known_is_not_tested_again_and_shows_disorder():
    result, tested = found("gbgggbbb", known="gb.g....")
    assert (result.last_good, result.first_bad) == (4, 5)
    assert result.out_of_order == (1,)
    assert set(tested) <= {4, 5, 6, 7}
    calm, _ = found("ggbg", known="..b.")
    assert (calm.first_bad, calm.out_of_order) == (None, (2,))


def test_what_cannot_be_tested_is_named_where_it_may_be_the_first_bad_one():
    result, _ = found("ggsssbb")
    assert (result.last_good, result.first_bad, result.between) == (1, 5, (2, 3, 4))
    last, _ = found("gbss")
    assert (last.last_good, last.first_bad) == (0, 1)
    assert found("sss")[0].first_bad is None
    assert found("ssb")[0].first_bad == 2


def test_an_empty_sequence_is_refused():
    with pytest.raises(ValueError, match="nothing"):
        bisect(0, lambda _: GOOD)


@given(st.text("gbs", min_size=1, max_size=30))
def test_whatever_the_order_a_turn_that_is_named_is_one(text):
    result, _ = found(text)
    if result.first_bad is None:
        return
    assert text[result.first_bad] == "b"
    if result.last_good is not None:
        assert text[result.last_good] == "g"
        assert set(text[result.last_good + 1 : result.first_bad]) <= {"s"}
        assert result.between == tuple(range(result.last_good + 1, result.first_bad))
