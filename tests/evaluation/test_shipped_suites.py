"""The shipped suites: valid, nothing in them invented, lm-eval's prompts where it has the task, and judged right."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import msgspec
import pytest

from evaluation.protocols import PromptStyle
from evaluation.suites.format import FewShot, LetterAnswer
from evaluation.suites.kinds.choosing import Choices, right_ones
from evaluation.suites.loader import SuiteFile, read_suite_file
from evaluation.suites.task import SuiteRows, SuiteTask
from evaluation.suites.templates import Expression, Template
from settings.suites import shipped_suites
from tests.evaluation.lm_eval_prompts import FIXTURE, TASKS
from tests.evaluation.shipped_rows import NAMES, environment

RECORDED = json.loads(FIXTURE.read_text())["tasks"]
LETTERS = "ABCDEFGHIJ"


@pytest.fixture(scope="module")
def rows_at_hand(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(tmp_path_factory.mktemp("user")).items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="module")
def suites(rows_at_hand):
    """Each suite with its rows."""
    return {name: SuiteRows(read_suite_file(shipped_suites()[name])) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_suite_says_what_it_is_and_invents_nothing(name):
    suite = read_suite_file(shipped_suites()[name]).suite
    assert suite.name == name
    assert suite.source.startswith("https://")
    assert suite.about[:1].isupper()
    assert suite.licence
    for task in suite.tasks.values():
        assert (task.data.revision, task.data.sha256) == (None, None)  # until somebody has fetched them
        assert task.metrics


@pytest.mark.parametrize("name", TASKS)
def test_prompts_continuations_and_gold_are_those_of_lm_eval(suites, name):
    suite, _, task = name.partition("/")
    rows = suites[suite].by_task[task].rows
    declared = suites[suite].file.suite.tasks[task]
    assert len(rows) == len(RECORDED[name])
    for row, recorded in zip(rows, RECORDED[name], strict=True):
        assert Template(declared.prompt).fill(row.fields) == recorded["contexts"][0]
        correct = Expression(declared.answer.correct).value(row.fields)
        if not recorded["choices"]:
            assert correct == recorded["target"]
            continue
        choices = Choices(declared.answer.choices).of(row.fields)
        shown = LETTERS[: len(choices)] if isinstance(declared.answer, LetterAnswer) else choices
        assert [declared.target_separator + choice for choice in shown] == recorded["choices"]
        right, *others = right_ones(correct, choices)
        assert bool(others) <= (
            name == "truthful_qa/mc2"
        )  # of several right ones, lm-eval's target is the first
        target = recorded["target"]
        if isinstance(target, str):
            target = [choice.strip() for choice in choices].index(target.strip())
        if name == "superglue/multirc":
            target = 1 - target  # lm-eval takes the answers that are right for wrong ones
        assert right == target


@pytest.mark.tools
def test_lm_eval_still_asks_what_is_recorded(tools_python, tmp_path):
    program = Path(__file__).with_name("lm_eval_prompts.py")
    done = subprocess.run(
        [tools_python, program],
        capture_output=True,
        check=True,
        timeout=300,
        env={"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )
    assert json.loads(done.stdout) == json.loads(FIXTURE.read_text())


def with_example(rows, task):
    """The suite with one example before each question: its last row."""
    declared = rows.file.suite.tasks[task]
    last = rows.by_task[task].rows[-1].fields["row"]
    shots = msgspec.structs.replace(declared, few_shot=FewShot(examples=(last,)))
    suite = msgspec.structs.replace(rows.file.suite, tasks={task: shots})
    return SuiteFile(path=rows.file.path, sha256=rows.file.sha256, suite=suite, lines=rows.file.lines)


@pytest.mark.parametrize("name", [name for name in TASKS if len(RECORDED[name][0]["contexts"]) > 1])
def test_an_example_stands_before_a_question_as_in_lm_eval(suites, name):
    suite, _, task = name.partition("/")
    rows = SuiteRows(with_example(suites[suite], task))
    asked = SuiteTask(rows, style=PromptStyle.COMPLETION, likelihoods=True)
    samples = asked.get_samples(None)[:-1]
    assert len(samples) >= 1
    for sample, recorded in zip(samples, RECORDED[name][:-1], strict=True):
        wanted = recorded["contexts"][1]
        if name == "superglue/multirc":  # lm-eval takes the answers that are right for wrong ones
            (said,) = re.findall(r"Is the answer correct\? (yes|no)\n", wanted)
            wanted = wanted.replace(f"correct? {said}", f"correct? {'no' if said == 'yes' else 'yes'}")
        assert asked.get_prompt(sample).user == wanted


# An answer that is right, and one that is wrong, in words that models use.
WRONG = {
    "labels": "I can't say.",
    "span": "Greenland",
    "number": "7",
    "summary": "Kites.",
}


@pytest.mark.parametrize("style", list(PromptStyle))
@pytest.mark.parametrize("name", NAMES)
def test_every_row_is_asked_and_its_right_answer_passes_and_a_wrong_one_does_not(suites, name, style):
    task = SuiteTask(suites[name], style=style)
    samples = task.get_samples(None)
    assert len(samples) >= 1
    for sample in samples:
        prompt = task.get_prompt(sample)
        assert prompt.user.strip()
        assert "{{" not in prompt.user
        right, wrong = answers(suites[name].file, sample)
        judged = task.calculate_metrics(right, sample.expected, sample)
        assert judged.passed, (sample.task_id, right, judged)
        assert not task.calculate_metrics(wrong, sample.expected, sample).passed, (sample.task_id, wrong)


@pytest.mark.parametrize("name", ["mc1", "mc2"])
def test_who_always_says_a_is_not_always_right_in_truthful_qa(suites, name):
    """In its data the true answers come first."""
    task = SuiteTask(suites["truthful_qa"], style=PromptStyle.CHAT)
    samples = [sample for sample in task.get_samples(None) if sample.tags["task"] == name]
    passed = [task.calculate_metrics("A", sample.expected, sample).passed for sample in samples]
    assert len(passed) >= 3
    assert not all(passed)


def answers(file, sample):
    """The right answer of a sample, and a wrong one."""
    tasks = file.suite.tasks
    name = sample.tags.get("task") or next(iter(tasks))
    kind = tasks[name].answer
    if "no_leakage" in tasks[name].metrics:
        return "Write a cover letter.", f"Write to {sample.expected.split('||')[0]}."
    if kind.__struct_config__.tag in ("choice", "letter"):
        letters = LETTERS[: len(sample.data["choices"])]
        right = sample.data.get("right") or [sample.expected]
        return right[0], next(letter for letter in letters if letter not in right)
    wrong = WRONG[kind.__struct_config__.tag]
    return str(sample.expected), wrong
