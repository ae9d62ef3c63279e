"""A run of `speed` through the command line: on a real model, and what is refused before a server starts."""

from __future__ import annotations

import pytest

from tests.command_line import bench_runner, lines, logged, only_run

pytestmark = pytest.mark.slow


@pytest.mark.servers
@pytest.mark.alone
def test_from_launching_a_real_server_to_the_figures_in_the_log(tmp_path):
    options = ("--prompt-tokens", 24, "--output-tokens", 6, "--concurrencies", "1,2", "--requests", 4)
    done = bench_runner("run", "--benchmark", "speed", "--results-dir", tmp_path, *options, "--", "-t", "1")
    assert done.code == 0, done.err
    (record,) = logged(tmp_path)
    score = record["score"]
    assert (score["score"], score["completions"], score["completion_tokens"]) == (None, 8, 48)
    assert score["prompt_tokens"] == 8 * 24
    for load in score["details"]["loads"]:
        assert (load["ended_early"], load["cached_tokens"], load["prompt_tokens"]) == (0, 0, 96)
        # The server's own clock sees neither the network nor us, and the same tokens.
        ours = load["generation_tokens_per_s"]["p50"]
        assert ours == pytest.approx(load["server_generation_tokens_per_s"], rel=0.3)
        assert load["prefill_tokens_per_s"]["p50"] < 1.1 * load["server_prompt_tokens_per_s"]
    assert score["details"]["speed"]["pp24+tg6 x2: output throughput, tokens/s"] > 0
    shown = bench_runner("show", "last", "--results-dir", tmp_path)
    assert "pp24+tg6 x2" in shown.out
    assert "TTFT ms" in shown.out
    assert len(lines(only_run(tmp_path) / "requests.jsonl")) == 8


@pytest.mark.servers
@pytest.mark.alone
@pytest.mark.timeout(600)
def test_the_context_is_chosen_to_hold_the_depth(tmp_path):
    """Without a context: beyond the usual 4096 tokens, with the one slot that a chat needs, and none from a cache."""
    options = ("--depths", "0,4k", "--output-tokens", 8, "--requests", 1, "--", "-t", "1")
    done = bench_runner("run", "--benchmark", "speed", "--results-dir", tmp_path, *options, timeout=500)
    assert done.code == 0, done.err
    (record,) = logged(tmp_path)
    assert (record["server"]["in_force"]["ctx_size"], record["server"]["in_force"]["parallel"]) == (4352, 1)
    assert record["server"]["differences"] == []
    shallow, deep = record["score"]["details"]["loads"]
    assert (shallow["prompt_tokens"], deep["prompt_tokens"], deep["cached_tokens"]) == (16, 4096, 0)
    listed = bench_runner("list", "--results-dir", tmp_path).out
    assert " s at d0, " in listed
    assert " s at d4096" in listed


@pytest.mark.parametrize(
    ("options", "message", "hint"),
    [
        (("--depths", "0,8k"), "was trained on 8,192", "--depths 8064 is the most that fits"),
        (("--prompt-tokens", "9k"), "was trained on 8,192", "--prompt-tokens 8064"),
        (("--depths", "1k", "--ctx-size", 1024), "--ctx-size gives each slot 1,024", "leave --ctx-size out"),
        (("--depths", "1k", "--", "-c", 512), "gives each slot 512", "leave --ctx-size out"),
        (("--depths", "8k", "--prompt-tokens", 8), "both set the length", "one of them"),
    ],
)
def test_what_cannot_fit_is_refused_before_a_server_starts(tmp_path, options, message, hint):
    done = bench_runner("run", "--benchmark", "speed", "--results-dir", tmp_path, *options)
    assert done.code == 2
    assert message in done.err
    assert hint in done.err
    assert not list(tmp_path.glob("*/run.json"))


@pytest.mark.parametrize("options", [("--concurrencies", "1,x"), ("--requests", "0"), ("--max-tokens", "5")])
def test_bad_loads_are_told_before_a_server_starts(tmp_path, options):
    done = bench_runner("run", "--benchmark", "speed", "--results-dir", tmp_path, *options)
    assert done.code == 2
    assert options[0] in done.err
    assert not list(tmp_path.iterdir())
