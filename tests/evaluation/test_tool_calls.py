# ruff: noqa: E501 - a table of cases
"""Calls of tools in the shapes of real servers, and what a refusal of tools looks like in their words."""

from __future__ import annotations

import asyncio
import json

import pytest

from evaluation.models.connection import build_connection_info
from evaluation.models.failures import NotFound, Refused, TooLong, Transient
from evaluation.models.providers import get_interface_for_provider
from evaluation.models.replies import read_answer
from evaluation.models.tool_calls import read_tool_calls, sent_messages, written_out
from evaluation.models.tool_refusals import UNREADABLE, answer_without
from evaluation.protocols import PromptStyle, Request
from results.errors import ServerError
from results.messages import Message, ToolCall
from tests.evaluation.running_servers import raw_server

WEATHER = {"name": "get_weather", "arguments": '{"city": "Paris"}'}
OF_WEATHER = ToolCall(id="c1", name="get_weather", arguments='{"city": "Paris"}')


def without_id(call):
    return ToolCall(name=call.name, arguments=call.arguments)


SHAPES = {
    # The message as the server sent it, and the calls in it.
    "OpenAI": ({"content": None, "tool_calls": [{"id": "c1", "type": "function", "function": WEATHER}]}, [OF_WEATHER]),
    "llama-server": (
        {"content": "", "tool_calls": [{"type": "function", "function": WEATHER, "id": "c1"}]}, [OF_WEATHER],
    ),
    "vLLM": (
        {"content": None, "reasoning": "so", "tool_calls": [{"id": "c1", "type": "function", "function": WEATHER}]},
        [OF_WEATHER],
    ),
    "Ollama, arguments as an object": (
        {"content": "", "tool_calls": [{"function": {"name": "get_weather", "arguments": {"city": "Paris"}}}]},
        [without_id(OF_WEATHER)],
    ),
    "Ollama's /v1 with an index": (
        {"content": "", "tool_calls": [{"id": "c1", "index": 0, "type": "function", "function": WEATHER}]}, [OF_WEATHER],
    ),
    "id null": ({"tool_calls": [{"id": None, "function": WEATHER}]}, [without_id(OF_WEATHER)]),
    "id a number": ({"tool_calls": [{"id": 7, "function": WEATHER}]}, [without_id(OF_WEATHER)]),
    "not wrapped": ({"tool_calls": [{"id": "c1", **WEATHER}]}, [OF_WEATHER]),
    "OpenAI's first API": ({"content": None, "function_call": WEATHER}, [without_id(OF_WEATHER)]),
    "one call that is no list": ({"tool_calls": {"id": "c1", "function": WEATHER}}, [OF_WEATHER]),
    "two calls": (
        {"tool_calls": [{"id": "c1", "function": WEATHER}, {"id": "c2", "function": {"name": "stop", "arguments": "{}"}}]},
        [OF_WEATHER, ToolCall(id="c2", name="stop", arguments="{}")],
    ),
    "no arguments": ({"tool_calls": [{"function": {"name": "stop"}}]}, [ToolCall(name="stop", arguments="{}")]),
    "arguments null": (
        {"tool_calls": [{"function": {"name": "stop", "arguments": None}}]}, [ToolCall(name="stop", arguments="{}")],
    ),
    "arguments empty": (
        {"tool_calls": [{"function": {"name": "stop", "arguments": ""}}]}, [ToolCall(name="stop", arguments="{}")],
    ),
    "parameters instead": (
        {"tool_calls": [{"function": {"name": "get_weather", "parameters": {"city": "Paris"}}}]},
        [without_id(OF_WEATHER)],
    ),
    "arguments cut": (
        {"tool_calls": [{"function": {"name": "a", "arguments": '{"x": '}}]}, [ToolCall(name="a", arguments='{"x": ')],
    ),
    "null": ({"content": "4", "tool_calls": None}, []),
    "empty": ({"content": "4", "tool_calls": []}, []),
    "a number": ({"content": "4", "tool_calls": 3}, []),
    "a call in the text": ({"content": '<tool_call>{"name": "a", "arguments": {}}</tool_call>'}, []),
    "no name": ({"tool_calls": [{"function": {"arguments": "{}"}}]}, ["not a call"]),
    "a name that is none": ({"tool_calls": [{"function": {"name": ["a"], "arguments": "{}"}}]}, ["not a call"]),
    "a text": ({"tool_calls": ["get_weather"]}, ["not a call"]),
    "null in the list": ({"tool_calls": [None]}, ["not a call"]),
}  # fmt: skip


@pytest.mark.parametrize(("message", "expected"), SHAPES.values(), ids=SHAPES)
def test_calls_are_read_in_whichever_shape(message, expected):
    found = read_tool_calls(message)
    if expected == ["not a call"]:
        assert [call.name for call in found] == [""]
    else:
        assert list(found) == expected
    body = {
        "choices": [{"index": 0, "finish_reason": "tool_calls", "message": {"role": "assistant", **message}}]
    }
    assert read_answer(json.dumps(body).encode(), PromptStyle.CHAT, 1.0).tool_calls == found


