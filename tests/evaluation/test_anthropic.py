"""A model at Anthropic's Messages API: what is sent, and what is made of what comes back."""

from __future__ import annotations

import asyncio
import json

import pytest

from evaluation.models.connection import build_connection_info
from evaluation.models.providers import get_interface_for_provider, parameters_for
from evaluation.protocols import PromptStyle, Request
from results.errors import ServerError, UsageError
from results.messages import Message
from tests.evaluation.running_servers import asked_of, scripted_provider

KEY = "sk-ant-test"
BUDGETED = (
    '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and "output_config.effort" '
    "to control thinking behavior."
)
TOOLS = (
    {"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}},
)


def answers(url, *requests, **config):
    """One after the other; each made of the run's sampling, as the runner does."""
    learnt = []

    async def main():
        info = build_connection_info(
            "anthropic", {"base_url": url, "model": "claude-x", "api_key": KEY, **config}
        )
        parameters = parameters_for(info, on_learnt=learnt.append)
        async with get_interface_for_provider(info, parameters=parameters) as provider:
            await provider.check_connection(1, 10.0)
            found = []
            for make in requests:
                found.append(await provider.generate(make(info.sampling, found)))
            return found

    return asyncio.run(main()), learnt


def request(user="2 + 2?", **fields):
    def make(sampling, _before):
        fixed = {"task_id": "t", "index": 0, "style": PromptStyle.CHAT, "system": ""}
        return Request(**{**fixed, "user": user, "sampling": sampling, **fields})

    return make


def script(folder, *rules):
    path = folder / "answers.json"
    path.write_text(json.dumps(rules))
    return ["--key", KEY, "--answers", path]


def bodies(url):
    return [each["body"] for each in asked_of(url) if each["path"] == "/v1/messages"]


def test_a_request_is_in_its_form_and_has_its_key_and_version(tmp_path):
    with scripted_provider(*script(tmp_path, ["", {"text": "4", "reasoning": "Two and two."}])) as url:
        (answer,), _ = answers(
            url, request(system="Be short.", stop=("\n\n", "\nclass")), max_tokens=99, top_k=5
        )
        models, asked = asked_of(url)
    assert (answer.text, answer.reasoning, answer.finish_reason) == ("4", "Two and two.", "end_turn")
    assert (answer.prompt_tokens > 0, answer.completion_tokens) == (True, 3)
    assert asked["body"] == {
        "model": "claude-x",
        "max_tokens": 99,
        "temperature": 0.0,
        "top_k": 5,
        "stop_sequences": ["\nclass"],
        "messages": [{"role": "user", "content": "2 + 2?"}],
        "system": "Be short.",
    }
    for each in (models, asked):
        assert each["key"] == "right"
        assert each["headers"]["anthropic-version"] == "2023-06-01"
        assert "authorization" not in each["headers"]


def test_a_default_that_a_model_refuses_is_left_out_and_said():
    with scripted_provider("--refuse", "temperature=anthropic-deprecated") as url:
        found, learnt = answers(url, request(), request(), seed=None)
        asked = bodies(url)
    assert [answer.text for answer in found] == ["ok", "ok"]
    assert ["temperature" in body for body in asked] == [True, False, False]
    assert any("temperature" in said and "deprecated" in said for said in learnt)


def test_what_was_asked_for_and_is_refused_ends_the_run():
    with (
        scripted_provider("--refuse", "top_p=anthropic-deprecated") as url,
        pytest.raises(UsageError, match="refuses top_p"),
    ):
        answers(url, request(), top_p=0.5)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"seed": 1}, "--seed does not apply"),
        ({"min_p": 0.1}, "--min-p does not apply"),
        ({"presence_penalty": 1.0}, "--presence-penalty does not apply"),
        ({"chat_template_kwargs": {"x": 1}}, "--chat-template-kwargs does not apply"),
        ({"thinking_budget": 500, "max_tokens": 2000}, "less than"),
        ({"reasoning_effort": "minimal"}, "no reasoning effort 'minimal'"),
        ({"thinking_budget": 1024, "max_tokens": 2000, "temperature": 0.5}, "think at temperature 1 only"),
    ],
)
def test_what_the_api_lacks_is_refused_before_anything_is_sent(config, words):
    with scripted_provider() as url:
        with pytest.raises(UsageError, match=words):
            answers(url, request(), **config)
        assert asked_of(url) == []


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"thinking_budget": 1024}, {"thinking": {"type": "enabled", "budget_tokens": 1024}}),
        ({"thinking_budget": 0}, {"thinking": {"type": "disabled"}, "temperature": 0.0}),
        ({"reasoning_effort": "none"}, {"thinking": {"type": "disabled"}, "temperature": 0.0}),
        ({"reasoning_effort": "max"}, {"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}}),
        (
            {"thinking_budget": 1024, "temperature": 1.0},
            {"thinking": {"type": "enabled", "budget_tokens": 1024}, "temperature": 1.0},
        ),
    ],
)
def test_thinking_is_sent_in_its_form_and_without_a_default_temperature(config, expected):
    with scripted_provider() as url:
        (answer,), learnt = answers(url, request(), max_tokens=4096, **config)
        (body,) = bodies(url)
    assert answer.text == "ok"
    assert {
        name: body[name] for name in ("thinking", "output_config", "temperature") if name in body
    } == expected
    assert bool(learnt) is ("temperature" not in expected)


