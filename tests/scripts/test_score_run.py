"""`scripts.scoring.score_run`: the parts of recorded answers, measured once and kept."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from evaluation.benchmarks.human_eval.task import load_data
from evaluation.benchmarks.tasks.file import read_task_file
from evaluation.benchmarks.tasks.task import STARTER_SET
from evaluation.scoring.samples import coding_samples
from results.errors import Reported
from results.json_text import encode
from results.records import Completion, Outcome
from scripts.events import Events
from scripts.scoring.score_run import parse
from scripts.scoring.score_run import score as compute
from tests.evaluation.evalplus_problems import HUMAN_EVAL, MBPP, write_rows
from tests.evaluation.mbpp_problems import full

ROOT = Path(__file__).parents[2]
CHEAP = "correctness=60,quality=40"
SETTINGS = {
    "benchmark": "human_eval", "model": "m", "prompts_sha256": "91" * 32, "prompt_style": "completion", "stop": [],
    "timeout_s": 3.0, "limit": 4, "n_samples": 1, "temperature": 0.0, "max_tokens": 100, "seed": 0,
}  # fmt: skip


def written(folder, completions, **settings):
    folder.mkdir(exist_ok=True)
    (folder / "completions.jsonl").write_bytes(b"".join(msgspec.json.encode(c) + b"\n" for c in completions))
    (folder / "settings.json").write_text(json.dumps(SETTINGS | settings))
    return folder


def answer(sample, *, passed=True, **fields):
    return Completion(
        task_id=sample.task_id,
        completion=sample.data["canonical_solution"],
        passed=passed,
        outcome=Outcome.PASSED if passed else Outcome.FAILED,
        **fields,
    )


@pytest.fixture
def run(tmp_path):
    """Three right answers of HumanEval's authors, and one that failed."""
    data = load_data()
    some = [answer(sample, passed=n != 3, request_s=1.0 + n) for n, sample in enumerate(data.samples[:4])]
    return written(tmp_path / "run", some, data_sha256=data.sha256)


class Heard(Events):
    """Keeps what the program would print."""

    def emit(self, event, **fields):
        self.last = json.loads(encode({"event": event, **fields}))


def score(folder, *options):
    """The last event. In this process, because most of a program's time is its start."""
    heard = Heard()
    asyncio.run(compute(parse(["--output", str(folder), *map(str, options)]), heard))
    return heard.last


def refusal(folder, *options):
    """Its exit code and message."""
    with pytest.raises(Reported) as caught:
        score(folder, *options)
    return caught.value.exit_code, caught.value.message


def parts(folder):
    return {
        line["task_id"]: line for line in map(json.loads, (folder / "parts.jsonl").read_text().splitlines())
    }


def test_parts_are_computed_of_what_is_recorded(run):
    found = score(run, "--weights", "correctness=40,speed=20,quality=40", "--speed-target-s", 2)["composite"]
    values = {name: each["value"] for name, each in found["parts"].items()}
    assert values == {"correctness": 75.0, "speed": 80.0, "quality": 100.0}  # 4 answers of 2 s against 10 s
    assert found["composite"]["value"] == pytest.approx(0.4 * 75 + 0.2 * 80 + 0.4 * 100)
    assert found["target_s"] == 2
    assert "ruff" in found["rules"]
    failed = parts(run)["HumanEval/3"]
    assert "quality" not in failed["parts"]
    assert failed["why_not"]["quality"] == "it did not pass"


def test_efficiency_is_measured_once(run):
    """Of the answers that passed; what is written is not measured again."""
    found = score(run, "--weights", "correctness=1,efficiency=1")["composite"]
    assert found["parts"]["efficiency"]["samples"] == 3
    assert found["parts"]["efficiency"]["value"] > 80
    before = parts(run)
    assert before["HumanEval/0"]["figures"]["efficiency"]["rounds"] >= 1
    score(run, "--weights", "correctness=1,efficiency=3")
    assert parts(run) == before


def test_a_baseline_answers_the_same_samples(run, tmp_path):
    data = load_data()
    some = [answer(sample, request_s=0.5 + n / 2) for n, sample in enumerate(data.samples[1:4])]
    baseline = written(tmp_path / "base", some, data_sha256=data.sha256)
    found = score(run, "--weights", "speed=1", "--speed-baseline", baseline, "--baseline-run", "b1")[
        "composite"
    ]
    assert found["baseline_run"] == "b1"
    assert found["parts"]["speed"]["value"] == pytest.approx(100 * (0.5 + 1 + 1.5) / (2 + 3 + 4))
    assert found["parts"]["speed"]["samples"] == 3
    assert parts(run)["HumanEval/0"]["why_not"]["speed"] == "the baseline has no answer to it"


