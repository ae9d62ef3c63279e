"""A choice by likelihood: what lm-eval makes of the same log-probabilities, ties and several right ones included."""

from __future__ import annotations

import math

import pytest

from evaluation.likelihood.choice_metrics import CHOICE_METRICS, choice_metrics
from evaluation.protocols import PromptStyle, Sample
from evaluation.suites.format import ChoiceAnswer
from evaluation.suites.kinds import kind_of
from evaluation.suites.template_rules import TemplateProblem
from results.scores.scored_continuation import ScoredContinuation

CHOICES = ("a long ending", "short", "größer")


@pytest.mark.parametrize(
    ("logprobs", "right", "expected"),
    [
        ([-13.0, -6.0, -7.0], {1}, {"acc": 1, "acc_norm": 0, "acc_bytes": 0}),  # -1, -1.2, -1.17 or -0.875
        ([-13.0, -6.0, -7.0], {0}, {"acc": 0, "acc_norm": 1, "acc_bytes": 0}),
        ([-13.0, -6.0, -7.0], {2}, {"acc": 0, "acc_norm": 0, "acc_bytes": 1}),
        ([-6.0, -6.0, -6.0], {0}, {"acc": 1, "acc_norm": 1, "acc_bytes": 1}),  # of equals the first
        ([-6.0, -6.0, -6.0], {1, 2}, {"acc": 0, "acc_norm": 0, "acc_bytes": 0}),
        ([-9.0, -6.0, -7.0], {0, 1}, {"acc": 1, "acc_norm": 1, "acc_bytes": 1}),
    ],
)
def test_the_likeliest_of_all_or_for_its_length(logprobs, right, expected):
    found = choice_metrics(logprobs, CHOICES, right)
    assert {name: found[name] for name in expected} == expected
    assert set(found) == set(CHOICE_METRICS)


def test_mc2_is_the_share_of_the_right_ones_in_all():
    logprobs = [math.log(0.2), math.log(0.1), math.log(0.1)]
    assert choice_metrics(logprobs, CHOICES, {0, 2})["mc2"] == pytest.approx(0.75)
    assert choice_metrics([-2000.0, -2001.0, -2002.0], CHOICES, {0})["mc2"] == pytest.approx(0.66524096)
    assert choice_metrics([-1.0] * 3, CHOICES, {0, 1, 2})["mc2"] == 1.0


def kind(*, likelihoods=True, choices="options", correct="label"):
    return kind_of(ChoiceAnswer(choices=choices, correct=correct), likelihoods=likelihoods)


ROW = {"options": ["Paris", "London "], "label": [0, 1]}


def test_choices_continue_the_prompt_behind_the_separator_and_begin_a_turn_without_it():
    gold = kind().gold(ROW, PromptStyle.COMPLETION, " ")
    assert gold.continuations == (" Paris", " London ")
    assert (gold.expected, gold.target, gold.letters, gold.shown) == ("London", "London ", (), "")
    assert kind().gold(ROW, PromptStyle.CHAT, " ").continuations == ("Paris", "London ")


def test_scores_say_the_text_of_the_likeliest():
    gold = kind().gold(ROW, PromptStyle.COMPLETION, " ")
    sample = Sample(task_id="t", data={"choices": gold.choices, **gold.data}, expected=gold.expected)
    scored = [ScoredContinuation(-1.0, 1, True), ScoredContinuation(-2.0, 1, False)]
    reading = kind().read_scored(scored, sample)
    assert reading.value == "Paris"
    assert reading.detail == "'Paris' is likelier than 'London'"
    assert reading.metrics["acc"] == 0
    assert reading.metrics["mc2"] == pytest.approx(1 / (1 + math.e))
    assert kind().read_scored(scored[::-1], sample).metrics["acc"] == 1


def test_choices_have_letters_where_no_server_tells_likelihoods():
    gold = kind(likelihoods=False).gold(ROW, PromptStyle.CHAT, " ")
    assert gold.continuations == ()
    assert gold.letters == ("A", "B")
    assert "A. Paris\nB. London\n" in gold.shown


@pytest.mark.parametrize("label", [[0, 0], [1], 7, "Rome"])
def test_what_is_right_must_be_a_choice(label):
    with pytest.raises(TemplateProblem):
        kind().gold({**ROW, "label": label}, PromptStyle.COMPLETION, " ")
