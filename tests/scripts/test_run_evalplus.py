"""HumanEval+ and MBPP+ as a whole: against a server that answers as it is told, in the real sandbox."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.evaluation.evalplus_problems import HUMAN_EVAL, MBPP, write_rows
from tests.scripts.test_run_mbpp import answering

ROOT = Path(__file__).parents[2]
ROWS = {
    "human_eval_plus": [HUMAN_EVAL[2], HUMAN_EVAL[7], HUMAN_EVAL[9]],
    "mbpp_plus": [MBPP[0], MBPP[3], MBPP[13]],
}
# Right on the base inputs alone.
HALF_RIGHT = {
    "human_eval_plus": "def sort_thirds(values):\n    return values and [0, 2, 1, 3]\n",
    "mbpp_plus": "def similar_elements(a, b):\n    return [4, 5] if 3 in a else []\n",
}


def run(benchmark, url, folder, *options, code=0):
    """Its last event, and what it said."""
    words = ("--base-url", url, "--model", "m", "--output", folder / "out", *options)
    done = subprocess.run(
        [sys.executable, "-m", f"scripts.evalplus.run_{benchmark}", *map(str, words)],
        capture_output=True, text=True, cwd=ROOT, timeout=100, check=False,
        env={**os.environ, "XDG_CACHE_HOME": str(folder / "cache"), "XDG_DATA_HOME": str(folder / "data")},
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), done.stderr


def fenced(row):
    return f"```python\n{row['prompt']}{row['canonical_solution']}```"


@pytest.mark.parametrize(("benchmark", "style"), [("human_eval_plus", "chat"), ("mbpp_plus", "completion")])
def test_both_scores_are_given(tmp_path, benchmark, style):
    rows = ROWS[benchmark]
    answers = {row["prompt"].strip(): fenced(row) for row in rows}
    half = next(row for row in rows if f"def {row['entry_point']}(" in HALF_RIGHT[benchmark])
    answers[half["prompt"].strip()] = f"```python\n{HALF_RIGHT[benchmark]}```"
    file = write_rows(tmp_path / "rows.jsonl", rows)
    with answering(tmp_path, answers) as url:
        summary, _ = run(benchmark, url, tmp_path, "--dataset", file, "--prompt-style", style)
    assert summary["score"] == pytest.approx(200 / 3)
    assert summary["metrics"]["pass@1"]["value"] == pytest.approx(2 / 3)
    assert summary["metrics"]["base pass@1"]["value"] == 1.0
    (failed,) = (
        line
        for line in map(json.loads, (tmp_path / "out" / "completions.jsonl").read_text().splitlines())
        if not line.get("passed")
    )
    assert failed["task_id"] == half["task_id"]
    assert failed["detail"] == "plus inputs: AssertionError"
    assert failed["failed_check"]["call"].startswith(half["entry_point"])
    settings = json.loads((tmp_path / "out" / "settings.json").read_text())
    assert (settings["timeout_s"], settings["options"]) == (10.0, {})


def test_a_problem_that_can_not_be_judged_is_left_out_and_named(tmp_path):
    rows = [HUMAN_EVAL[2], {**HUMAN_EVAL[7], "canonical_solution": "    return object()\n"}]
    file = write_rows(tmp_path / "rows.jsonl", rows)
    with answering(tmp_path, {row["prompt"].strip(): fenced(row) for row in rows}) as url:
        summary, said = run("human_eval_plus", url, tmp_path, "--dataset", file, "--prompt-style", "chat")
    assert (summary["samples"], summary["score"]) == (1, 100.0)
    assert list(summary["excluded"]) == ["HumanEval/33"]
    assert "HumanEval/33 can't be judged and are left out" in said


def test_a_check_reads_the_file_only(tmp_path):
    file = write_rows(tmp_path / "rows.jsonl", ROWS["mbpp_plus"])
    words = [
        sys.executable,
        "-m",
        "scripts.evalplus.run_mbpp_plus",
        "--check",
        "--base-url",
        "http://127.0.0.1:9",
    ]
    words += ["--model", "m", "--output", str(tmp_path / "out"), "--dataset", str(file)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)
    assert (done.returncode, (tmp_path / "out").exists()) == (0, False), done.stderr
    error, _ = run("human_eval_plus", "http://127.0.0.1:9", tmp_path, "--dataset", file, code=2)
    assert "use --benchmark mbpp_plus" in error["hint"]