@pytest.mark.parametrize("whose", ["run", "baseline"])
def test_answers_out_of_a_cache_have_no_speed(run, tmp_path, whose):
    data = load_data()
    cached = written(
        tmp_path / "cached", [answer(data.samples[0], request_s=1.0, cached=True)], data_sha256=data.sha256
    )
    ours, theirs = (cached, run) if whose == "run" else (run, cached)
    found = score(ours, "--weights", "correctness=1,speed=1", "--speed-baseline", theirs)["composite"]
    assert found["composite"]["value"] is None
    assert "cache" in found["parts"]["speed"]["why_not"]
    assert found["partial_of"] == ["correctness"]


def test_own_tasks_have_partial_credit_and_difficulties(tmp_path):
    file = read_task_file(STARTER_SET)
    some = [
        Completion(
            task_id=task.id,
            completion=task.reference_solution,
            outcome=Outcome.FAILED,
            metrics={"weighted": 0.25},
            tags={"difficulty": task.difficulty},
        )
        for task in file.tasks[:6]
    ]
    run = written(tmp_path / "run", some, benchmark="tasks", data_sha256=file.sha256)
    found = score(run, "--weights", "correctness=1")["composite"]
    assert found["composite"]["value"] == 25
    assert {each["tag"] for each in found["by_tag"]} == {"difficulty"}


def test_nothing_is_measured_twice_and_a_torn_line_costs_only_itself(run):
    """As kill -9 leaves it."""
    score(run, "--weights", CHEAP)
    first, second, *_ = (run / "parts.jsonl").read_bytes().splitlines(keepends=True)
    marked = json.loads(first)
    marked["parts"]["quality"] = 12.5
    (run / "parts.jsonl").write_bytes(json.dumps(marked).encode() + b"\n" + second[:40])
    found = score(run, "--weights", CHEAP)["composite"]
    assert found["parts"]["quality"]["value"] == pytest.approx((12.5 + 100 + 100) / 3)
    assert [*parts(run)] == [f"HumanEval/{n}" for n in range(4)]


def test_an_answer_that_is_another_by_now_is_measured_again(run):
    score(run, "--weights", CHEAP)
    was = parts(run)["HumanEval/0"]["figures"]["quality"]
    lines = [json.loads(line) for line in (run / "completions.jsonl").read_text().splitlines()]
    lines[0]["completion"] = "    import os\n" + lines[0]["completion"]
    (run / "completions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    score(run, "--weights", CHEAP)
    assert parts(run)["HumanEval/0"]["figures"]["quality"]["lint"] < was["lint"]


def test_what_other_rules_measured_is_measured_again(run):
    score(run, "--weights", CHEAP)
    lines = [json.loads(line) for line in (run / "parts.jsonl").read_text().splitlines()]
    for line in lines:
        line["measured_by"] = {"quality": "of last year"}
        line["parts"]["quality"] = 1.0
    (run / "parts.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert score(run, "--weights", CHEAP)["composite"]["parts"]["quality"]["value"] == 100


OWN = """
def score(solution):
    if not solution.passed:
        return None
    return 10 * len(solution.sample.reference.splitlines()) % 100
"""


def test_a_scorer_of_ones_own_is_a_part_by_the_name_of_its_file(run, tmp_path):
    (tmp_path / "mine.py").write_text(OWN)
    found = score(run, "--scorer", tmp_path / "mine.py", "--weights", "correctness=1,mine=1")["composite"]
    assert found["parts"]["mine"]["samples"] == 3
    assert found["scorers"].keys() == {"mine"}
    beside = score(run, "--scorer", tmp_path / "mine.py", "--weights", "correctness=1")["composite"]
    assert beside["composite"]["value"] == 75
    assert beside["parts"]["mine"]["value"] == found["parts"]["mine"]["value"]


def test_the_documented_scorer_works(run, tmp_path):
    page = (ROOT / "docs" / "scoring.md").read_text()
    code = page.partition("`mine.py`:")[2].partition("```python\n")[2].partition("```")[0]
    (tmp_path / "mine.py").write_text(code)
    found = score(run, "--scorer", tmp_path / "mine.py", "--weights", "correctness=60,mine=40")["composite"]
    assert found["parts"]["mine"]["samples"] == 3
    assert found["composite"]["value"] == pytest.approx(0.6 * 75 + 0.4 * found["parts"]["mine"]["value"])


@pytest.mark.parametrize(
    ("code", "exit_code", "word"),
    [
        ("def score(solution):\n    return 101\n", 4, "nor a number from 0 to 100"),
        ("def score(solution):\n    return 'good'\n", 4, "nor a number from 0 to 100"),
        ("def score(solution):\n    return float('nan')\n", 4, "nor a number from 0 to 100"),
        ("def score(solution):\n    return 1 / 0\n", 4, "line 2: on the answer to HumanEval/0"),
        ("def score(solution):\n    raise SystemExit(3)\n", 4, "line 2: on the answer to HumanEval/0"),
        ("def scored(solution):\n    return 1\n", 2, "defines no function score"),
        ("def score(\n", 2, "line 1: SyntaxError"),
        ("raise RuntimeError('no')\n", 2, "line 1: RuntimeError"),
    ],
)
def test_a_scorer_that_is_wrong_is_named_with_its_line(run, tmp_path, code, exit_code, word):
    (tmp_path / "mine.py").write_text(code)
    found, said = refusal(run, "--scorer", tmp_path / "mine.py", "--weights", "correctness=1")
    assert (found, word in said) == (exit_code, True), said


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--weights", "corectness=1"], "did you mean correctness"),
        (["--weights", "correctness=-1"], "not from 0"),
        (["--weights", "correctness=nan"], "not from 0"),
        (["--weights", "correctness=0"], "above 0"),
        (["--weights", "correctness"], "PART=WEIGHT"),
        (["--weights", "correctness=1,correctness=2"], "two weights"),
        (["--scorer", "/none.py"], "/none.py"),
    ],
)
def test_what_makes_no_sense_is_refused(run, options, word):
    code, said = refusal(run, *options)
    assert (code, word in said) == (2, True), said


