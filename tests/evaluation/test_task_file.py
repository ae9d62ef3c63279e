# ruff: noqa: E501 - tables of cases
"""Files of tasks: what is read, what is told of a broken one, which tasks are drawn, and what counts as right."""

from __future__ import annotations

import json
import textwrap
from collections import Counter

import pytest

from evaluation.answers.programs import program_from_chat, program_from_completion
from evaluation.benchmarks.tasks.file import CodingTask, TaskCase, read_task_file
from evaluation.benchmarks.tasks.grading import same_text, same_value
from evaluation.benchmarks.tasks.prompts import beginning, user_prompt
from evaluation.benchmarks.tasks.sampling import choose_tasks
from evaluation.benchmarks.tasks.task import OwnTasks, weighted_metric
from evaluation.protocols import PromptStyle
from results.errors import UsageError
from results.records import Completion, Outcome

GOOD = """\
version: 1.10
metadata: {owner: me}
tasks:
  - id: double
    difficulty: easy
    prompt: Return twice the number.
    function: double
    test_cases:
      - input: [2]
        expected_output: 4
        timeout: 1.5
        weight: 3
      - {input: [0.5], expected_output: 1}
    reference_solution: |
      def double(number: float) -> float:
          return 2 * number
    metadata: {source: mine}
    version: 2
  - id: 17
    difficulty: hard
    prompt: |
      Print yes.
    test_cases:
      - expected_output: yes
      - {input: 007, expected_output: 12:30}
"""
TASK = {
    "id": "a",
    "difficulty": "easy",
    "prompt": "p",
    "test_cases": [{"input": "", "expected_output": "x"}],
}


def read(tmp_path, text, name="tasks.yaml"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else textwrap.dedent(text).encode())
    return read_task_file(path)


def errors(tmp_path, text, name="tasks.yaml"):
    """`LINE: FIELD: message` of each."""
    with pytest.raises(UsageError) as caught:
        read(tmp_path, text, name)
    told = caught.value.message.splitlines()
    if len(told) > 1:
        assert told.pop(0) == f"{tmp_path / name} has {len(told)} errors:"
    assert all(line.strip().startswith(f"{tmp_path / name}:") for line in told)
    return [line.strip().removeprefix(f"{tmp_path / name}:") for line in told]


def test_every_field_is_read(tmp_path):
    file = read(tmp_path, GOOD)
    double, other = file.tasks
    assert (file.version, file.metadata, double.version, double.metadata) == (
        "1.10",
        {"owner": "me"},
        "2",
        {"source": "mine"},
    )
    assert (double.id, double.difficulty, double.function) == ("double", "easy", "double")
    assert double.cases[0] == TaskCase(input=[2], expected_output=4, timeout_s=1.5, weight=3.0, line=9)
    assert double.cases[1] == TaskCase(input=[0.5], expected_output=1, line=13)
    assert (other.id, other.function, other.reference_solution, other.prompt) == (
        "17",
        None,
        "",
        "Print yes.",
    )


def test_what_a_program_prints_is_taken_as_it_is_written(tmp_path):
    """Protects `yes`, 007 and 12:30 from what YAML 1.1 makes of them: true, 7 and 750."""
    first, second = read(tmp_path, GOOD).tasks[1].cases
    assert (first.input, first.expected_output) == ("", "yes")
    assert (second.input, second.expected_output) == ("007", "12:30")


def test_json_is_the_same_format(tmp_path):
    """With what YAML would read otherwise: tabs, 1e5, pairs of surrogates, line separators, no space behind a colon."""
    case = {"input": [1e5, "\t\u2028\U0001f600", None, True], "expected_output": {"a": [1]}}
    task = {**TASK, "function": "f", "test_cases": [case]}
    for text in (
        json.dumps({"tasks": [task]}, indent="\t"),
        json.dumps({"tasks": [task]}, ensure_ascii=False, separators=(",", ":")),
    ):
        [found] = read(tmp_path, text, "tasks.json").tasks
        assert found.cases[0].input == case["input"]
        assert found.cases[0].expected_output == case["expected_output"]


