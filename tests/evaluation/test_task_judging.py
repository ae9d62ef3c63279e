# ruff: noqa: E501 - tables of cases
"""Tasks of one's own: how a model is asked, and what counts as right."""

from __future__ import annotations

import pytest

from evaluation.answers.programs import program_from_chat, program_from_completion
from evaluation.benchmarks.tasks.file import TaskCase
from evaluation.benchmarks.tasks.grading import same_text, same_value
from evaluation.benchmarks.tasks.prompts import beginning, user_prompt
from evaluation.benchmarks.tasks.task import OwnTasks, weighted_metric
from evaluation.protocols import PromptStyle
from results.records import Completion, Outcome
from tests.evaluation.made_tasks import make

TIMEOUT_S = 20.0


@pytest.mark.parametrize(
    ("expected", "printed", "same"),
    [
        ("a\nb\n", "a  \nb\t\r\n\n\n", True),
        ("a", "a", True),
        ("", "\n \n", True),
        ("a", " a", False),
        ("a b", "a  b", False),
        ("a\n\nb", "a\nb", False),
        ("1.0", "1", False),
        ("a", "\na", False),
    ],
)
def test_printed_text_is_compared_line_by_line(expected, printed, same):
    assert same_text(expected, printed) is same


@pytest.mark.parametrize(
    ("expected", "returned", "same"),
    [
        (1, 1, True),
        (1, 1.0, True),
        (1, True, False),
        (True, 1, False),
        (0.3, 0.1 + 0.2, True),
        (0.3, 0.3001, False),
        (100.0, 100.0 + 9e-8, True),  # one part in 10^9, and 10^-9 near zero
        (100.0, 100.0 + 2e-7, False),
        (0.0, 9e-10, True),
        (0.0, 2e-9, False),
        (10**20, 10**20 + 1, False),
        (1.5, 10**400, False),
        ([1, [2.0]], [1, [2]], True),
        ([1, 2], [2, 1], False),
        ({"a": [None]}, {"a": [None]}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ("1", 1, False),
        (None, 0, False),
        ("", None, False),
    ],
)
def test_values_are_compared_as_json(expected, returned, same):
    assert same_value(expected, returned) is same


# --- prompts and answers ---

PROGRAM = "import sys\nprint(sum(map(int, sys.stdin)))\n"


@pytest.mark.parametrize(
    "answer",
    [
        f"```python\n{PROGRAM}```",
        f"Sure:\n\n```python\n{PROGRAM}```\n\nFor example:\n\n```\n1\n2\n```\nprints\n```\n3\n```",
        f"First try:\n```python\nprint(1)\n```\nBetter:\n```python\n{PROGRAM}```\nInstall with\n```bash\npip install x\n```",
        f"```python\n{PROGRAM}```\nHere the helper:\n```python\ndef unused(): ...\n```",
        f"Here is the program:\n\n{PROGRAM}\nIt reads the lines and adds them.",
        PROGRAM,
        f"```\n{PROGRAM}",
    ],
)
def test_the_program_is_found_in_an_answer(answer):
    assert program_from_chat(answer).strip() == PROGRAM.strip()


def test_a_completion_ends_where_it_is_no_program_any_more():
    assert program_from_completion(PROGRAM + "\nThis program reads the numbers.\n").strip() == PROGRAM.strip()
    assert program_from_completion(PROGRAM + "```\nmore").strip() == PROGRAM.strip()
    assert program_from_completion("\ndef f():\n    return 1\n\ndef g(").strip() == "def f():\n    return 1"
    assert program_from_completion("I can't do that.") == ""
    assert program_from_chat("```\nno code here, sorry\n```") != PROGRAM


def test_a_function_is_asked_for_with_its_signature_and_a_program_with_what_it_reads():
    solution = "from x import Y\ndef f(a: int, b: list[str] = ()) -> dict:\n    return {}\n"
    task = make(1, function="f", reference_solution=solution, prompt='Say "\\n".\n\n"""x"""')
    assert beginning(task).splitlines()[0] == "def f(a: int, b: list[str]=()) -> dict:"
    assert compile(beginning(task), "stub", "exec")
    assert beginning(task) in user_prompt(task, PromptStyle.CHAT)
    assert user_prompt(task, PromptStyle.COMPLETION) == beginning(task)
    unknown = make(1, function="f", reference_solution="def f(a: Y, b: int): ...")
    assert beginning(unknown).startswith("def f(a, b):")
    none = make(1, function="f", cases=(TaskCase(input=[1, 2], expected_output=3),))
    assert beginning(none).startswith("def f(argument_1, argument_2):")
    assert "standard input" in user_prompt(make(1), PromptStyle.CHAT)
    assert compile(user_prompt(make(1, prompt='a """ \\'), PromptStyle.COMPLETION), "stub", "exec")


def test_the_weighted_share_is_averaged_by_task_with_its_interval():
    shares = {"a": [1.0, 0.5], "b": [0.25, 0.25], "c": [0.0, None]}
    done = [
        Completion(
            task_id=name,
            index=index,
            outcome=Outcome.FAILED,
            metrics={} if share is None else {"weighted": share},
        )
        for name, some in shares.items()
        for index, share in enumerate(some)
    ]
    metric = weighted_metric(done)
    assert metric.value == pytest.approx((0.75 + 0.25 + 0) / 3)
    assert 0 <= metric.low < metric.value < metric.high <= 1


# --- the task as a whole, in the sandbox ---


def judged(grader, task, answer, style=PromptStyle.CHAT):
    whole = OwnTasks([task], style=style, grader=grader)
    [sample] = whole.get_samples(None)
    assert sample.tags == {"difficulty": task.difficulty}
    return whole.calculate_metrics(answer, None, sample)


CASES = (
    TaskCase(input=[2, 3], expected_output=[5, 6], weight=1),
    TaskCase(input=[0, 0], expected_output=[0, 0], weight=2),
    TaskCase(input=[-1, 4], expected_output=[3, -4], weight=1),
)
BOTH = make(
    1, function="both", cases=CASES, reference_solution="def both(a, b):\n    return [a + b, a * b]\n"
)


def test_part_of_the_cases_is_part_of_the_credit_and_no_pass(grader):
    found = judged(grader, BOTH, "```python\ndef both(a, b):\n    return (abs(a + b), abs(a * b))\n```")
    assert (found.passed, found.metrics) == (False, {"weighted": 0.75})
    assert found.detail == "case 3 of 3: returned [3, 4], expected [3, -4]"


def test_tuples_prints_and_the_body_alone_are_right(grader):
    """What a function prints is not its result."""
    code = "```python\nprint('hello')\ndef both(a, b):\n    print(a, end='')\n    return a + b, a * b\n```"
    assert judged(grader, BOTH, code).metrics == {"weighted": 1.0}
    assert judged(grader, BOTH, "    return [a + b, a * b]\n\n\ndef more(", PromptStyle.COMPLETION).passed


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("return {a}", "TypeError: Object of type set is not JSON serializable"),
        ("raise ValueError('no')", "ValueError: no"),
        ("import os; os._exit(0)", "exited with code 0"),
        ("while True: pass", "used 0.2 s of processor time"),
        ("print('\\x1eresult [5, 6]'); raise SystemExit", "returned [5, 6], expected [0, 0]"),
    ],
)
def test_why_a_function_failed_is_told(grader, body, why):
    case = TaskCase(input=[0, 0], expected_output=[0, 0], timeout_s=0.2)
    task = make(1, function="both", cases=(case,), reference_solution=BOTH.reference_solution)
    found = judged(grader, task, f"```python\ndef both(a, b):\n    {body}\n```")
    assert (found.passed, found.broken) == (False, False)
    assert why in found.detail


