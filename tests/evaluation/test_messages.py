# ruff: noqa: E501 - tables of cases
"""What was said and what was thought is found in every shape that servers give a message."""

from __future__ import annotations

import json
import re

import pytest

from evaluation.models.failures import NotFound, Refused, TooLong, Transient, require_answer
from evaluation.models.messages import read_message
from evaluation.models.replies import NotAnAnswer, error_status, read_answer
from evaluation.protocols import PromptStyle
from results.errors import ServerError

SHAPES = {
    "plain": {"content": "4"},
    "a text": "4",
    "one part": {"content": {"type": "text", "text": "4"}},
    "parts": {"content": [{"type": "text", "text": "4"}]},
    "texts": {"content": ["4"]},
    "several parts": {"content": [{"type": "text", "text": "4"}, {"type": "text", "text": ""}]},
    "OpenAI's responses": {"content": [{"type": "output_text", "text": "4", "annotations": []}]},
    "a value": {"content": [{"type": "text", "text": {"value": "4", "annotations": []}}]},
    "a message in a message": {"content": [{"type": "message", "content": [{"type": "text", "text": "4"}]}]},
    "a refusal": {"content": None, "refusal": "4"},
    "a part that refuses": {"content": [{"type": "refusal", "refusal": "4"}]},
    "with a tool": {
        "content": [{"type": "text", "text": "4"}, {"type": "tool_use", "name": "x", "input": {}}]
    },
    "with a picture": {
        "content": [{"type": "image_url", "image_url": {"url": "data:"}}, {"type": "text", "text": "4"}]
    },
}
THOUGHTS = {
    "llama-server, SGLang, DeepSeek": {"reasoning_content": "2 + 2"},
    "vLLM": {"reasoning": "2 + 2", "reasoning_content": None},
    "Ollama": {"thinking": "2 + 2"},
    "GitHub": {"reasoning_text": "2 + 2"},
    "a summary beside": {"reasoning_summary": "2 + 2"},
    "proxies": {"thoughts": "2 + 2", "thinking_content": None},
    "one thought": {"thought": "2 + 2"},
    "OpenRouter": {
        "reasoning": None,
        "reasoning_details": [{"type": "reasoning.text", "text": "2 + 2", "signature": "x"}],
    },
    "a summary": {"reasoning_details": [{"type": "reasoning.summary", "summary": "2 + 2"}]},
    "LiteLLM": {"thinking_blocks": [{"type": "thinking", "thinking": "2 + 2", "signature": "x"}]},
}
PARTS = {
    "Mistral": [{"type": "thinking", "thinking": [{"type": "text", "text": "2 + 2"}]}],
    "Anthropic": [{"type": "thinking", "thinking": "2 + 2", "signature": "x"}],
    "Kimi": [{"type": "think", "think": "2 + 2"}],
    "reasoning": [{"type": "reasoning", "reasoning": "2 + 2"}],
    "reasoning as text": [{"type": "reasoning", "text": "2 + 2"}],
    "reasoning in parts": [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "2 + 2"}]}],
    "nested": [{"type": "reasoning", "content": [{"type": "reasoning_text", "text": "2 + 2"}]}],
    "Gemini": [{"text": "2 + 2", "thought": True}],
    "split": [{"type": "thinking", "thinking": "2 "}, {"type": "redacted_thinking", "data": "x"}, {"type": "thinking", "thinking": "+ 2"}],
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_the_text_is_found(shape):
    assert read_message(SHAPES[shape]) == ("4", "")


@pytest.mark.parametrize("shape", THOUGHTS)
def test_a_thought_in_a_field_is_found(shape):
    assert read_message({"content": "4", **THOUGHTS[shape]}) == ("4", "2 + 2")


@pytest.mark.parametrize("shape", PARTS)
def test_a_thought_among_the_parts_is_found(shape):
    assert read_message({"content": [*PARTS[shape], {"type": "text", "text": "4"}]}) == ("4", "2 + 2")
    assert read_message({"content": PARTS[shape]}) == ("", "2 + 2")


def answer(choice, style=PromptStyle.CHAT, **body):
    return read_answer(json.dumps({"choices": [choice], **body}).encode(), style, 1.0)


def test_an_answer_in_the_shape_of_the_other_style_or_of_a_stream_is_read():
    assert answer({"text": "4"}).text == "4"
    assert answer({"delta": {"content": "4"}}).text == "4"
    assert answer({"message": {"content": "4"}}, PromptStyle.COMPLETION).text == "4"
    assert answer({"text": "4", "reasoning": "2 + 2"}, PromptStyle.COMPLETION).reasoning == "2 + 2"