BROKEN = [
    ("[]", ["1: must be a mapping with the key tasks"]),
    ("", ["1: must be a mapping with the key tasks"]),
    ("tasks: []", ["1: tasks: is empty"]),
    ("tasks: {a: 1}", ["1: tasks: must be a list, not a mapping"]),
    ("version: 1", ["1: tasks: is missing"]),
    ("tasks:\n- 3", ["2: tasks[0]: must be a mapping with the keys id, difficulty, prompt, test_cases"]),
    ("tasks:\n  - id: a\n    - b", ["3: not valid YAML: "]),
    ("tasks: !!set {a}", ["1: tasks: the tag !!set means nothing here"]),
    ("tasks: " + "[" * 100_000, ["1: nested more than 100 levels deep"]),
    (b"tasks:\n- id: \xff", ["2: is not UTF-8"]),
]


@pytest.mark.parametrize(("text", "expected"), BROKEN)
def test_a_file_that_is_none_is_told(tmp_path, text, expected):
    found = errors(tmp_path, text)
    assert len(found) == len(expected)
    assert all(line.startswith(start) for line, start in zip(found, expected, strict=True)), found


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("{input: a}", "test_cases[0].expected_output: is missing"),
        (
            "{input: a, expected: b}",
            "test_cases[0].expected: is not a field of the format; did you mean expected_output?",
        ),
        ("{input: a, expected_output: }", 'test_cases[0].expected_output: is empty; for no text write ""'),
        ("{input: [a], expected_output: b}", "test_cases[0].input: must be a text, not a list"),
        ("{expected_output: b, timeout: 0}", "test_cases[0].timeout: must be more than 0 and at most 3600"),
        ("{expected_output: b, timeout: soon}", "test_cases[0].timeout: must be a number, not a text"),
        ("{expected_output: b, weight: -1}", "test_cases[0].weight: must be more than 0"),
        ("{expected_output: b, weight: true}", "test_cases[0].weight: must be a number, not a truth value"),
        ("3", "test_cases[0]: must be a mapping"),
    ],
)
def test_a_wrong_test_case_is_told_once_with_its_line_and_field(tmp_path, case, expected):
    text = f"tasks:\n- id: a\n  difficulty: easy\n  prompt: p\n  test_cases:\n  - {case}\n"
    [found] = errors(tmp_path, text)
    assert found.startswith(f"6: tasks[0].{expected}")


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("difficulty: simple", "3: tasks[0].difficulty: 'simple' must be one of easy, medium, hard, extreme"),
        ("difficulty:", "3: tasks[0].difficulty: is empty"),
        ("dificulty: easy", "3: tasks[0].dificulty: is not a field of the format; did you mean difficulty?"),
        (
            "difficulty: easy\n  zzz: 1",
            "4: tasks[0].zzz: is not a field of the format; known are id, difficulty",
        ),
        ("difficulty: easy\n  id: b", "4: tasks[0].id: is given twice, first in line 2"),
        (
            "difficulty: easy\n  function: 2x",
            "4: tasks[0].function: '2x' is not a name for a Python function",
        ),
        ("difficulty: easy\n  metadata: 3", "4: tasks[0].metadata: must be a mapping, not a number"),
        (
            "difficulty: easy\n  reference_solution: |\n    x = 1\n    def",
            "4: tasks[0].reference_solution: is not valid Python: invalid syntax in its line 2",
        ),
        (
            "difficulty: easy\n  function: f\n  reference_solution: g = 1",
            "5: tasks[0].reference_solution: does not define the function f",
        ),
    ],
)
def test_a_wrong_field_is_told_once_with_its_line(tmp_path, field, expected):
    given = "[1]" if "function" in field else "a"
    text = f"tasks:\n- id: a\n  {field}\n  prompt: p\n  test_cases:\n  - {{input: {given}, expected_output: b}}\n"
    [found] = errors(tmp_path, text)
    assert found.startswith(expected)


def test_all_errors_are_told_at_once_in_the_order_of_lines(tmp_path):
    text = """\
        tasks:
          - id: a
            difficulty: easy
            prompt: p
            function: f
            test_cases:
              - {input: 3, expected_output: 4}
          - id: a
            difficulty: esay
            test_cases:
              - {input: "", expected_output: [1], timeout: 5000}
          - id: a
            difficulty: easy
            prompt: p
            test_cases: [{expected_output: x}]
        """
    found = errors(tmp_path, text)
    assert [line.split(": ")[:2] for line in found] == [
        ["7", "tasks[0].test_cases[0].input"],
        ["8", "tasks[1].prompt"],
        ["9", "tasks[1].difficulty"],
        ["11", "tasks[1].test_cases[0].timeout"],
        ["11", "tasks[1].test_cases[0].expected_output"],
    ]


