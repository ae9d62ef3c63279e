"""`tasks validate`, and `run --benchmark tasks` from the command line to the score in the run log."""

from __future__ import annotations

import os
import subprocess

import pytest

from evaluation.benchmarks.tasks.task import STARTER_SET
from tests.command_line import PROGRAM, bench_runner, command_server, lines, logged, only_run

pytestmark = pytest.mark.slow

TASKS = """\
version: 1.0
tasks:
  - id: twice
    difficulty: easy
    prompt: Return twice the number.
    function: twice
    test_cases:
      - {input: [2], expected_output: 4}
      - input: [0]
        expected_output: 0
    reference_solution: |
      def twice(number):
          return number + 2
  - id: echo
    difficulty: medium
    prompt: Print the input.
    test_cases:
      - {input: a, expected_output: a}
"""


def test_the_starter_set_is_valid():
    done = bench_runner("tasks", "validate", STARTER_SET)
    assert done.code == 0, done.err
    assert "version 1.1: 20 tasks (5 easy, 5 medium, 5 hard, 5 extreme)" in done.out
    assert "all reference solutions pass" in done.out


def test_a_reference_solution_that_fails_is_told_with_its_case(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(TASKS)
    done = bench_runner("tasks", "validate", path)
    assert done.code == 2
    told = f"error: {path}:9: tasks[0].test_cases[1]: the reference solution fails: returned 2, expected 0"
    assert told in done.err
    path.write_text(TASKS.replace("number + 2", "number * 2"))
    done = bench_runner("tasks", "validate", path)
    assert (done.code, done.err) == (0, "")
    assert "2 tasks (1 easy, 1 medium), 3 test cases; 1 reference solutions pass" in done.out
    assert "note: 1 of the tasks have no reference_solution" in done.out


def test_a_broken_file_is_told_by_its_name_as_given_and_from_any_folder(tmp_path):
    """Protects the path in a message, and our `scripts` from a folder of that name where the user is."""
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "__init__.py").write_text("raise RuntimeError('not this one')")
    (tmp_path / "my.json").write_text('{"tasks": [\n{"id": "a"}]}')
    done = subprocess.run(
        [PROGRAM, "tasks", "validate", "my.json"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "\n    my.json:2: tasks[0].difficulty: is missing\n" in done.stderr
    assert "Traceback" not in done.stderr
    assert bench_runner("tasks", "validate", tmp_path / "none.yaml").code == 2


@pytest.mark.parametrize(
    ("change", "options", "said"),
    [
        (("difficulty: easy", "difficulty: simple"), (), "4: tasks[0].difficulty: 'simple' must be one of"),
        ((), ("--difficulty", "extreme"), "no task has the difficulty extreme"),
        ((), ("--sample", 9), "--sample 9 of 2 tasks"),
    ],
)
def test_a_run_with_a_broken_file_or_choice_ends_before_anything_starts(tmp_path, change, options, said):
    path = tmp_path / "mine.yaml"
    path.write_text(TASKS.replace(*change) if change else TASKS)
    done = bench_runner("run", "--benchmark", "tasks", "--tasks", path, *options,
                        "--base-url", "http://127.0.0.1:9", "--results-dir", tmp_path / "results")  # fmt: skip
    assert done.code == 2, done.err
    assert said in done.err
    assert not (tmp_path / "results").exists()


def test_a_users_file_comes_into_the_run_log_with_its_score(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(TASKS.replace("number + 2", "number * 2") + "    reference_solution: print(input())\n")
    done = bench_runner(
        "run", "--benchmark", "tasks", "--tasks", os.path.relpath(path),
        *command_server("tasks_server.py", "--tasks", path, "--wrong", "echo", "--model-name", "{name}"),
        "--results-dir", tmp_path / "results",
    )  # fmt: skip
    assert done.code == 0, done.err
    [run] = logged(tmp_path / "results")
    assert (run["benchmark"], run["results"]["score"]) == ("tasks", 50.0)
    assert path.samefile(run["config"]["tasks"])
    metrics = run["score"]["metrics"]
    assert metrics["weighted"]["value"] == 0.5
    assert metrics["pass@1 difficulty=easy"]["value"] == 1.0
    assert metrics["pass@1 difficulty=medium"]["value"] == 0.0
    assert "weighted" in done.out
    completions = lines(only_run(tmp_path / "results") / "completions.jsonl")
    assert {line["task_id"]: line["metrics"]["weighted"] for line in completions} == {
        "twice": 1.0,
        "echo": 0.0,
    }
