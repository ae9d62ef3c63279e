"""The tokens that are charged, in each shape in which providers tell them."""

from __future__ import annotations

import json

import pytest

from evaluation.spending.usage import paid_tokens
from settings.spending.prices import PaidTokens


def read(usage, **more):
    return paid_tokens(json.dumps({"choices": [], "usage": usage, **more}).encode())


def test_openai():
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "total_tokens": 120,
        "prompt_tokens_details": {"cached_tokens": 64},
        "completion_tokens_details": {"reasoning_tokens": 10},
    }
    assert read(usage, service_tier="default") == PaidTokens(
        input_tokens=100, output_tokens=20, cache_read_tokens=64, service_tier="default"
    )


def test_thoughts_that_only_the_total_counts_are_paid_too():
    """Gemini and xAI leave them out of the completion's tokens."""
    usage = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 620}
    assert read(usage).output_tokens == 520


def test_anthropic():
    """Its input tokens leave out what the cache has."""
    usage = {
        "input_tokens": 100,
        "cache_read_input_tokens": 50,
        "cache_creation_input_tokens": 25,
        "output_tokens": 7,
        "service_tier": "standard",
    }
    assert read(usage) == PaidTokens(
        input_tokens=175,
        output_tokens=7,
        cache_read_tokens=50,
        cache_write_tokens=25,
        service_tier="standard",
    )


def test_ollama():
    raw = json.dumps({"message": {}, "prompt_eval_count": 12, "eval_count": 3}).encode()
    assert paid_tokens(raw) == PaidTokens(input_tokens=12, output_tokens=3)


def test_openrouter_states_the_cost():
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "cost": 0.25}
    assert read(usage).stated_cost_usd == 0.25
    assert read({**usage, "cost": 0}).stated_cost_usd == 0.0
    own_key = {**usage, "is_byok": True}
    assert read({**own_key, "cost_details": {"upstream_inference_cost": 4}}).stated_cost_usd == 4.25
    assert read(own_key).stated_cost_usd is None


@pytest.mark.parametrize("cost", ["0.1", -1, None, True, {}, [], 1e300])
def test_a_cost_that_is_none_is_not_believed(cost):
    assert read({"prompt_tokens": 1, "completion_tokens": 1, "cost": cost}).stated_cost_usd is None


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"no json",
        b"[]",
        b"[" * 100_000,
        b'{"usage": null}',
        b'{"usage": []}',
        b'{"usage": {"prompt_tokens": "5", "completion_tokens": 1}}',
        b'{"usage": {"prompt_tokens": -5, "completion_tokens": 1}}',
        b'{"usage": {"prompt_tokens": 5}}',
        b'{"usage": {"input_tokens": 5}}',
    ],
)
def test_counts_that_are_missing_or_nonsense_are_none(raw):
    assert paid_tokens(raw) is None


def test_more_cached_than_there_is():
    usage = {"prompt_tokens": 10, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 99}}
    assert read(usage).cache_read_tokens == 10