def test_the_same_id_twice_is_told(tmp_path):
    found = errors(tmp_path, json.dumps({"tasks": [TASK, TASK]}, indent=1), "tasks.json")
    assert found == ["15: tasks[1].id: 'a' is also the id of tasks[0]"]


def test_a_value_that_json_has_no_number_for_is_told(tmp_path):
    """It could not be handed to the function, nor be compared."""
    text = """\
        tasks:
          - id: a
            difficulty: easy
            prompt: p
            function: f
            test_cases:
              - {input: [1, {x: [.nan]}], expected_output: 4}
              - input: [.inf]
                expected_output: -.inf
        """
    what = "JSON has no such number"
    assert errors(tmp_path, text) == [
        f"7: tasks[0].test_cases[0].input[1].x[0]: {what}",
        f"8: tasks[0].test_cases[1].input[0]: {what}",
        f"9: tasks[0].test_cases[1].expected_output: {what}",
    ]


def test_keys_that_are_there_twice_are_told_with_the_other_errors(tmp_path):
    found = errors(tmp_path, '{"tasks": [],\n"version": 1,\n"version": 2,\n"x": 3}', "tasks.json")
    assert [line.split(":")[0] for line in found] == ["1", "3", "4"]


def test_a_file_that_is_not_there_or_of_another_kind_is_told(tmp_path):
    with pytest.raises(UsageError, match="No such file"):
        read_task_file(tmp_path / "none.yaml")
    with pytest.raises(UsageError, match=r"a task file ends in .yaml, .yml, .json$"):
        read_task_file(tmp_path / "tasks.toml")


# --- drawing ---


def make(number, difficulty="easy", **fields):
    return CodingTask(
        **{
            "id": f"t{number}",
            "difficulty": difficulty,
            "prompt": "p",
            "function": None,
            "cases": (TaskCase(input="", expected_output="x"),),
            "metadata": {},
            **fields,
        }
    )


MANY = [
    make(n, level)
    for n, level in enumerate(["easy"] * 40 + ["medium"] * 30 + ["hard"] * 20 + ["extreme"] * 10)
]


def test_a_draw_depends_on_the_seed_and_not_on_the_order_of_the_file():
    chosen = choose_tasks(MANY, count=20, seed=3)
    assert {task.id for task in chosen} == {task.id for task in choose_tasks(MANY[::-1], count=20, seed=3)}
    assert [task.id for task in chosen] != [task.id for task in choose_tasks(MANY, count=20, seed=4)]
    assert list(chosen) == [task for task in MANY if task in chosen]  # in the file's order


@pytest.mark.parametrize("count", [10, 20, 33, 50])
def test_each_difficulty_has_its_share(count):
    found = Counter(task.difficulty for task in choose_tasks(MANY, count=count, seed=1))
    assert all(
        abs(found[level] - share * count) <= 1
        for level, share in {"easy": 0.4, "medium": 0.3, "hard": 0.2, "extreme": 0.1}.items()
    )
    assert found.total() == count


def test_a_larger_draw_keeps_the_smaller_one():
    for count in range(1, 100):
        assert {t.id for t in choose_tasks(MANY, count=count)} < {
            t.id for t in choose_tasks(MANY, count=count + 1)
        }


def test_every_task_is_drawn_about_as_often_as_another():
    """Protects against a draw that prefers some tasks, whatever the seed."""
    seen = Counter(task.id for seed in range(1000) for task in choose_tasks(MANY, count=20, seed=seed))
    assert len(seen) == 100
    assert min(seen.values()) > 140  # 200 expected, 13 standard deviation
    assert max(seen.values()) < 260


def test_difficulties_that_are_not_there_and_too_many_are_told():
    with pytest.raises(UsageError, match="no task has the difficulty hard") as caught:
        choose_tasks(MANY[:70], difficulties=["hard"])
    assert caught.value.hint == "there is easy, medium"
    with pytest.raises(UsageError, match="--sample 31 of 30 tasks"):
        choose_tasks(MANY, difficulties=["medium"], count=31)


# --- what is right ---


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


@pytest.fixture(scope="module")
def grader():
    from evaluation.loop.grader import Grader

    opened = Grader(level="auto", timeout_s=20.0)
    opened.open()
    yield opened
    opened.close()


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
