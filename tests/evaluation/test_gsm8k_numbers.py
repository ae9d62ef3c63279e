"""The number of an answer: as it is stated, else the last one, however it is written."""

from __future__ import annotations

import time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.answers.numbers import FinalNumber, final_number, gold_number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("#### 18", "18"),
        ("so it is 18.\n####18", "18"),
        ("The answer is 18.", "18"),
        ("The final answer is 18", "18"),
        ("The final answer is $18.", "18"),
        ("The final answer is: **$1,234.50**", "1234.50"),
        ("The final answer is $\\boxed{1{,}234}$.", "1234"),
        ("\\boxed{\\$18}", "18"),
        ("the answer is -3.", "-3"),
        ("The answer is -$3.", "-3"),
        ("The answer is $-3", "-3"),
        ("The final answer is [18]", "18"),
        ("The answer is 25% of all, that is 100 apples", "25"),
        ("The answer is 12. No: the answer is 13.", "13"),
        ("THE ANSWER IS 7 dollars per 3 weeks", "7"),
        ("#### 18.0", "18"),
    ],
)
def test_a_stated_number_is_read_as_graders_of_gsm8k_do(text, number):
    assert final_number(text).strict == Decimal(number) == final_number(text).value


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("She has 3 left of 12.", "12"),
        ("10-5=5", "5"),
        ("10 - 5 = -5", "-5"),
        ("\u22125 degrees", "-5"),
        ("so 2,000 apples", "2000"),
        ("$ 18", "18"),
        ("about .5", "0.5"),
        ("1,2,3", "3"),
        ("**Total:** 4,125.25.", "4125.25"),
        ("The answer is 3 * 6 = 18", "18"),
        ("The final answer is 20 - 3 = 17.", "17"),
    ],
)
def test_where_none_is_stated_the_last_one_counts(text, number):
    found = final_number(text)
    assert found.strict is None
    assert found.value == found.flexible == Decimal(number)


@pytest.mark.parametrize("text", ["", "no idea", "x1", "#### none", "The answer is twelve.", "... , . -"])
def test_no_number_is_none(text):
    assert final_number(text) == FinalNumber(None, None)


def test_a_stated_number_counts_more_than_a_later_one():
    """Protects an answer with a remark behind it, which lm-eval's flexible extraction gets wrong."""
    found = final_number("The final answer is 18. (That took 3 steps.)")
    assert (found.strict, found.flexible, found.value) == (18, 3, 18)


@given(st.integers(-(10**12), 10**12))
def test_every_whole_number_is_read_back(number):
    for text in (f"#### {number}", f"#### {number:,}", f"The answer is {number}.", f"It is {number:,}.00"):
        assert final_number(text).value == number
    assert gold_number(f"reasons\n#### {number:,}") == number


@given(st.text())
def test_no_text_breaks_it(text):
    final_number(text)


def test_a_model_that_repeats_itself_for_ever_does_not_hold_the_grader_up():
    started = time.process_time()
    for text in ("answer is ", "(" * 5, "1,", "\\boxed{", "#### ", "-$", " \n"):
        final_number(text * 20_000)
    assert time.process_time() - started < 10  # where the time grows with the square, minutes


@pytest.mark.parametrize("answer", ["18", "#### ", "#### 18 apples", "#### none"])
def test_a_gold_answer_without_its_number_is_none(answer):
    assert gold_number(answer) is None
