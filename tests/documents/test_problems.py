"""All that is wrong is told at once, in the order of its lines, whatever is in it."""

from __future__ import annotations

import pytest

from documents.problems import MOST_SHOWN, Problem, refuse
from documents.reading import read_text
from results.errors import UsageError


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