@pytest.mark.parametrize(
    ("said", "config", "words"),
    [
        (
            BUDGETED,
            {"thinking_budget": 1024},
            "refuses thinking .*is not supported",
        ),
        (
            "This model does not support the effort parameter.",
            {"reasoning_effort": "low"},
            "reasoning-effort low",
        ),
    ],
)
def test_a_model_that_thinks_otherwise_ends_the_run(tmp_path, said, config, words):
    with (
        scripted_provider(*script(tmp_path, ["", {"status": 400, "text": said}])) as url,
        pytest.raises(UsageError, match=words),
    ):
        answers(url, request(), max_tokens=4096, **config)


def test_a_schema_is_sent_where_it_was_asked_for():
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "additionalProperties": False}
    with scripted_provider() as url:
        answers(url, request(json_schema=schema), use_guided_json=True, reasoning_effort="low")
        answers(url, request(json_schema=schema))
        held, free = bodies(url)
    assert held["output_config"] == {"effort": "low", "format": {"type": "json_schema", "schema": schema}}
    assert "output_config" not in free


def test_tools_are_called_and_a_turn_with_thoughts_goes_back_as_it_came(tmp_path):
    call = {"text": "I add.", "reasoning": "Add.", "tools": [["add", {"a": 2}], ["add", {"a": 3}]]}
    rules = (["five", "It is five."], ["2 + 3", call])
    with scripted_provider(*script(tmp_path, *rules)) as url:

        def go_on(sampling, before):
            said = before[0]
            turns = (
                Message("assistant", said.text, tool_calls=said.tool_calls, reasoning=said.reasoning),
                *(Message("tool", "five", tool_call_id=each.id) for each in said.tool_calls),
            )
            return request("2 + 3?", tools=TOOLS, turns=turns)(sampling, before)

        (first, second), _ = answers(url, request("2 + 3?", tools=TOOLS), go_on)
        asked = bodies(url)
    assert [(each.name, each.arguments) for each in first.tool_calls] == [
        ("add", '{"a": 2}'),
        ("add", '{"a": 3}'),
    ]
    assert second.text == "It is five."
    assert asked[-1]["tools"] == [{"name": "add", "input_schema": TOOLS[0]["function"]["parameters"]}]
    _, said, results = asked[-1]["messages"]
    assert [block["type"] for block in said["content"]] == ["thinking", "text", "tool_use", "tool_use"]
    assert said["content"][0]["signature"]
    assert [block["type"] for block in results["content"]] == ["tool_result", "tool_result"]


def test_a_wrong_key_ends_the_run_before_anything_is_asked():
    with scripted_provider("--key", "another") as url:
        with pytest.raises(ServerError, match="rejected the API key"):
            answers(url, request())
        assert bodies(url) == []


def test_an_empty_account_ends_the_run(tmp_path):
    poor = {"status": 400, "text": "Your credit balance is too low to access the Anthropic API."}
    with (
        scripted_provider(*script(tmp_path, ["", poor])) as url,
        pytest.raises(ServerError, match="credit balance") as caught,
    ):
        answers(url, request())
    assert KEY not in str(caught.value)


def test_a_prompt_that_is_too_long_is_called_that(tmp_path):
    long = {"status": 400, "text": "prompt is too long: 210000 tokens > 200000 maximum"}
    with scripted_provider(*script(tmp_path, ["", long])) as url:
        (answer,), _ = answers(url, request())
    assert answer.too_long


def test_an_overloaded_provider_and_its_limits_cost_no_answer():
    options = [
        "--overloaded-every",
        3,
        "--rate",
        50,
        "--burst",
        2,
        "--told",
        "anthropic",
        "--retry-after",
        "date",
    ]
    with scripted_provider(*options) as url:
        found, _ = answers(url, *[request()] * 6)
        statuses = [each["status"] for each in asked_of(url)]
    assert [(answer.text, answer.error) for answer in found] == [("ok", "")] * 6
    assert 529 in statuses
