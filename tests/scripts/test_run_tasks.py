"""A file of tasks as a whole, against a real HTTP server that knows the solutions, with the real sandbox."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from evaluation.benchmarks.tasks.task import STARTER_SET
from parsers.contract import ScriptOutput
from parsers.summary import PARSER
from results.errors import ParseError
from tests.command_line import PROGRAMS, bench_runner, lines, logged, only_run

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SMALL = """\
version: "0.3"
tasks:
  - id: shout
    difficulty: easy
    prompt: Print the input in capital letters.
    test_cases: [{input: abc, expected_output: ABC, weight: 3}, {input: x, expected_output: X}]
    reference_solution: print(input().upper())
  - id: negate
    version: 2
    difficulty: hard
    prompt: Return the negative of the number.
    function: negate
    test_cases: [{input: [1], expected_output: -1}, {input: [-2.5], expected_output: 2.5}]
    reference_solution: "def negate(number): return -number"
"""


@contextlib.contextmanager
def tasks_server(*options):
    """Give its URL while it runs."""
    words = [sys.executable, PROGRAMS / "tasks_server.py", *map(str, options)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield f"http://127.0.0.1:{json.loads(process.stdout.readline())['port']}"
        finally:
            process.kill()


def run(url, output, *options, code=0):
    """Its last event and what it said to people."""
    words = ("--base-url", url, "--model", "m", "--output", output, *options)
    done = subprocess.run(
        [sys.executable, "-m", "scripts.run_tasks", *map(str, words)],
        capture_output=True, text=True, cwd=ROOT, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout.splitlines()[-1]) if done.stdout else {}, done.stderr


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return path


@pytest.mark.parametrize("style", ["chat", "completion"])
def test_the_starter_sets_own_solutions_score_100_percent(tmp_path, style):
    with tasks_server("--tasks", STARTER_SET) as url:
        summary, _ = run(url, tmp_path, "--prompt-style", style)
    assert (summary["score"], summary["samples"], summary["sandbox"]["level"]) == (100.0, 20, "bubblewrap")
    assert summary["metrics"]["weighted"]["value"] == 1.0
    for level in ("easy", "medium", "hard", "extreme"):
        assert summary["metrics"][f"pass@1 difficulty={level}"]["value"] == 1.0
    settings = json.loads((tmp_path / "settings.json").read_text())
    assert settings["options"] == {
        "version": "1.1", "difficulty": [], "sample": None, "sample_seed": None,
    }  # fmt: skip
    assert settings["max_tokens"] == 2048
    assert (summary["tasks"]["file"], summary["tasks"]["version"]) == ("starter_tasks.yaml", "1.1")
    assert summary["tasks"]["sha256"] == settings["data_sha256"]


@pytest.mark.parametrize("task_id", ["shout", "negate"])
def test_a_wrong_answer_gets_its_part_of_the_credit(tmp_path, small, task_id):
    with tasks_server("--tasks", small, "--part", task_id) as url:
        summary, _ = run(url, tmp_path / "out", "--tasks", small)
    [wrong] = [line for line in lines(tmp_path / "out" / "completions.jsonl") if not line.get("passed")]
    share = {"shout": 0.75, "negate": 0.5}[task_id]
    assert (wrong["task_id"], wrong["metrics"], summary["score"]) == (task_id, {"weighted": share}, 50.0)
    assert wrong["detail"].startswith("case 2 of 2: ")
    assert summary["metrics"]["weighted"]["value"] == (1 + share) / 2
    assert summary["task_versions"] == {"negate": "2"}


def test_only_what_is_drawn_is_asked_and_another_draw_is_refused_at_resume(tmp_path):
    with tasks_server("--tasks", STARTER_SET) as url:
        summary, _ = run(url, tmp_path, "--sample", 4, "--sample-seed", 7)
        assert summary["samples"] == 4
        done = {line["task_id"]: line["tags"]["difficulty"] for line in lines(tmp_path / "completions.jsonl")}
        assert sorted(done.values()) == ["easy", "extreme", "hard", "medium"]
        summary, _ = run(url, tmp_path, "--sample", 4, "--sample-seed", 7)
        assert summary["new_completions"] == 0
        _, said = run(url, tmp_path, "--sample", 4, "--sample-seed", 8, code=6)
        assert "holds completions of other settings" in said
        summary, _ = run(url, tmp_path / "two", "--difficulty", "hard,easy", "--limit", 7)
        assert summary["samples"] == 7
    assert {line["tags"]["difficulty"] for line in lines(tmp_path / "two" / "completions.jsonl")} == {
        "easy",
        "hard",
    }


def test_a_changed_file_is_another_benchmark(tmp_path, small):
    """Protects a resume from mixing two versions of a task."""
    with tasks_server("--tasks", small) as url:
        run(url, tmp_path / "out", "--tasks", small)
        small.write_text(
            SMALL.replace('"0.3"', '"0.4"').replace("[1]", "[3]").replace("output: -1", "output: -3")
        )
        _, said = run(url, tmp_path / "out", "--tasks", small, code=6)
    assert "data_sha256" in said
    assert "0.4" in said


NEAR = """\
tasks:
  - id: near
    difficulty: easy
    prompt: Print it.
    test_cases: [{input: a, expected_output: a}]
    reference_solution: "import time\\nwhile time.process_time() < 0.35: pass\\nprint(input())"
  - id: far
    difficulty: easy
    prompt: Print that.
    test_cases: [{input: a, expected_output: a}]
    reference_solution: print(input())
