"""What is kept of a failed case: which, on what input, both sides; and in which words a number or letter was read."""

from __future__ import annotations

import msgspec
import pytest

from evaluation.answers.deciding_line import deciding_line
from evaluation.benchmarks.gsm8k.task import Gsm8kTask
from evaluation.benchmarks.human_eval.task import HumanEvalTask, load_data
from evaluation.benchmarks.lcb.data import Test as Case
from evaluation.benchmarks.lcb.grading import grade as grade_lcb
from evaluation.benchmarks.mmlu.task import MmluData, MmluTask
from evaluation.benchmarks.tasks.file import CodingTask, TaskCase
from evaluation.benchmarks.tasks.grading import grade as grade_task
from evaluation.data.data_set import DataSet
from evaluation.failed_checks import both_bounded, bounded, located
from evaluation.loop.judging import judge
from evaluation.protocols import Answer, PromptStyle, Request, Sample
from results.completion_lines import decode_completion
from results.failed_check import FailedCheck

TIMEOUT_S = 5.0


def own_task(function, *cases):
    made = tuple(
        TaskCase(input=given, expected_output=expected, weight=1.0, timeout_s=None)
        for given, expected in cases
    )
    return CodingTask(
        id="t",
        prompt="",
        difficulty="easy",
        cases=made,
        function=function,
        reference_solution="",
        metadata={},
    )


def test_a_case_of_an_own_function(grader):
    task = own_task("add", ([1, 2], 3), ([2, [3]], 5))
    check = grade_task("def add(a, b): return a + 2\n", task, grader).failed_check
    assert check == FailedCheck(check="case 2 of 2", call="add(2, [3])", got="4", relation="==", expected="5")
    raises = grade_task("def add(a, b):\n    return a + b\n", task, grader).failed_check
    assert raises == FailedCheck(check="case 2 of 2", call="add(2, [3])", line=2)


def test_a_case_of_an_own_program(grader):
    task = own_task(None, ("4 5\n", "9\n"))
    check = grade_task("print(input())\n", task, grader).failed_check
    assert check == FailedCheck(
        check="case 1 of 1", given="4 5\n", got="4 5\n", relation="==", expected="9\n"
    )
    assert grade_task("print(9)\n", task, grader).failed_check is None


def test_a_test_of_livecodebench(grader):
    tests = [Case("1\n", "1\n", "stdin"), Case("2\n", "4\n", "stdin")]
    check = grade_lcb("print(input())\n", tests, None, grader).failed_check
    assert check == FailedCheck(check="test 2 of 2", given="2\n", got="2", relation="==", expected="4")
    raises = grade_lcb("x = 1\nprint(int(input()) // 0)\n", tests, None, grader).failed_check
    assert (raises.check, raises.line) == ("test 1 of 2", 2)
    calls = [Case("[1, 2]\n3", "[3]", "functional")]
    code = "class Solution:\n    def f(self, a, b):\n        return (a, b)\n"
    check = grade_lcb(code, calls, "f", grader).failed_check
    assert (check.call, check.got, check.expected) == ("f([1, 2], 3)", "([1, 2], 3)", "[3]")


def test_a_long_output_is_shown_from_where_it_differs(grader):
    right = "".join(f"{number}\n" for number in range(5000))
    check = grade_lcb(
        "for n in range(5000): print(n if n != 4000 else 'x')\n", [Case("", right, "stdin")], None, grader
    ).failed_check
    assert check.got.startswith("(from line 3998 on)\n3997\n3998\n3999\nx\n")
    assert check.expected.startswith("(from line 3998 on)\n3997\n3998\n3999\n4000\n")
    assert len(check.got) < 2100


def test_the_line_of_an_error_is_one_of_the_code_that_is_shown(grader):
    task = HumanEvalTask(load_data(), style=PromptStyle.CHAT, grader=grader)
    sample = task.get_samples(1)[0]
    answer = Answer(
        text="```python\ndef has_close_elements(numbers, threshold):\n    return numbers['no']\n```"
    )
    request = Request(
        task_id=sample.task_id, index=0, style=task.style, system="", user="", prompt_sha256="ab"
    )
    done = judge(task, sample, request, answer)
    assert done.failed_check.code == "return numbers['no']"
    assert done.completion.split("\n")[done.failed_check.line - 1].strip() == "return numbers['no']"
    assert done.prompt_sha256 == "ab"
    assert decode_completion(msgspec.json.encode(done)) == done


def test_what_is_only_a_thought_is_told_from_the_answer(grader):
    task = Gsm8kTask(DataSet((), ""), style=PromptStyle.CHAT)
    sample = Sample(task_id="g", data={"answer": "#### 4"}, expected="4")
    request = Request(task_id="g", index=0, style=task.style, system="", user="")
    text = "<think>maybe 5</think>\n\nThe answer is 4."
    done = judge(task, sample, request, Answer(text=text))
    assert text[done.thought_chars :].strip() == "The answer is 4."
    assert judge(task, sample, request, Answer(text="The answer is 4.")).thought_chars == 0
    cut = "<think>maybe 5 and"
    assert judge(task, sample, request, Answer(text=cut, finish_reason="length")).thought_chars == len(cut)


@pytest.mark.parametrize(
    ("answer", "read", "words"),
    [
        ("First 3 + 4 = 7.\nSo the answer is 7.\nDone in 2 steps.", "7", "So the answer is 7."),
        ("She has 3 and buys 9.\n\nThat makes 12", "12", "That makes 12"),
        ("no idea", "", ""),
    ],
)
def test_in_which_words_a_number_was_read(answer, read, words):
    task = Gsm8kTask(DataSet((), ""), style=PromptStyle.CHAT)
    sample = Sample(task_id="g", data={"answer": "#### 1"}, expected="1")
    judgement = task.calculate_metrics(answer, "1", sample)
    assert (judgement.completion, judgement.read_in) == (read, words)


def test_in_which_words_a_letter_was_read():
    task = MmluTask(MmluData(DataSet((), "")), style=PromptStyle.CHAT)
    sample = Sample(task_id="m", data={}, expected="A")
    judgement = task.calculate_metrics("A is false.\nThe correct answer is (B).", "A", sample)
    assert (judgement.completion, judgement.read_in) == ("B", "The correct answer is (B).")
    assert deciding_line("x" * 5000, lambda _: True) == "..." + "x" * 300


def test_values_are_bounded():
    assert bounded("x" * 3000) == "x" * 2000 + "... (3000 characters)"
    assert both_bounded("a", "b") == ("a", "b")
    assert located(FailedCheck(line=9), "x\ny\n", "before\n") == FailedCheck()
    assert located(FailedCheck(line=2), "x\n  y\n") == FailedCheck(line=2, code="y")
