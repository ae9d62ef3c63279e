"""`compare` of real runs, as a user types it."""

from __future__ import annotations

import json

import pytest

from tests.command_line import bench_runner, command_server

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Three runs: one that solves all of six problems, one that solves none of nine, and one at another temperature."""
    folder = tmp_path_factory.mktemp("results")
    run_ids = []
    for mode, limit, temperature in (("canonical", 6, 0), ("garbage", 9, 0), ("canonical", 6, 0.8)):
        done = bench_runner(
            *("run", "--benchmark", "human_eval", "--results-dir", folder, "--limit", limit, "--json"),
            *("--temperature", temperature, *command_server("canonical_server.py", "--mode", mode)),
        )
        assert done.code == 0, done.err
        run_ids.append(json.loads(done.out)["run_id"])
    return folder, run_ids


def test_two_runs_in_words(results):
    folder, (good, bad, _) = results
    done = bench_runner("compare", bad, good, "--results-dir", folder)
    assert (done.code, done.err) == (0, "")
    assert "6 samples of human_eval, one completion per sample; left out: 3 only in A" in done.out
    assert "B solved 6 samples that A didn't, A solved 0 that B didn't" in done.out
    assert "p = 0.031 (exact McNemar)" in done.out
    assert "B is better: a real difference at the 5 % level" in done.out
    assert "only B solved    HumanEval/0, HumanEval/1," in done.out
    assert "server_command" in done.out
    assert "\x1b" not in done.out


def test_two_runs_as_facts(results):
    folder, (good, bad, _) = results
    facts = json.loads(bench_runner("compare", good, bad, "--json", "--results-dir", folder).out)
    assert (facts["first"]["run_id"], facts["second"]["run_id"]) == (good, bad)
    assert facts["results"]["pass@1"]["difference"] == -1.0
    assert [flip["task_id"] for flip in facts["better_first"]] == [f"HumanEval/{n}" for n in range(6)]
    assert facts["better_first"][0]["second"] == ["failed"]


def test_what_is_not_comparable_is_refused(results):
    folder, (good, _, warm) = results
    done = bench_runner("compare", good, "last", "--results-dir", folder)
    assert (done.code, done.out) == (9, "")
    assert f"{good} and {warm} are not comparable, they differ in temperature 0.0 and 0.8" in done.err
    assert bench_runner("compare", good, "nonsense", "--results-dir", folder).code == 2


def test_a_gate_exits_by_its_verdict(results):
    folder, (good, bad, warm) = results
    failed = bench_runner("compare", good, bad, "--results-dir", folder, "--fail-if-worse")
    assert failed.code == 8
    assert "gate             FAILED: B is worse than A: pass@1 -100.0 points" in failed.out
    passed = bench_runner("compare", bad, good, "--results-dir", folder, "--fail-if-worse", 5, "--json")
    assert (passed.code, json.loads(passed.out)["gate"]["passed"]) == (0, True)
    assert bench_runner("compare", good, warm, "--results-dir", folder, "--fail-if-worse").code == 9
    wrong = bench_runner("compare", "--fail-if-worse", good, bad, "--results-dir", folder)
    assert (wrong.code, "put --fail-if-worse after the runs" in wrong.err) == (2, True)


def test_a_run_with_a_gate_is_one_command(results):
    folder, (good, _, warm) = results
    words = ("run", "--benchmark", "human_eval", "--results-dir", folder, "--limit", 6, "--temperature", 0)
    garbage = command_server("canonical_server.py", "--mode", "garbage")
    before = len([*folder.iterdir()])
    refused = bench_runner(*words, *garbage, "--gate", warm)
    assert (refused.code, "temperature is 0.0 here and 0.8 there" in refused.err) == (9, True)
    assert bench_runner(*words, *garbage, "--gate", "nonsense").code == 2
    assert bench_runner(*words, *garbage, "--margin", "5").code == 2
    assert len([*folder.iterdir()]) == before
    failed = bench_runner(*words, *garbage, "--gate", good)
    assert (failed.code, "gate             FAILED: B is worse" in failed.out) == (8, True), failed.err
    good_server = command_server("canonical_server.py", "--mode", "canonical")
    taken = bench_runner(*words, *good_server, "--label", "last")
    assert (taken.code, "can't be a label" in taken.err) == (2, True)
    told = bench_runner(*words, *good_server, "--gate", good, "--json", "--label", "As good")
    record = json.loads(told.out)
    assert (told.code, record["status"], record["remarks"]["label"]) == (0, "succeeded", "As good")
    assert "gate             passed" in told.err
    assert bench_runner("show", "as good", "--json", "--results-dir", folder).out.strip() == told.out.strip()
