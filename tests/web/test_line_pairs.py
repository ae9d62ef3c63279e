"""Two texts side by side: nothing is lost or swapped, and no text takes long."""

from __future__ import annotations

import itertools
import random

import pytest

from web.pages.answers import line_pairs as module
from web.pages.answers.line_pairs import Fold, LinePair, folded, line_pairs


def _hold(first: list[str], second: list[str]) -> tuple[LinePair, ...]:
    """Check what must be so for any two texts."""
    pairs = line_pairs(first, second)
    assert [pair.first for pair in pairs if pair.first is not None] == [*range(len(first))]
    assert [pair.second for pair in pairs if pair.second is not None] == [*range(len(second))]
    for pair in pairs:
        both = pair.first is not None and pair.second is not None
        if both and pair.same:
            assert first[pair.first] == second[pair.second]  # type: ignore[index]
        elif both:
            (a, b), (c, d) = pair.first_range, pair.second_range
            one, other = first[pair.first], second[pair.second]  # type: ignore[index]
            assert (a, b, c, d) == (0, 0, 0, 0) or (one[:a], one[b:]) == (other[:c], other[d:])
    return pairs


def test_any_two_texts_keep_all_lines_in_order() -> None:
    short = [[*each] for size in range(4) for each in itertools.product("ab", repeat=size)]
    for first, second in itertools.product(short, repeat=2):
        _hold(first, second)
    chosen = random.Random(7)
    for _ in range(200):
        first = [chosen.choice("abcdef") for _ in range(chosen.randrange(40))]
        second = [line for line in first if chosen.random() > 0.2] + [chosen.choice("xyz")]
        _hold(first, second)


def test_the_same_lines_stand_beside_each_other() -> None:
    pairs = _hold(["a", "old", "b", "c"], ["a", "b", "new", "c"])
    assert [(pair.first, pair.second, pair.same) for pair in pairs] == [
        (0, 0, True), (1, None, False), (2, 1, True), (None, 2, False), (3, 3, True),
    ]  # fmt: skip


def test_a_changed_line_says_where() -> None:
    (pair,) = _hold(["    return x + 1  # end"], ["    return x - 10  # end"])
    assert pair.first_range == (13, 16)
    assert pair.second_range == (13, 17)
    (pair,) = _hold(["nothing in common"], ["wholly other text"])
    assert pair.first_range == (0, 0)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (["x"] * 2000, ["y", *["x"] * 2000, "z"]),
        ([*"ab"] * 1000, [*"ba"] * 1000 + ["c"]),
        ([str(n % 100) for n in range(3000)], [str(n * 7 % 100) for n in range(3000)]),
        ([str(n) for n in range(2000)], [str(n) for n in reversed(range(2000))]),
    ],
)
def test_work_has_a_bound_and_the_pairs_are_right_all_the_same(
    first: list[str], second: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such texts took `SequenceMatcher` alone up to minutes."""
    monkeypatch.setattr(module, "MOST_WORK", 50_000)
    _hold(first, second)


def test_same_lines_fold_but_for_those_around_a_change() -> None:
    first = [f"line {n}" for n in range(30)]
    second = [*first]
    second[15] = "changed"
    rows = [*folded(line_pairs(first, second))]
    assert rows[0] == Fold(0, 0, 12)
    assert [row.first for row in rows[1:-1]] == [*range(12, 19)]
    assert rows[-1] == Fold(19, 19, 11)
    assert [*folded(line_pairs(first, first))] == [Fold(0, 0, 30)]
    assert [*folded(line_pairs([], []))] == []
    one = [*folded(line_pairs(first[11:], second[11:]))]
    assert isinstance(one[0], LinePair)  # a fold of one line would not save any