@pytest.mark.parametrize(
    ("choice", "body", "reason"),
    [
        ({"finish_reason": "stop"}, {}, "stop"),
        ({"finish_reason": None}, {}, ""),
        ({"finish_reason": {"type": "length", "length": 64}}, {}, "length"),
        ({"finish_reason": None, "native_finish_reason": "MAX_TOKENS"}, {}, "MAX_TOKENS"),
        ({"finish_reason": "length"}, {"stats": {"stop_reason": "contextLengthReached"}}, "contextLengthReached"),
        ({"finish_reason": "stop"}, {"stats": {"stop_reason": "eosFound"}}, "stop"),
        ({"finish_reason": ["stop"]}, {"stats": 1}, ""),
    ],
)  # fmt: skip
def test_the_reason_of_the_end_is_found(choice, body, reason):
    assert answer({"message": {"content": "4"}, **choice}, **body).finish_reason == reason


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ({"finish_reason": "abort", "message": {"content": "de"}}, "(abort)"),
        ({"finish_reason": "error", "message": None}, "(error)"),
        ({"finish_reason": {"type": "abort", "message": "out of memory"}, "message": {"content": ""}}, "(abort): out of memory"),
        ({"finish_reason": "error", "error": {"code": 502, "message": "bad gateway"}, "message": {"content": "de"}}, "(error): bad gateway"),
        ({"finish_reason": None, "error": {"message": "bad gateway"}}, "(error): bad gateway"),
    ],
)  # fmt: skip
def test_an_answer_that_was_broken_off_is_an_error(choice, said):
    found = answer(choice)
    assert found.error == f"the server broke off the answer {said}"
    assert found.text == ((choice["message"] or {}).get("content", "") if "message" in choice else "")


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        ({"prompt_tokens": 112, "completion_tokens": 400, "total_tokens": 512}, (400, 400, None)),
        ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 75}, (5, 65, None)),  # xAI
        ({"completion_tokens": 5, "completion_tokens_details": {"reasoning_tokens": 60}}, (5, 60, 60)),
        ({"completion_tokens": 64.0, "total_tokens": "x", "completion_tokens_details": []}, (64, 64, None)),
        ({"total_tokens": 75}, (None, None, None)),
        (None, (None, None, None)),
    ],
)
def test_all_that_the_model_wrote_is_counted(usage, counts):
    found = answer({"message": {"content": "4"}}, usage=usage)
    assert (found.completion_tokens, found.generated_tokens, found.reasoning_tokens) == counts


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"error": "Unexpected endpoint or method. (GET /props)"}, 500),
        ({"error": {"code": 429, "message": "too many"}}, 429),
        ({"error": {"code": "invalid_api_key", "status": 401}}, 401),
        ({"error": {"code": 7}}, 500),
        ({"error": None, "x": 1}, None),
        ({"choices": [{"message": {"content": "4"}}], "error": None}, None),
        ([{"error": 1}], None),
    ],
)
def test_an_error_that_came_as_an_answer_is_understood(body, status):
    assert error_status(json.dumps(body).encode()) == status


@pytest.mark.parametrize(
    ("status", "message", "error"),
    [
        (400, "Your credit balance is too low to access the Anthropic API.", ServerError),
        (402, "Insufficient credits", ServerError),
        (400, "prompt is too long: 210000 tokens > 200000 maximum", TooLong),
        (400, "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000", TooLong),
        (529, "Overloaded", Transient),
        (400, "Prompt length 5000 exceeds max_seq_len 4096", TooLong),
        (400, "prompt (5000 tokens) exceeds context window of 4096", TooLong),
        (422, "Input validation error: `inputs` must have less than 1000 tokens. Given: 2000", TooLong),
        (400, "Model unloaded.", Transient),
        (400, "The model has crashed without additional information. (Exit code: 6)", Transient),
        (409, "busy", Transient),
        (423, "locked", Transient),
        (413, "Request exceeds the maximum size", Refused),
        (404, "model: claude-0", NotFound),
    ],
)
def test_a_providers_refusal_is_understood(status, message, error):
    """What holds for every request ends the run; what holds for one is its error."""
    body = {"type": "error", "error": {"type": "some_error", "message": message}, "request_id": "req_1"}
    with pytest.raises(error, match=re.escape(message[:20])):
        require_answer(status, {}, json.dumps(body).encode(), where="it rejected /v1/messages")


@pytest.mark.parametrize(
    "choice", [{}, {"message": None}, {"message": 1}, {"message": {"content": 1}}, {"text": None}]
)
def test_a_choice_without_a_message_is_no_answer(choice):
    with pytest.raises(NotAnAnswer):
        answer(choice)
