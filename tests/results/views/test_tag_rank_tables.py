"""`leaderboard --by TAG`: each run on each value of a tag, tested as on the dashboard, with composites beside."""

from __future__ import annotations

import json

import msgspec
import pytest

from results.records import Completion
from tests.command_line import bench_runner
from tests.results.composite_runs import composite
from tests.results.recorded_runs import F, P, record_run


@pytest.fixture
def results(tmp_path):
    for model, easy, hard, scored in (
        ("Strong-Q8_0", 39, 30, composite(by_difficulty=True, target_s=2.0)),
        ("Weak-Q2_K", 37, 6, composite(speed=None, by_difficulty=True)),
    ):
        outcomes = [P] * easy + [F] * (40 - easy) + [P] * hard + [F] * (40 - hard)
        run = record_run(tmp_path, outcomes, model=model, composite=scored)
        lines = [
            Completion(task_id=f"HumanEval/{number}", outcome=outcome, passed=outcome is P,
                       tags={"difficulty": "easy" if number < 40 else "hard"})
            for number, outcome in enumerate(outcomes)
        ]  # fmt: skip
        run.completions.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
    return tmp_path


def test_scripts_get_a_line_for_each_run_and_value(results):
    done = bench_runner("leaderboard", "--by", "difficulty", "--json", "--results-dir", results)
    assert done.code == 0, done.err
    found = {(each["model"], each["value"]): each for each in map(json.loads, done.out.splitlines())}
    assert [*found] == [
        ("Strong-Q8_0", "easy"), ("Strong-Q8_0", "hard"), ("Weak-Q2_K", "easy"), ("Weak-Q2_K", "hard"),
    ]  # fmt: skip
    assert found["Weak-Q2_K", "easy"]["against_best"] == "not distinguishable"
    assert found["Weak-Q2_K", "hard"]["against_best"] == "worse"
    assert found["Strong-Q8_0", "hard"]["score"] == 75.0
    assert found["Strong-Q8_0", "easy"]["composite"] == 70.5
    assert found["Weak-Q2_K", "easy"]["composite"] is None
    assert found["Weak-Q2_K", "easy"]["partial_composite"] == pytest.approx(75.625)
    assert found["Weak-Q2_K", "easy"]["partial_of"] == "correctness+quality+efficiency"


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("--by", "nothing"), "no problem of these runs has the tag 'nothing'\ntry: they have difficulty"),
        (("--by", "difficulty", "--csv", "-"), "--by can't be combined with --csv or --parquet"),
    ],
)
def test_what_can_not_be_ranked_is_refused(results, words, what):
    done = bench_runner("leaderboard", *words, "--results-dir", results)
    assert done.code == 2
    assert what in done.err