def test_whatever_stands_there_is_bounded_and_can_be_written():
    deep: list = []
    for _ in range(5000):
        deep = [deep]
    calls = [
        {"function": {"name": "a", "arguments": deep}},
        {"function": {"name": "\ud800", "arguments": "\udcff"}},
    ]
    first, second = read_tool_calls({"tool_calls": calls})
    assert first.arguments == ""
    json.dumps(second.name + second.arguments).encode()
    (second.name + second.arguments).encode()
    assert len(read_tool_calls({"tool_calls": [{}] * 5000})) == 1000


CODE = "def f():\n    return 1\n"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (json.dumps({"code": CODE}), json.dumps({"name": "python", "arguments": {"code": CODE}})),
        (CODE, CODE),  # gpt-oss calls its interpreter with the program itself
        (json.dumps(CODE), CODE),
    ],
)
def test_a_call_of_a_tool_that_nobody_offered_is_the_answer(arguments, text, tmp_path):
    calls = [{"id": "c1", "type": "function", "function": {"name": "python", "arguments": arguments}}]
    assert written_out(read_tool_calls({"tool_calls": calls})) == text
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    body = {"choices": [{"index": 0, "finish_reason": "tool_calls", "message": message}]}
    with raw_server(tmp_path, {"*": {"json": body}}) as url:
        info = build_connection_info("local", {"base_url": url, "model": "m", "max_retries": 0})

        async def asked(tools):
            async with get_interface_for_provider(info, server_wait=1.0) as interface:
                request = Request(
                    task_id="t", index=0, style=PromptStyle.CHAT, system="", user="x", tools=tools
                )
                return await interface.generate(request)

        assert asyncio.run(asked(())).text == text
        assert asyncio.run(asked(({"type": "function", "function": {"name": "python"}},))).text == ""


def test_a_message_is_sent_as_before_and_calls_as_openai_has_them():
    plain = sent_messages([Message("system", "s"), Message("user", "u")])
    assert json.dumps(plain) == '[{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]'
    assert sent_messages(
        [
            Message("assistant", "", tool_calls=(OF_WEATHER,), reasoning="hm"),
            Message("tool", "21", tool_call_id="c1"),
        ]
    ) == [
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"id": "c1", "type": "function", "function": WEATHER}],
        },
        {"role": "tool", "content": "21", "tool_call_id": "c1"},
    ]


def refused(message, **fields):
    raw = json.dumps({"error": {"message": message, **fields}}).encode()
    return Refused(f"HTTP status 400: {message}", raw)


NO_TOOLS = {
    "llama-server without --jinja": Transient(
        "HTTP status 500: tools param requires --jinja flag", status=500
    ),
    "and with a choice": Transient("HTTP status 500: tool_choice param requires --jinja flag", status=500),
    "vLLM without a parser": refused(
        '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'
    ),
    "Ollama": refused("registry.ollama.ai/library/stablelm2:latest does not support tools"),
    "OpenRouter": NotFound("the server rejected it with 404: No endpoints found that support tool use."),
    "Groq": refused("`tool calling` is not supported with this model"),
    "Mistral": refused("Function calling is not enabled for this model"),
    "OpenAI": refused("Unsupported parameter: 'tools' is not supported with this model.", param="tools"),
    "pydantic": Refused(
        "HTTP status 422: Extra inputs are not permitted",
        json.dumps(
            {"detail": [{"loc": ["body", "tools"], "msg": "Extra inputs are not permitted"}]}
        ).encode(),
    ),
}


@pytest.mark.parametrize("error", NO_TOOLS.values(), ids=NO_TOOLS)
def test_a_server_that_takes_no_tools_ends_the_run_and_names_what_to_do(error):
    with pytest.raises(ServerError, match="takes no tools") as found:
        answer_without(error)
    assert "--jinja" in found.value.hint
    assert "--tool-call-parser" in found.value.hint


@pytest.mark.parametrize(
    "error",
    [
        Transient(
            "HTTP status 500: Failed to parse input at pos 395: <|tool_call_start|>[a(b=1)]<|tool_call_end|>"
        ),
        Transient(
            "HTTP status 500: The model produced output that does not match the expected peg-native format"
        ),
        refused("Failed to call a function. Please adjust your prompt.", code="tool_use_failed"),
    ],
    ids=["llama-server", "llama-server's newer words", "Groq"],
)
def test_a_call_that_the_server_cannot_read_is_an_answer_of_the_model(error):
    answer = answer_without(error)
    assert (answer.error, answer.finish_reason) == ("", UNREADABLE)
    assert [call.name for call in answer.tool_calls] == [""]


@pytest.mark.parametrize(
    "error",
    [
        Transient("HTTP status 500: out of memory", status=500),
        TooLong("prompt does not fit the context of a slot"),
        refused("max_tokens is too large"),
        refused("Failed to parse tools: no name"),
        NotFound("the server rejected it with 404: no such model"),
    ],
    ids=str,
)
def test_any_other_failure_stays_what_it_is(error):
    with pytest.raises(type(error)) as found:
        answer_without(error)
    assert found.value is error
