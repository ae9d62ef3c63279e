"""Suites whose answers are programs: executed in the sandbox, judged by the tests of the suite."""

# ruff: noqa: E501 - a table of answers

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from evaluation.protocols import PromptStyle
from evaluation.suites.kinds.code import known_programs
from evaluation.suites.loader import read_suite_file
from evaluation.suites.task import SuiteRows, SuiteTask
from results.errors import UsageError
from tests.scripts.test_run_mbpp import answering

ROOT = Path(__file__).parents[3]
SUITE = """\
name: functions
version: "1"
about: Two functions
licence: MIT
source: here
data: {file: rows.jsonl}
prompt: "{{head}}"
chat_prompt: "Write this function:\\n{{head}}"
answer:
  kind: code
  before: "{{head}}"
  entry_point: "{{name}}"
  tests: "{% for one in asserts %}assert {{one}}\\n{% endfor %}"
"""
ROWS = [
    {"name": "twice", "head": "def twice(x):\n", "asserts": ["twice(2) == 4", "twice('a') == 'aa'"]},
    {"name": "lowest", "head": "def lowest(values):\n", "asserts": ["lowest([2, 1]) == 1"]},
]


def suite(folder, text=SUITE, rows=ROWS):
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    path = folder / "functions.yaml"
    path.write_text(text)
    return path


def task_of(path, grader, style=PromptStyle.COMPLETION):
    return SuiteTask(SuiteRows(read_suite_file(path)), style=style, grader=grader)


@pytest.mark.parametrize(
    ("style", "answer", "passed"),
    [
        (PromptStyle.COMPLETION, "    return 2 * x\n\ndef other():\n    pass", True),
        (PromptStyle.COMPLETION, "    return 2 + x\n", False),
        (PromptStyle.CHAT, "Here:\n```python\ndef twice(x):\n    return x + x\n```\nDone.", True),
        (PromptStyle.CHAT, "```python\ndef twice(x):\n    return x * x\n```", False),
        (PromptStyle.CHAT, "```python\nclass Same:\n    __eq__ = lambda *_: True\ndef twice(x):\n    return Same()\n```", False),
        (PromptStyle.CHAT, "```python\nimport os\ndef twice(x):\n    os._exit(0)\n```", False),
        (PromptStyle.CHAT, "I can't.", False),
    ],
)  # fmt: skip
def test_an_answer_is_executed(tmp_path, grader, style, answer, passed):
    task = task_of(suite(tmp_path), grader, style)
    sample = task.get_samples(1)[0]
    found = task.calculate_metrics(answer, sample.expected, sample)
    assert (found.passed, found.metrics) == (passed, {"accuracy": float(passed)}), found
    assert passed or found.detail
    assert task.judge_workers == grader.workers


def test_a_failure_says_which_call_gave_what(tmp_path, grader):
    task = task_of(suite(tmp_path), grader)
    sample = task.get_samples(1)[0]
    check = task.calculate_metrics("    return 2 + x\n", sample.expected, sample).failed_check
    assert (check.call, check.line, check.code) == ("twice('a')", 1, "return 2 + x")


def test_the_grader_proves_itself(grader):
    grader.self_test(*known_programs())


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("{{name}}", "{{name}}()", "entry_point must be the name of a function, and is 'twice()'"),
        ('"{{name}}"', '"def"', "entry_point must be the name of a function, and is 'def'"),
        ("assert {{one}}", "assert {{one}} ==", "the tests are no Python"),
        ('  entry_point: "{{name}}"\n', "", "entry_point"),
    ],
)
def test_what_can_not_be_tested_is_refused_before_anything_is_asked(tmp_path, old, new, said):
    with pytest.raises(UsageError) as caught:
        task_of(suite(tmp_path, SUITE.replace(old, new)), None).get_samples(1)[0]
    assert said in caught.value.message


def test_a_whole_run(tmp_path):
    path = suite(tmp_path)
    right = {ROWS[0]["head"]: "    return x * 2\n", ROWS[1]["head"]: "    return max(values)\n"}
    with answering(tmp_path, right) as url:
        words = ["--suite", path, "--base-url", url, "--model", "m", "--output", tmp_path / "out"]
        done = subprocess.run(
            [sys.executable, "-m", "scripts.run_suite", *map(str, words), "--prompt-style", "completion"],
            capture_output=True, text=True, cwd=ROOT, timeout=100, check=False, env={**os.environ},
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout.splitlines()[-1])
    assert summary["score"] == 50.0
    assert summary["sandbox"]["level"]