"""


def test_verdicts_that_depend_on_the_machine_are_marked_counted_and_said(tmp_path):
    file, out = tmp_path / "near.yaml", tmp_path / "out"
    file.write_text(NEAR)
    with tasks_server("--tasks", file) as url:
        summary, said = run(url, out, "--tasks", file, "--cpu-limit", 0.5)
    marked = {
        line["task_id"]: line.get("near_time_limit", False) for line in lines(out / "completions.jsonl")
    }
    assert marked == {"near": True, "far": False}
    assert (summary["score"], summary["near_time_limit"]) == (100.0, 1)
    assert "WARNING: 1 of 2 verdicts depend on how fast this machine is" in said
    score = PARSER.parse(ScriptOutput(json.dumps(summary), said, out, 0))
    assert score.near_time_limit == 1
    with pytest.raises(ParseError, match="near_time_limit 0 instead of 1"):
        PARSER.parse(ScriptOutput(json.dumps(summary | {"near_time_limit": 0}), said, out, 0))


def test_the_harness_hands_the_limits_on_and_shows_what_depends_on_the_machine(tmp_path):
    file, results = tmp_path / "near.yaml", tmp_path / "r"
    file.write_text(NEAR)
    with tasks_server("--tasks", file) as url:
        options = ("--tasks", file, "--cpu-limit", 0.5, "--memory-limit", "256M", "--base-url", url)
        done = bench_runner("run", "--benchmark", "tasks", "--results-dir", results, *options)
    assert done.code == 0, done.err
    settings = json.loads((only_run(results) / "settings.json").read_text())
    assert (settings["timeout_s"], settings["memory_limit_bytes"]) == (0.5, 256 << 20)
    assert logged(results)[0]["score"]["near_time_limit"] == 1
    shown = bench_runner("show", "last", "--results-dir", results)
    assert "1 of 2 verdicts depend on how fast this machine is" in shown.out


def test_limits_of_executed_code_are_kept_and_may_not_change(tmp_path, small):
    def settings():
        return json.loads((tmp_path / "out" / "settings.json").read_text())

    with tasks_server("--tasks", small) as url:
        run(url, tmp_path / "out", "--tasks", small, "--cpu-limit", 5, "--memory-limit", "512M")
        assert (settings()["timeout_s"], settings()["memory_limit_bytes"]) == (5.0, 512 << 20)
        run(url, tmp_path / "out", "--tasks", small, "--timeout", 5, "--memory-limit", 512 << 20)
        _, said = run(
            url, tmp_path / "out", "--tasks", small, "--cpu-limit", 5, "--memory-limit", "1G", code=6
        )
    assert "memory_limit_bytes was 536870912 and is now 1073741824" in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--memory-limit", "much"], "is not a size such as 512M or 2G"),
        (["--memory-limit", "1K"], "1K is out of range: 16M to 1T"),
        (["--cpu-limit", "0"], "0.0 is out of range: 0.05 to 3600"),
        (["--difficulty", "simple"], "'simple' is not one of easy, medium, hard, extreme"),
        (["--difficulty", "extreme"], "no task has the difficulty extreme"),
        (["--sample", "3"], "--sample 3 of 2 tasks"),
        (["--sample", "0"], "0 is not between 1 and"),
    ],
)
def test_options_that_do_not_fit_are_told(tmp_path, small, options, said):
    _, told = run("http://127.0.0.1:9", tmp_path / "out", "--tasks", small, *options, code=2)
    assert said in told
    assert not (tmp_path / "out").exists()


def test_check_reads_everything_and_asks_nothing(tmp_path, small):
    run("http://127.0.0.1:9", tmp_path / "out", "--tasks", small, "--check")
    small.write_text("tasks: [")
    _, told = run("http://127.0.0.1:9", tmp_path / "out", "--tasks", small, "--check", code=2)
    assert f"{small}:1: not valid YAML" in told
    assert not (tmp_path / "out").exists()
