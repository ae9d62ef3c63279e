"""The examples that a search may show: each one's answer is right for the benchmark that it is taken from."""

from __future__ import annotations

import pytest

from evaluation.benchmarks.gsm8k import task as gsm8k
from evaluation.benchmarks.human_eval import task as human_eval
from evaluation.benchmarks.mbpp.data import load_data
from evaluation.benchmarks.mbpp.task import MbppTask
from evaluation.benchmarks.mmlu import task as mmlu
from evaluation.benchmarks.tasks.file import read_task_file
from evaluation.benchmarks.tasks.task import STARTER_SET, OwnTasks
from evaluation.loop.prompted_task import PromptedTask
from evaluation.protocols import PromptStyle
from evaluation.suites.loader import read_suite_file
from evaluation.suites.task import SuiteRows, SuiteTask
from results.prompts.prompt_file import PromptText
from settings.suites import shipped_suites
from tests.evaluation.mbpp_problems import full
from tests.evaluation.reference import GSM8K, MMLU
from tests.evaluation.shipped_rows import NAMES, environment

TIMEOUT_S = 5.0

STYLES = (PromptStyle.CHAT, PromptStyle.COMPLETION)


def wrong(task, samples):
    """Samples whose example the benchmark itself would fail."""
    found = [(sample, task.worked_example(sample)) for sample in samples]
    return [
        sample.task_id
        for sample, example in found
        if example is not None and not task.calculate_metrics(example.answer, sample.expected, sample).passed
    ]


@pytest.mark.parametrize("style", STYLES)
def test_of_questions_with_one_right_answer(style):
    problems = gsm8k.Gsm8kTask(gsm8k.load_data(GSM8K), style=style)
    questions = mmlu.MmluTask(mmlu.load_data(MMLU, few_shot=0, by_letter=False), style=style)
    for task in (problems, questions):
        assert wrong(task, task.get_samples(None)) == []
    example = problems.worked_example(problems.get_samples(1)[0])
    assert "<<" not in example.answer
    assert "####" not in example.answer


@pytest.mark.parametrize("style", STYLES)
def test_of_code(style, grader, tmp_path):
    functions = human_eval.HumanEvalTask(human_eval.load_data(), style=style, grader=grader)
    sentences = MbppTask(load_data(full(tmp_path / "mbpp.jsonl")), style=style, grader=grader)
    own = OwnTasks(read_task_file(STARTER_SET).tasks, style=style, grader=grader)
    assert wrong(functions, functions.get_samples(6)) == []
    assert wrong(sentences, sentences.get_samples(None)) == []
    assert wrong(own, own.get_samples(6)) == []


def test_of_shipped_suites(tmp_path, monkeypatch):
    for name, value in environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    for name in {*NAMES} - {"pupa"}:  # whose references its own metric does not give everything
        task = SuiteTask(SuiteRows(read_suite_file(shipped_suites()[name])), style=PromptStyle.CHAT)
        assert wrong(task, task.get_samples(4)) == [], name


def test_a_question_stands_alone_even_where_the_benchmark_shows_examples_of_its_own():
    task = gsm8k.Gsm8kTask(gsm8k.load_data(GSM8K), style=PromptStyle.COMPLETION)
    first, second = task.get_samples(2)
    example = task.worked_example(first)
    assert example.question.count("Q:") == 1
    prompted = PromptedTask(task, PromptText(examples=(example,)))
    asked = prompted.get_prompt(second)
    assert (asked.system + asked.user).count("Q:") == 2 + 8
    assert asked.system.endswith(f"The answer is {first.expected}.\n\n")
