"""Ollama's own API: every parameter reaches it, and its answers are read like any other's."""

from __future__ import annotations

import asyncio
import json

import pytest

from evaluation.models.connection import build_connection_info
from evaluation.models.providers import get_interface_for_provider
from evaluation.models.sampling import Sampling
from evaluation.protocols import PromptStyle, Request
from results.errors import UsageError
from results.messages import Message, ToolCall
from scripts.arguments import connection_of, parse
from tests.evaluation.ollama_server import ollama

COUNTS = {"done": True, "prompt_eval_count": 11, "eval_count": 5}
SAID = {
    "message": {"role": "assistant", "content": "four", "thinking": "2 and 2"},
    "done_reason": "stop",
    **COUNTS,
}


def ask(url, *, style=PromptStyle.CHAT, sampling=None, params=None, **fields):
    sampling = sampling or Sampling(seed=3)
    info = build_connection_info(
        "ollama", {"base_url": url, "model": "m", "max_retries": 0, "provider_params": params or {}}
    )
    request = Request(
        task_id="t", index=0, style=style, system="", user="2 + 2?", sampling=sampling, stop=("X",), **fields
    )

    async def main():
        async with get_interface_for_provider(info) as provider:
            return await provider.generate(request)

    return asyncio.run(main())


def test_every_parameter_reaches_it():
    sampling = Sampling(
        seed=3, top_k=7, min_p=0.1, repeat_penalty=1.1, max_tokens=99, reasoning_effort="none"
    )
    with ollama(SAID) as (url, asked):
        answer = ask(url, sampling=sampling, params={"num_ctx": 8192})
    ((path, body),) = asked
    assert path == "/api/chat"
    assert body["messages"] == [{"role": "user", "content": "2 + 2?"}]
    assert body["options"] == {
        "temperature": 0.0, "num_predict": 99, "seed": 3, "top_k": 7, "min_p": 0.1, "repeat_penalty": 1.1,
        "stop": ["X"], "num_ctx": 8192,
    }  # fmt: skip
    assert (body["stream"], body["think"], body["model"]) == (False, False, "m")
    assert (answer.text, answer.reasoning, answer.finish_reason, answer.error) == (
        "four",
        "2 and 2",
        "stop",
        "",
    )
    assert (answer.prompt_tokens, answer.completion_tokens) == (11, 5)


def test_a_text_to_go_on_with_is_sent_as_it_is():
    with ollama({"response": " 4", "done_reason": "length", **COUNTS}) as (url, asked):
        answer = ask(url, style=PromptStyle.COMPLETION)
    assert asked[0][0] == "/api/generate"
    assert (asked[0][1]["prompt"], asked[0][1]["raw"]) == ("2 + 2?", True)
    assert (answer.text, answer.finish_reason) == (" 4", "length")


def test_calls_of_tools_go_both_ways():
    tool = {"type": "function", "function": {"name": "add", "parameters": {}}}
    call = ToolCall(id="c1", name="add", arguments='{"a": 2}')
    turns = (Message("assistant", "", tool_calls=(call,)), Message("tool", "4", tool_call_id="c1"))
    said = {"content": "", "tool_calls": [{"function": {"name": "add", "arguments": {"a": 4}}}]}
    with ollama({"message": said, "done_reason": "stop", **COUNTS}) as (url, asked):
        answer = ask(url, tools=(tool,), turns=turns)
    sent = asked[0][1]
    assert sent["messages"][1]["tool_calls"] == [{"function": {"name": "add", "arguments": {"a": 2}}}]
    assert sent["tools"] == [tool]
    assert [(each.name, json.loads(each.arguments)) for each in answer.tool_calls] == [("add", {"a": 4})]


def test_a_failure_is_none_of_its_answers():
    with ollama({"error": "model 'm' is broken"}, status=400) as (url, _):
        assert "model 'm' is broken" in ask(url).error


def test_what_it_has_not_is_refused_if_it_was_asked_for():
    info = build_connection_info("ollama", {"model": "m", "thinking_budget": 9})
    with pytest.raises(UsageError, match="Ollama has no thinking_budget"):
        get_interface_for_provider(info)


def arguments(tmp_path, params, *words):
    argv = ["--provider", "ollama", "--model", "m", "--output", str(tmp_path)]
    return parse([*argv, "--provider-params", json.dumps(params), *words], benchmark="gsm8k", about="")


def test_params_that_are_settings_count_as_these(tmp_path):
    """Otherwise the record would say another limit than the one that cut an answer."""
    found = arguments(tmp_path, {"num_ctx": 4096, "num_predict": 50, "top_k": 5})
    assert (found.sampling.max_tokens, found.sampling.top_k) == (50, 5)
    assert {"max_tokens", "top_k"} <= found.sampling.given.keys()
    assert connection_of(found).provider_params == {"num_ctx": 4096}
    with pytest.raises(UsageError, match="--provider-params says num_predict: 50, and --max-tokens 60"):
        arguments(tmp_path, {"num_predict": 50}, "--max-tokens", "60")


def test_a_request_keeps_its_own_fields(tmp_path):
    for name in ("messages", "n", "stop", "response_format"):
        with pytest.raises(UsageError, match=f"--provider-params can't have '{name}'"):
            connection_of(arguments(tmp_path, {name: []}))


def test_a_probe_has_its_own_limit():
    with ollama(SAID) as (url, asked):

        async def main():
            info = build_connection_info("ollama", {"base_url": url, "model": "m"})
            async with get_interface_for_provider(info) as reached:
                request = Request(task_id="t", index=0, style=PromptStyle.CHAT, system="", user="x")
                await reached.probe(request, max_tokens=7)

        asyncio.run(main())
    assert asked[0][1]["options"] == {"temperature": 0.0, "num_predict": 7}


def test_what_is_a_setting_is_one_for_every_provider(tmp_path):
    """Or two runs of other temperatures would be compared, and the record would deny it."""
    argv = ["--provider", "compatible", "--base-url", "http://h", "--model", "m", "--output", str(tmp_path)]
    params = {
        "temperature": 1,
        "max_completion_tokens": 9,
        "chat_template_kwargs": {"x": 1},
        "service_tier": "flex",
    }
    found = parse([*argv, "--provider-params", json.dumps(params)], benchmark="gsm8k", about="")
    assert (found.sampling.temperature, found.sampling.max_tokens) == (1, 9)
    assert found.sampling.chat_template_kwargs == {"x": 1}
    assert {"temperature", "max_tokens"} <= found.sampling.given.keys()
    assert found.provider_params == {"service_tier": "flex"}
    with pytest.raises(UsageError, match="--provider-params: top_p: 3 is out of range"):
        parse([*argv, "--provider-params", '{"top_p": 3}'], benchmark="gsm8k", about="")
