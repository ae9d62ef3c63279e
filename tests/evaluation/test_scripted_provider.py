"""The provider of the tests keeps the habits that other tests rely on: paths, keys, refusals, limits, headers."""

import json
import urllib.error
import urllib.request

import pytest

from tests.evaluation.running_servers import OPENER, asked_of, scripted_provider

CHAT = {"model": "m", "messages": [{"role": "user", "content": "Say yes."}]}


def post(url, body, **headers):
    """(status, headers, body) of the answer."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, json.dumps(body).encode(), named)
    try:
        with OPENER.open(request) as response:
            return response.status, response.headers, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, json.load(error)


def test_each_api_answers_at_its_own_paths(tmp_path):
    answers = tmp_path / "answers.json"
    answers.write_text(
        json.dumps([["yes", {"text": "Yes.", "reasoning": "Why not?", "tools": [["f", {"x": 1}]]}]])
    )
    with scripted_provider("--prefix", "/v1beta/openai", "--answers", answers, "--cost", "0.5") as url:
        _, _, openai = post(url + "/v1beta/openai/chat/completions", CHAT)
        _, _, anthropic = post(url + "/v1/messages", {**CHAT, "max_tokens": 9}, x_api_key="k")
        missing, _, _ = post(url + "/v1beta/openai/v1/chat/completions", CHAT)
    message = openai["choices"][0]["message"]
    assert (message["content"], message["reasoning"]) == ("Yes.", "Why not?")
    assert message["tool_calls"][0]["function"] == {"name": "f", "arguments": '{"x": 1}'}
    assert openai["usage"]["cost"] == 0.5 * openai["usage"]["total_tokens"]
    assert [part["type"] for part in anthropic["content"]] == ["thinking", "text", "tool_use"]
    assert anthropic["stop_reason"] == "tool_use"
    assert missing == 404


def test_what_was_asked_is_told_without_the_key():
    with scripted_provider("--key", "secret") as url:
        statuses = [
            post(url + "/v1/chat/completions", CHAT, Authorization=f"Bearer {key}")[0]
            for key in ("secret", "other")
        ]
        statuses.append(post(url + "/v1/messages", {**CHAT, "max_tokens": 9})[0])
        asked = asked_of(url)
    assert statuses == [200, 401, 401]
    assert [each["key"] for each in asked] == ["right", "wrong", "none"]
    assert asked[0]["body"] == CHAT
    assert "secret" not in json.dumps(asked)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (CHAT, "max_tokens: Field required"),
        ({**CHAT, "max_tokens": 9, "seed": 1}, "seed: Extra inputs are not permitted"),
        ({**CHAT, "max_tokens": 9, "messages": [{"role": "system", "content": "x"}]}, "Unexpected role"),
    ],
)
def test_anthropics_api_refuses_what_it_does_not_know(body, said):
    with scripted_provider() as url:
        status, _, answer = post(url + "/v1/messages", body, x_api_key="k")
    assert (status, answer["error"]["type"]) == (400, "invalid_request_error")
    assert said in answer["error"]["message"]


@pytest.mark.parametrize(
    ("told", "retry_after", "expected"),
    [
        ("openai", "number", {"x-ratelimit-limit-requests": "1", "retry-after": "60"}),
        (
            "anthropic",
            "nonsense",
            {"anthropic-ratelimit-requests-remaining": "0", "retry-after": "soon, ask again"},
        ),
        ("none", "none", {"retry-after": None, "x-ratelimit-limit-requests": None}),
        ("window", "7", {"x-ratelimit-limit": "1", "retry-after": "7"}),
    ],
)
def test_a_request_beyond_the_limit_is_refused_as_it_was_told_to(told, retry_after, expected):
    rate = ["--rate", 1 / 60, "--told", told, "--retry-after", retry_after]
    rate += ["--window", 60] if told == "window" else []
    with scripted_provider(*rate) as url:
        first, _, _ = post(url + "/v1/chat/completions", CHAT)
        second, headers, _ = post(url + "/v1/chat/completions", CHAT)
        with OPENER.open(url + "/counts") as response:
            counts = json.load(response)
    assert (first, second) == (200, 429)
    assert {name: headers[name] for name in expected} == expected
    assert (counts["posts"], counts["answered"], counts["refused"]) == (2, 1, 1)
