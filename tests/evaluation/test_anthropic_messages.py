"""Anthropic's form of prompts and answers, and OpenAI's: nothing is lost between the two."""

import json
from pathlib import Path

import pytest

from evaluation.answers.endings import Ending, ending_of
from evaluation.models.adapters.anthropic_messages import (
    in_openais_form,
    sent_prompt,
    sent_stops,
    sent_tools,
    thinking_of,
    turn_with_calls,
)
from evaluation.models.replies import NotAnAnswer, read_answer
from evaluation.protocols import PromptStyle
from results.messages import Message, ToolCall

REPLIES = Path(__file__).parent / "fixtures" / "anthropic"


def answer_to(name):
    raw = (REPLIES / f"{name}.json").read_bytes()
    return read_answer(in_openais_form(raw), PromptStyle.CHAT, 1.0)


def test_an_answers_texts_are_one_and_tokens_of_the_cache_are_read_tokens():
    answer = answer_to("text")
    assert (answer.text, answer.reasoning, answer.error) == ("The sum is 4.", "", "")
    assert (answer.prompt_tokens, answer.completion_tokens) == (1321, 8)


def test_thoughts_are_no_part_of_the_answer():
    answer = answer_to("thinking")
    assert answer.text == "4"
    assert answer.reasoning == "Two and two. That is four."
    assert (answer.completion_tokens, answer.reasoning_tokens) == (1200, 1196)


def test_calls_are_read_with_their_arguments_as_json():
    answer = answer_to("tool_use")
    assert answer.text == "I look at both."
    assert answer.tool_calls == (
        ToolCall(id="toolu_01", name="get_weather", arguments='{"city": "Zürich"}'),
        ToolCall(id="toolu_02", name="get_weather", arguments="{}"),
    )


@pytest.mark.parametrize(
    ("name", "ending"),
    [
        ("text", Ending.OWN),
        ("tool_use", Ending.OWN),
        ("stop_sequence", Ending.OWN),
        ("max_tokens", Ending.LIMIT),
        ("refusal", Ending.FILTER),
        ("context", Ending.CONTEXT),
    ],
)
def test_how_an_answer_ended_is_known(name, ending):
    assert ending_of(answer_to(name).finish_reason) is ending


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"type": "message"}',
        b'{"type": "message", "content": "text"}',
        b'{"type": "message", "content": ["text"]}',
        b'{"type": "completion", "content": [], "completion": "x"}',
        b'{"type": "error", "error": {"type": "api_error", "message": "no"}}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_answer_is_not_made_one(body):
    assert in_openais_form(body) == body
    with pytest.raises(NotAnAnswer):
        read_answer(body, PromptStyle.CHAT, 1.0)


@pytest.mark.parametrize(
    "block",
    [
        {"type": "text"},
        {"type": "text", "text": 3},
        {"type": "thinking", "thinking": None},
        {"type": "tool_use"},
        {"type": "server_tool_use", "id": "x"},
        {},
        {"type": ["text"]},
    ],
)
def test_odd_blocks_are_passed_over(block):
    body = {
        "type": "message",
        "content": [block, {"type": "text", "text": "4"}],
        "usage": {"input_tokens": "?"},
    }
    answer = read_answer(in_openais_form(json.dumps(body).encode()), PromptStyle.CHAT, 1.0)
    assert answer.text == "4"
    assert answer.prompt_tokens is None


CALLS = (
    ToolCall(id="toolu_01", name="get_weather", arguments='{"city": "Zürich"}'),
    ToolCall(id="b", name="f", arguments="["),
)
TALK = (
    Message("system", "Be short."),
    Message("user", "How is the weather?"),
    Message("assistant", "I look.", tool_calls=CALLS),
    Message("tool", "sunny", tool_call_id="toolu_01"),
    Message("tool", "no such tool", tool_call_id="b"),
    Message("user", "And now?"),
)


def test_the_system_text_stands_apart_and_results_of_one_turn_together():
    assert sent_prompt(TALK, {}) == {
        "system": "Be short.",
        "messages": [
            {"role": "user", "content": "How is the weather?"},
            {
                "role": "assistant",
                "content": [
                    {"type": "text", "text": "I look."},
                    {
                        "type": "tool_use",
                        "id": "toolu_01",
                        "name": "get_weather",
                        "input": {"city": "Zürich"},
                    },
                    {"type": "tool_use", "id": "b", "name": "f", "input": {}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "toolu_01", "content": "sunny"},
                    {"type": "tool_result", "tool_use_id": "b", "content": "no such tool"},
                    {"type": "text", "text": "And now?"},
                ],
            },
        ],
    }


def test_a_turn_with_calls_goes_back_as_it_came():
    """Its thoughts are signed, and refused where they are missing."""
    raw = (REPLIES / "tool_use.json").read_bytes()
    name, blocks = turn_with_calls(raw)
    assert name == "toolu_01"
    answer = answer_to("tool_use")
    turn = Message("assistant", answer.text, tool_calls=answer.tool_calls)
    assert sent_prompt((turn,), {name: blocks})["messages"] == [
        {"role": "assistant", "content": json.loads(raw)["content"]}
    ]
    (another,) = sent_prompt((TALK[2],), {name: blocks})["messages"]
    assert [block["type"] for block in another["content"]] == ["text", "tool_use", "tool_use"]
    assert turn_with_calls((REPLIES / "text.json").read_bytes()) is None
    assert turn_with_calls(b"{") is None


def test_a_plain_prompt_is_plain():
    assert sent_prompt((Message("user", "2 + 2?"),), {}) == {
        "messages": [{"role": "user", "content": "2 + 2?"}]
    }


def test_tools_have_their_schema_under_its_name():
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    tools = [
        {"type": "function", "function": {"name": "get", "description": "Get it.", "parameters": schema}},
        {"type": "function", "function": {"name": "now"}},
    ]
    assert sent_tools(tools) == [
        {"name": "get", "description": "Get it.", "input_schema": schema},
        {"name": "now", "input_schema": {"type": "object", "properties": {}}},
    ]


def test_stops_of_blanks_are_not_sent():
    assert sent_stops(("\n\n", "\nclass", " ", "Q:")) == ["\nclass", "Q:"]


@pytest.mark.parametrize(
    ("budget", "effort", "expected"),
    [
        (None, None, None),
        (0, None, {"type": "disabled"}),
        (None, "none", {"type": "disabled"}),
        (2048, None, {"type": "enabled", "budget_tokens": 2048}),
        (2048, "high", {"type": "enabled", "budget_tokens": 2048}),
        (None, "high", {"type": "adaptive"}),
    ],
)
def test_thinking_is_asked_for_in_its_words(budget, effort, expected):
    assert thinking_of(budget, effort) == expected
