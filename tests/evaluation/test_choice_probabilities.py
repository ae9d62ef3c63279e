"""Multiple choice by what the server tells of the first token, and by an answer where it tells nothing of use."""

from __future__ import annotations

import asyncio
import json
import math

import pytest

from evaluation.models.choice_logprobs import choice_probabilities, first_token
from evaluation.models.connection import build_connection_info
from evaluation.models.providers import get_interface_for_provider
from evaluation.protocols import PromptStyle, Request
from tests.evaluation.reference import MMLU, reference_server, rows
from tests.evaluation.running_servers import OPENER

LETTERS = ("A", "B", "C", "D")
CHAT, COMPLETION = PromptStyle.CHAT, PromptStyle.COMPLETION


def test_variants_of_a_token_are_added_and_the_rest_is_left_out():
    likely = {"A": 0.2, " A": 0.3, "B": 0.4, "The": 0.1, "a": 0.01}
    assert choice_probabilities(likely, LETTERS, CHAT) == {"A": 0.5, "B": 0.4}


def test_in_chat_choices_that_are_very_unlikely_tell_nothing():
    """Protects a model that thinks first: the letters behind its `Okay` are noise."""
    likely = {"Okay": 0.95, "A": 0.03, "B": 0.02}
    assert choice_probabilities(likely, LETTERS, CHAT) == {}
    assert choice_probabilities(likely, LETTERS, COMPLETION) == {"A": 0.03, "B": 0.02}
    assert choice_probabilities({"Okay": 0.9}, LETTERS, COMPLETION) == {}


def test_of_two_equally_likely_choices_the_first_is_taken_whatever_the_order_of_the_server():
    assert list(choice_probabilities({"D": 0.5, "B": 0.5}, LETTERS, CHAT)) == ["B", "D"]


@pytest.mark.parametrize(
    "logprobs",
    [
        {
            "content": [
                {"token": "A", "logprob": -0.5, "top_logprobs": [{"token": "A", "logprob": math.log(0.5)}]}
            ]
        },
        {"tokens": ["A"], "token_logprobs": [-0.5], "top_logprobs": [{"A": math.log(0.5)}]},
    ],
)
def test_both_shapes_of_log_probabilities_are_read(logprobs):
    raw = json.dumps({"choices": [{"text": "A", "logprobs": logprobs}]}).encode()
    assert first_token(raw) == {"A": pytest.approx(0.5)}


@pytest.mark.parametrize(
    "logprobs", [None, {}, {"tokens": ["A"], "token_logprobs": [-1.0], "top_logprobs": None}]
)
def test_a_server_that_tells_none_is_told_from_one_with_an_empty_answer(logprobs):
    assert first_token(json.dumps({"choices": [{"text": "A", "logprobs": logprobs}]}).encode()) is None
    assert first_token(b'{"choices": [{"text": "", "logprobs": {"content": []}}]}') == {}
    assert first_token(b'{"choices": [{"text": "", "logprobs": {"top_logprobs": []}}]}') == {}


@pytest.mark.parametrize(
    "raw", [b"", b"{}", b"[]", b'{"choices": [{"logprobs": {"content": [{}]}}]}', b"\xff"]
)
def test_nonsense_is_no_answer(raw):
    with pytest.raises(ValueError):
        first_token(raw)


def ask(url, style, *, count=1):
    row = rows(MMLU)[0]
    request = Request(
        task_id="t", index=0, style=style, system="", user=f"{row['question']}\nAnswer:", stop=("\n",),
        choices=LETTERS,
    )  # fmt: skip

    async def main():
        info = build_connection_info("local", {"base_url": url, "model": "m"})
        async with get_interface_for_provider(info) as interface:
            return [await interface.generate(request) for _ in range(count)]

    return asyncio.run(main())


def posts(url):
    with OPENER.open(url + "/posts") as response:
        return json.load(response)


@pytest.mark.parametrize("style", [CHAT, COMPLETION])
@pytest.mark.parametrize("shape", ["list", "map"])
def test_one_token_decides_where_the_server_tells_its_probabilities(style, shape):
    """The right letter is likeliest only when its variants are added, so that this fails without."""
    with reference_server("--logprobs", shape) as url:
        (answer,) = ask(url, style)
        assert posts(url) == {"posts": 1, "with_logprobs": 1}
    assert (answer.text, answer.finish_reason, answer.completion_tokens) == ("B", "choice", 1)
    assert answer.choice_probabilities == {"A": pytest.approx(0.35), "B": pytest.approx(0.6)}


@pytest.mark.parametrize("style", [CHAT, COMPLETION])
@pytest.mark.parametrize(
    ("shape", "asked"), [("null", 1), ("refused", 1), ("others", 2)]
)  # without or refused: never again; with others: the next question may be another matter
def test_else_an_answer_is_generated(style, shape, asked):
    with reference_server("--logprobs", shape) as url:
        answers = ask(url, style, count=2)
        assert posts(url)["with_logprobs"] == asked
    assert {(answer.text, answer.finish_reason) for answer in answers} == {("The answer is (B).", "stop")}
    assert [answer.choice_probabilities for answer in answers] == [{}, {}]


@pytest.mark.parametrize("shape", ["thinking", "raw-thinking", "unlikely"])
def test_the_first_token_of_a_thought_decides_nothing(shape):
    with reference_server("--logprobs", shape) as url:
        (answer,) = ask(url, CHAT)
    assert answer.text.endswith("The answer is (B).")
    assert answer.choice_probabilities == {}
