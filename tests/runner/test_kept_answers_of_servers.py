"""Answers of a server that we start are kept by what it serves, whatever its port and its model are called."""

from __future__ import annotations

import json

import pytest

from tests.command_line import bench_runner


@pytest.mark.servers
def test_the_same_run_once_more_asks_the_built_in_server_for_no_answer(tmp_path):
    def run(*words):
        done = bench_runner(
            "run", "--benchmark", "human_eval", "--limit", 1, "--max-tokens", 4, "--prompt-style", "chat",
            "--model", "demo", "--cache", "--results-dir", tmp_path / "r", "--json", *words,
            env={"XDG_CACHE_HOME": tmp_path / "cache"},
        )  # fmt: skip
        assert done.code == 0, done.err
        score = json.loads(done.out)["score"]
        return score["cached"], score["cost_usd"]

    assert run() == (0, None)
    assert run() == (1, None)
    assert run("--ctx-size", 2048) == (0, None)
