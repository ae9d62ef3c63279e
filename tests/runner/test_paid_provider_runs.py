"""Runs at a provider that charges: a cap interrupts them, a resume goes on, kept answers are not asked for again."""

from __future__ import annotations

import json

import pytest

from evaluation.models.connection import build_connection_info
from results.errors import CapReached, UsageError
from results.records import RunStatus
from runner.request import build_spec
from runner.run import as_ended
from settings.asked import Asked
from tests.command_line import bench_runner
from tests.evaluation.running_servers import asked_of, scripted_provider
from tests.results.conftest import a_record

KEY = {"ANTHROPIC_API_KEY": "sk-of-nobody"}


def spec(**asked):
    return build_spec(Asked({"benchmark": "human_eval", **asked}))


def test_a_run_at_its_cap_is_interrupted_and_says_how_to_go_on():
    record = as_ended(a_record("run-1"), CapReached("the cap is reached", hint="raise --max-cost"))
    assert record.status is RunStatus.INTERRUPTED
    assert record.error.kind == "cap_reached"
    assert record.error.hint == "to continue, raise --max-cost and run the same command with --resume run-1"


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"provider": "openrouter", "model": "nobody/knows", "max_cost": 1.0}, "price of nobody/knows"),
        ({"provider": "ollama", "model": "llama3", "max_cost": 1.0}, "has no price"),
        (
            {
                "model": "openrouter/openai/gpt-4o-mini",
                "max_cost": 1.0,
                "provider_params": '{"models": ["o1-pro"]}',
            },
            "--max-cost can't be held with models",
        ),
        ({"base_url": "http://127.0.0.1:1", "model": "m", "max_cost": 1.0}, "has no price"),
        ({"provider": "ollama", "model": "llama3", "cache": True}, "can't tell what ollama serves"),
        ({"model": "openai/gpt-4o-mini", "benchmark": "speed", "cache": True}, "--cache does not apply"),
    ],
)
def test_what_cannot_be_held_is_refused_before_anything_starts(monkeypatch, asked, message):
    for name in ("OPENROUTER_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, "k")
    with pytest.raises(UsageError, match=message) as refused:
        spec(**asked)
    assert refused.value.hint


@pytest.mark.parametrize(
    "params",
    [
        '{"api_key": "sk-secret-of-nobody"}',
        '{"headers": {"Authorization": "Bearer sk-secret-of-nobody"}}',
        '{"metadata": [{"access_token": "sk-secret-of-nobody"}]}',
    ],
)
def test_no_key_gets_into_a_record_by_the_parameters(monkeypatch, params):
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    with pytest.raises(UsageError, match="a record would keep it") as refused:
        spec(model="openai/gpt-4o-mini", provider_params=params)
    assert "--api-key-file" in refused.value.hint
    assert "sk-secret" not in refused.value.message
    with pytest.raises(UsageError, match="a record would keep it"):
        build_connection_info("openai", {"model": "m", "provider_params": json.loads(params)})
    harmless = (
        '{"prompt_cache_key": "a", "max_completion_tokens_details": 1, "stop_token_ids": [2], "user": "u"}'
    )
    assert spec(model="openai/gpt-4o-mini", provider_params=harmless)


def test_a_cap_with_a_known_price_is_taken(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    assert spec(model="openai/gpt-4o-mini", max_cost=1.0, cache=True).asked["max_cost"] == 1.0


@pytest.mark.servers
def test_a_run_stops_at_its_cap_goes_on_and_is_not_paid_twice(tmp_path):
    """From the command line to the record: by Anthropic's API and Anthropic's prices."""
    with scripted_provider("--answers", "canonical", "--key", KEY["ANTHROPIC_API_KEY"]) as url:

        def run(*words):
            return bench_runner(
                "run", "--benchmark", "human_eval", "--limit", 12, "--provider", "anthropic",
                "--base-url", f"{url}/v1", "--model", "claude-sonnet-4-5", "--max-tokens", 300, "--cache",
                "--results-dir", tmp_path / "r", "--json", *words,
                env={**KEY, "XDG_CACHE_HOME": str(tmp_path / "cache")},
            )  # fmt: skip

        capped = run("--max-cost", 0.015)
        assert capped.code == CapReached.exit_code, capped.err
        record = json.loads(capped.out)
        assert record["status"] == "interrupted"
        assert "the cap of 0.015 USD is reached" in capped.err
        assert "--resume" in capped.err
        before = len(asked_of(url))
        assert run("--max-cost", 0.015, "--resume", "last").code == CapReached.exit_code
        whole = json.loads(run("--max-cost", 1, "--resume", "last").out)
        answered = [each for each in asked_of(url) if each["path"] == "/v1/messages"]
        assert len(answered) == 12
        assert before < len(asked_of(url))
        spent = whole["score"]["details"]["spent"]
        assert (
            whole["score"]["cost_usd"]
            == pytest.approx(spent["cost_usd"])
            == pytest.approx(spent["most_cost_usd"])
        )
        assert 0.015 < spent["cost_usd"] < 0.1
        asked = len(asked_of(url))
        kept = json.loads(run().out)
        assert len(asked_of(url)) == asked  # nobody was asked, not even whether he is there
    assert kept["score"]["cached"] == 12
    assert kept["score"]["score"] == whole["score"]["score"] == 100
    assert "sk-of-nobody" not in json.dumps([record, whole, kept])