@pytest.mark.parametrize(
    "code",
    ["from fractions import Fraction\ndef both(a, b):\n    return Fraction(a) + b, Fraction(a) * b",
     "from decimal import Decimal\ndef both(a, b):\n    return Decimal(a) + b, a * b",
     "import numpy as np\ndef both(a, b):\n    return [*np.array([a + b, a * b])]",
     "import enum\nclass N(enum.IntEnum):\n    FIVE, SIX = 5, 6\ndef both(a, b):\n    return [N(a + b) if a == 2 else a + b, a * b]"],
    ids=["fractions", "decimals", "NumPy's numbers", "an enumeration"],
)  # fmt: skip
def test_numbers_of_other_types_are_the_numbers_that_they_equal(grader, code):
    assert judged(grader, BOTH, f"```python\n{code}\n```").passed


def test_keys_that_are_no_texts_are_compared_as_json_has_them(grader):
    case = TaskCase(input=[[1, 1, 2]], expected_output={1: 2, 2: 1})
    task = make(1, function="count", cases=(case,), reference_solution="def count(xs): return {}")
    code = "from collections import Counter\ndef count(xs):\n    return Counter(xs)"
    assert judged(grader, task, f"```python\n{code}\n```").passed
    assert not judged(grader, task, f"```python\n{code.replace('(xs)', '(xs[1:])')}\n```").passed


def test_each_case_has_its_own_time(grader):
    slow = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass\nprint(input())\n"
    cases = tuple(TaskCase(input="x", expected_output="x", timeout_s=limit) for limit in (0.1, None))
    found = judged(grader, make(1, cases=cases), f"```python\n{slow}```")
    assert found.metrics == {"weighted": 0.5}
    assert "0.1 s" in found.detail


def test_an_answer_without_code_fails(grader):
    assert judged(grader, BOTH, "I'm sorry.").metrics == {"weighted": 0.0}
    assert judged(grader, BOTH, "I'm sorry.").detail == "no code in the answer"
