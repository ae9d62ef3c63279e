"""Whole scenarios from cases/: each answer is judged as a person who reads it would.

A scenario's rules are those of tests/programs/scripted_server.py; here the task asks, and the first rule whose part
stands in the prompt answers.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evaluation.benchmarks.gsm8k import task as gsm8k
from evaluation.benchmarks.human_eval import task as human_eval
from evaluation.benchmarks.mmlu import task as mmlu
from evaluation.benchmarks.tasks.file import read_task_file
from evaluation.benchmarks.tasks.task import OwnTasks
from evaluation.protocols import PromptStyle

TIMEOUT_S = 20.0

CASES = Path(__file__).parent / "cases"
CHAT = PromptStyle.CHAT


def judged(task, case, limit=None):
    """Whether each sample passed, and why it did not."""
    rules = json.loads((CASES / f"{case}.json").read_text())["chat"]
    found = []
    for sample in task.get_samples(limit):
        prompt = task.get_prompt(sample).user
        answer = next((reply for part, reply in rules if part in prompt), "ok")
        judgement = task.calculate_metrics(answer, sample.expected, sample)
        found.append((judgement.passed, judgement.detail))
    return found


@pytest.mark.parametrize("case", ["gsm8k_numbers", "gsm8k_separators"])
def test_numbers_are_read_as_people_write_them(case):
    """Blanks and TeX between groups of three, the result of an equation; a heading is no answer."""
    data = gsm8k.load_data(CASES / f"{case}.jsonl")
    found = judged(gsm8k.Gsm8kTask(data, style=CHAT), case)
    assert len(found) == len(data.samples)
    assert all(passed for passed, _ in found), found


@pytest.mark.parametrize("case", ["mmlu_explained", "mmlu_corrected"])
def test_the_letter_that_is_chosen_counts_whatever_is_said_of_the_others(case):
    data = mmlu.load_data(CASES / f"{case}.jsonl", few_shot=0, by_letter=True)
    found = judged(mmlu.MmluTask(data, style=CHAT), case)
    assert len(found) == 4
    assert all(passed for passed, _ in found), found


def test_programs_behind_info_strings_and_before_demonstrations_pass(grader):
    """Info strings, attributes, a fence inside a docstring, a demonstration behind the program."""
    tasks = read_task_file(CASES / "tasks_fences.yaml").tasks
    found = judged(OwnTasks(tasks, style=CHAT, grader=grader), "tasks_fences")
    assert found == [(True, "")] * 6


def test_plain_answers_of_a_chat(grader):
    task = human_eval.HumanEvalTask(human_eval.load_data(), style=CHAT, grader=grader)
    assert judged(task, "plain_chat", limit=2) == [(True, ""), (False, "no code in the answer")]
