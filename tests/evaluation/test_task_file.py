"""Files of tasks: what is read, and what is told of a broken one."""

from __future__ import annotations

import json
import textwrap

import pytest

from evaluation.benchmarks.tasks.file import TaskCase, read_task_file
from results.errors import UsageError

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
