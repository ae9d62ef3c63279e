"""What requests cost: by their length, tier and cached tokens; unknown is None, never 0."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys

import pytest

from results.errors import UsageError
from settings.spending.prices import PaidTokens, price_of, require_price

WHEN = dt.datetime(2026, 11, 26, tzinfo=dt.UTC)
OPENAI = ("openai", "https://api.openai.com", "gpt-4o-mini")
GEMINI = ("gemini", "https://generativelanguage.googleapis.com/v1beta/openai", "gemini-2.5-pro")


def cost(of, **tokens):
    return price_of(*of).cost_usd(PaidTokens(**tokens), WHEN)


def test_a_request_is_priced_by_its_own_tokens():
    assert cost(OPENAI, input_tokens=1000, output_tokens=1000) == pytest.approx(0.00015 + 0.0006)


def test_what_the_provider_had_cached_is_cheaper():
    assert cost(OPENAI, input_tokens=1000, output_tokens=0, cache_read_tokens=800) == pytest.approx(
        0.2 * 0.00015 + 0.8 * 0.000075
    )


def test_a_long_prompt_has_another_price():
    """Its tier holds for all of its tokens, so that one price a token for the whole run would be wrong."""
    short = cost(GEMINI, input_tokens=200_000, output_tokens=1000)
    assert short == pytest.approx(0.25 + 0.01)
    assert cost(GEMINI, input_tokens=200_001, output_tokens=1000) == pytest.approx(2 * 0.25 + 0.015, rel=1e-4)


def test_a_tier_of_service_has_its_price():
    plain = cost(OPENAI, input_tokens=1000, output_tokens=1000)
    assert cost(OPENAI, input_tokens=1000, output_tokens=1000, service_tier="priority") > plain
    assert cost(OPENAI, input_tokens=1000, output_tokens=1000, service_tier="default") == plain
    assert cost(OPENAI, input_tokens=1000, output_tokens=1000, service_tier="of tomorrow") == plain


@pytest.mark.parametrize(
    "of",
    [
        ("anthropic", "https://api.anthropic.com", "claude-sonnet-4-5"),
        ("xai", "https://api.x.ai", "grok-4"),
        ("openrouter", "https://openrouter.ai/api", "openai/gpt-4o-mini"),
        ("huggingface", "https://router.huggingface.co", "meta-llama/Llama-3.3-70B-Instruct:together"),
        ("", "https://api.deepseek.com", "deepseek-chat"),
        ("local", "https://api.deepseek.com", "deepseek-chat"),
        ("compatible", "https://api.deepseek.com", "deepseek-chat"),
        GEMINI,
    ],
)
def test_the_worst_case_is_at_least_what_it_costs(of):
    """A cap reserves the worst case: it must hold whatever tier or hour the request is served in."""
    price = price_of(*of)
    for given, answered in ((0, 1), (100, 50), (10_000, 4000), (199_999, 10), (250_000, 10)):
        worst = price.worst_usd(given, answered)
        for cached in (0, given // 2):
            for tier in ("", "priority", "flex"):
                tokens = PaidTokens(
                    input_tokens=given, output_tokens=answered, cache_read_tokens=cached, service_tier=tier
                )
                paid = price.cost_usd(tokens)
                assert paid is not None
                assert 0 < paid <= worst * (1 + 1e-9)
        assert price.worst_usd(given // 2, answered) <= worst


def test_counts_that_contradict_each_other_have_no_cost():
    assert cost(OPENAI, input_tokens=5, output_tokens=1, cache_read_tokens=50) is None


@pytest.mark.parametrize(
    "of",
    [
        ("local", "http://127.0.0.1:8080", "gpt-4o-mini"),
        ("", "http://127.0.0.1:8080", "gpt-4o-mini"),
        ("compatible", "http://192.168.1.5:8080", "gpt-4o-mini"),
        ("ollama", "http://127.0.0.1:11434", "llama3"),
        ("openai", "https://api.openai.com", "a-model-of-next-year"),
        ("huggingface", "https://router.huggingface.co", "meta-llama/Llama-3.3-70B-Instruct"),
        ("openai", "https://api.openai.com", "text-embedding-3-small"),
        ("", "https://llm.example.org", "gpt-4o-mini"),
    ],
)
def test_an_unknown_price_is_none_and_holds_no_cap(of):
    assert price_of(*of) is None
    with pytest.raises(UsageError, match="--max-cost") as failure:
        require_price(*of)
    assert "--max-tokens-total" in failure.value.hint


def test_without_the_price_lists_the_cost_is_unknown():
    """They are an extra; a run without them must not fail, and a cap must say what is missing."""
    code = """
import sys
sys.modules["genai_prices"] = None
from settings.spending import prices
print(prices.price_of("openai", "https://api.openai.com", "gpt-4o-mini"))
try:
    prices.require_price("openai", "https://api.openai.com", "gpt-4o-mini")
except Exception as error:
    print(error.message, error.hint)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("None\n")
    assert "not installed" in done.stdout
    assert "bench-runner[providers]" in done.stdout


def test_the_price_lists_are_imported_only_for_a_price():
    code = "import sys, settings.spending.prices; print('genai_prices' in sys.modules, 'pydantic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"
