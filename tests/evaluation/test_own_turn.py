"""A turn ends where the model's ends, and nothing that only looks like its end cuts an answer."""

from __future__ import annotations

import pytest

from evaluation.answers.letters import chosen_letter
from evaluation.answers.turns import own_turn, without_ends


@pytest.mark.parametrize(
    "text",
    [
        "Struck out: <s>old</s> <s>new</s>, as in HTML.",
        "def f():\n    return '<s>a</s><s>b</s>'\n",
        "tokens = 'hello<eos><bos>world'",
    ],
)
def test_tags_that_mean_something_else_end_no_turn(text):
    assert own_turn(text) == text


@pytest.mark.parametrize(
    "ends", ["</s><s>[INST] And then?", "</s> <s> [INST] And then?", "<eos><bos><start_of_turn>user\nAnd"]
)
def test_what_its_user_says_next_is_not_its_own(ends):
    assert own_turn(f"It is 18.{ends}") == "It is 18."


def test_words_in_such_marks_end_no_turn():
    assert without_ends("It prints <|not a token. really|>") == "It prints <|not a token. really|>"
    assert without_ends("It is 18.<|im_end|>") == "It is 18."


def test_an_answer_of_two_letters_is_none_whatever_is_bold():
    assert (
        chosen_letter("A) one\n**B)** two\nC) three\nD) four\n\nThe answer is (B) and (D).", "ABCD") is None
    )