def test_answers_to_another_data_set_are_refused(run):
    settings = json.loads((run / "settings.json").read_text()) | {"data_sha256": "0" * 64}
    (run / "settings.json").write_text(json.dumps(settings))
    code, said = refusal(run, "--weights", "correctness=1")
    assert (code, "another data set" in said) == (6, True), said


def test_answers_to_nobody_knows_what_are_refused(run):
    (run / "settings.json").unlink()
    code, said = refusal(run, "--weights", "correctness=1")
    assert (code, "has no settings.json" in said) == (6, True), said


def test_the_program_runs_alone_and_says_the_composite_last(run):
    done = subprocess.run(
        [sys.executable, "-m", "scripts.scoring.score_run", "--output", run, "--weights", "correctness=1"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["composite"]["composite"]["value"] == 75


@pytest.mark.parametrize("benchmark", ["tasks", "mbpp", "human_eval_plus", "mbpp_plus"])
def test_the_references_of_every_benchmark_are_as_good_as_themselves(tmp_path, benchmark):
    """Each has its own way from a completion to the program, and to the reference."""
    made = {
        "mbpp": lambda: full(tmp_path / "mbpp.jsonl"),
        "human_eval_plus": lambda: write_rows(tmp_path / "HumanEvalPlus.jsonl", HUMAN_EVAL),
        "mbpp_plus": lambda: write_rows(tmp_path / "MbppPlus.jsonl", MBPP),
    }
    file = made[benchmark]() if benchmark in made else None
    samples, sha256 = coding_samples(benchmark, {"dataset": file}, say=print)
    some = [
        Completion(task_id=name, completion=sample.reference, passed=True, outcome=Outcome.PASSED)
        for name, sample in [*samples.items()][:4]
    ]
    run = written(tmp_path / "run", some, benchmark=benchmark, data_sha256=sha256)
    options = ["--dataset", file] if file else []
    found = score(run, "--weights", CHEAP, *options)["composite"]
    assert found["parts"]["quality"] == {"value": 100, "low": None, "high": None, "samples": 4, "why_not": ""}


def test_a_sandbox_that_is_not_there_costs_its_part_alone(run, monkeypatch):
    monkeypatch.delenv("BENCH_SANDBOX_IMAGE", raising=False)
    found = score(run, "--weights", "correctness=1,efficiency=1", "--sandbox", "container")["composite"]
    assert found["composite"]["value"] is None
    assert found["parts"]["efficiency"]["why_not"]
    assert found["partial"]["value"] == 75
