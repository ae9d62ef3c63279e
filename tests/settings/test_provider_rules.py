"""Settings that a provider's API has no field for are refused before anything starts."""

import pytest

from results.errors import UsageError
from runner.request import build_spec
from settings.asked import Asked
from settings.providers import require_taken


@pytest.mark.parametrize(
    ("provider", "given", "message"),
    [
        ("anthropic", {"seed": 3}, "--seed does not apply to --provider anthropic"),
        ("anthropic", {"min_p": 0.1}, "--min-p does not apply"),
        ("anthropic", {"repeat_penalty": 1.1}, "--repeat-penalty does not apply"),
        ("anthropic", {"chat_template_kwargs": '{"a": 1}'}, "--chat-template-kwargs does not apply"),
        ("anthropic", {"thinking_budget": 1023}, "--thinking-budget 1023 is less than"),
        ("anthropic", {"reasoning_effort": "minimal"}, "has no reasoning effort 'minimal'"),
        ("anthropic", {"thinking_budget": 1024, "temperature": 0.5}, "think at temperature 1 only, not 0.5"),
        ("anthropic", {"reasoning_effort": "high", "temperature": 0.0}, "think at temperature 1 only, not 0"),
        ("gemini", {"prompt_style": "completion"}, "--prompt-style completion does not apply"),
        ("ollama", {"thinking_budget": 5}, "--thinking-budget does not apply to --provider ollama"),
        ("openrouter", {"thinking_budget": 5}, "--thinking-budget does not apply to --provider openrouter"),
    ],
)
def test_what_an_api_lacks_is_refused_with_the_option_and_a_way_out(provider, given, message):
    with pytest.raises(UsageError, match=message) as refused:
        require_taken(provider, given)
    assert refused.value.hint
    assert refused.value.settings


@pytest.mark.parametrize(
    ("provider", "given"),
    [
        ("anthropic", {"seed": None, "temperature": 0.5, "top_p": 0.9}),
        ("anthropic", {"thinking_budget": 0, "temperature": 0.5}),
        ("anthropic", {"reasoning_effort": "none", "temperature": 0.0}),
        ("anthropic", {"thinking_budget": 1024, "reasoning_effort": "max", "temperature": 1.0}),
        ("ollama", {"prompt_style": "completion"}),
        ("openai", {"prompt_style": "chat", "seed": 3, "reasoning_effort": "minimal", "thinking_budget": 5}),
        ("local", {"seed": 3, "min_p": 0.1, "thinking_budget": 5}),
        (None, {"seed": 3}),
    ],
)
def test_all_else_is_left_to_the_models(provider, given):
    require_taken(provider, given)


def test_a_run_is_refused_before_it_begins(monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-of-nobody")
    with pytest.raises(UsageError, match="--seed does not apply"):
        build_spec(Asked({"benchmark": "human_eval", "model": "anthropic/claude-x", "seed": 3}))
