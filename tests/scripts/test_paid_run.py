"""A benchmark program at a provider that charges: its cap, its cache, and what its summary says of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from results.spending import read_spending
from tests.evaluation.running_servers import asked_of, scripted_provider

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(tmp_path):
    """Run HumanEval's first problems; its events and what it said."""

    def started(url, output, *options, code=0):
        command = [
            sys.executable, "-m", "scripts.run_human_eval", "--base-url", url, "--model", "m",
            "--output", str(tmp_path / output), "--limit", "12", "--concurrency", "4", *map(str, options),
        ]  # fmt: skip
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            cwd=ROOT,
            env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")},
            timeout=100,
            check=False,
        )
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout.splitlines()[-1]), done.stderr

    return started


def posts(url):
    return [each for each in asked_of(url) if each["path"].endswith("/chat/completions")]


def test_a_cap_interrupts_the_program_and_a_higher_one_continues(run, tmp_path):
    with scripted_provider("--answers", "canonical") as url:
        cap = ("--prompt-style", "chat", "--max-tokens", 300)
        error, _ = run(url, "one", *cap, "--max-tokens-total", 2500, code=10)
        assert error["event"] == "error"
        assert error["kind"] == "cap_reached"
        assert "the cap of 2500 tokens is reached" in error["message"]
        answered = len((tmp_path / "one" / "completions.jsonl").read_text().splitlines())
        assert 0 < answered == len(posts(url)) < 12
        assert read_spending(tmp_path / "one").most_tokens <= 2500
        summary, _ = run(url, "one", *cap, "--max-tokens-total", 100_000)
        assert len(posts(url)) == 12
    assert summary["score"] == 100
    assert summary["spent"]["tokens"] == read_spending(tmp_path / "one").tokens
    assert summary["spent"]["lost_requests"] == 0


def test_the_same_run_once_more_is_answered_from_the_cache(run, tmp_path):
    with scripted_provider("--answers", "canonical") as url:
        options = ("--cache", "--cache-identity", "the model and its settings")
        first, _ = run(url, "one", *options)
        asked = len(posts(url))
        again, _ = run(url, "two", *options)
        assert len(posts(url)) == asked  # not even the question of how the model is to be asked
        other, _ = run(url, "three", "--cache", "--cache-identity", "another model")
        assert len(posts(url)) == 2 * asked
    assert (first["cached"], again["cached"], other["cached"]) == (0, 12, 0)
    assert again["score"] == first["score"] == 100
    assert again["tokens_per_s"] is None
    assert first["tokens_per_s"] is not None


def test_what_stands_at_an_address_of_this_machine_is_not_taken_for_granted(run):
    """The next server at that port may serve another model."""
    with scripted_provider() as url:
        error, _ = run(url, "one", "--cache", code=2)
        assert posts(url) == []
    assert "--cache can't tell what is served" in error["message"]
    assert "--cache-identity" in error["hint"]


def test_a_cap_on_cost_without_a_price_is_refused_before_anything_is_asked(run):
    with scripted_provider() as url:
        error, _ = run(url, "one", "--max-cost", 1, code=2)
        assert asked_of(url) == []
    assert "has no price" in error["message"]
    assert "--max-tokens-total" in error["hint"]
