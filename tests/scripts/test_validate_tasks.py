"""`tasks validate`: large inputs that a task gives, and lines that no test case executes."""

from __future__ import annotations

import json

import pytest

from scripts.validate_tasks import main

TASKS = """\
version: 1.0
tasks:
  - id: twice
    difficulty: easy
    prompt: Return twice the number.
    function: twice
    scale:
      size: 10
      input: |
        def scaled_input(size):
            return [random.randrange(size) for _ in range(1)]
    test_cases:
      - {input: [2], expected_output: 4}
    reference_solution: |
      def twice(number):
          '''Twice.'''
          return number * 2
  - id: echo
    difficulty: medium
    prompt: Print the input.
    test_cases:
      - {input: a, expected_output: a}
    reference_solution: |
      import sys
      text = sys.stdin.read()
      if text == "b":
          print(text,
            "b")
          sys.exit()
      if text == "c":  # pragma: no cover
          print("never")
      print(text)
"""


def test_lines_that_no_case_executes_are_told(tmp_path, capsys):
    """Also those of a program; a docstring, and what is left out on purpose, are no lines."""
    path = tmp_path / "mine.yaml"
    path.write_text(TASKS)
    assert main([str(path), "--coverage"]) == 0
    said = capsys.readouterr().out.splitlines()
    where = f"note: {path}:23: tasks[1].reference_solution"
    assert f"{where}: the test cases of echo execute 4 of 6 lines; not 4-6" in said
    assert said[-1] == "coverage: the test cases execute 6 of 8 lines of the reference solutions (75.0 %)", (
        said
    )


def test_a_large_input_is_made_and_solved(tmp_path, capsys):
    path = tmp_path / "mine.yaml"
    path.write_text(TASKS)
    assert main([str(path)]) == 0
    said = capsys.readouterr().out
    assert f"note: {path}:7: tasks[0].scale: the reference solution takes 0.0" in said
    assert "coverage" not in said


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("size: 10", "size: 1.5", ":8: tasks[0].scale.size: must be a whole number"),
        (
            "size: 10",
            "sizes: 10",
            ":8: tasks[0].scale.sizes: is not a field of the format; did you mean size?",
        ),
        ("scaled_input(", "scaled(", ":9: tasks[0].scale.input: does not define the function scaled_input"),
        ("randrange(size)", "nothing(size)", ":7: tasks[0].scale: its input can't be made: exception: Attr"),
        (
            "random.randrange(size) for _ in range(1)",
            "",
            ":7: tasks[0].scale: the reference solution fails on its input: exception: TypeError",
        ),
        (
            "[random.randrange(size) for _ in range(1)]",
            "{1: 2}",
            ":7: tasks[0].scale: scaled_input must return the list of the function's arguments, not a mapping",
        ),
    ],
)
def test_a_scale_that_is_wrong_is_told(tmp_path, capsys, old, new, told):
    path = tmp_path / "mine.yaml"
    path.write_text(TASKS.replace(old, new))
    assert main([str(path)]) == 2
    assert told in capsys.readouterr().err


def told(tmp_path, capsys, code):
    """Of a task with that reference solution."""
    path = tmp_path / "mine.json"
    task = {
        "id": "twice", "difficulty": "easy", "prompt": "Twice.", "function": "twice", "reference_solution": code,
        "test_cases": [{"input": [2], "expected_output": 4}],
    }  # fmt: skip
    path.write_text(json.dumps({"tasks": [task]}))
    assert main([str(path), "--coverage"]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize(
    "made_up",
    ["[[1], {}]", "5", "[" * 50_000, '[1e999, -5, true, null, "x", 10000000000000000000000000]'],
    ids=["lists", "a number", "deep", "odd"],
)
def test_lines_that_a_solution_makes_up_break_nothing(tmp_path, capsys, made_up):
    """It can write after the tracer has; what is no list of lines is none."""
    late = f"import atexit, sys\natexit.register(sys.__stdout__.write, {chr(10) + chr(30) + 'lines ' + made_up!r})"
    said = told(tmp_path, capsys, f"{late}\ndef twice(number):\n    return number * 2\n")
    assert said.endswith("coverage: the test cases execute 0 of 4 lines of the reference solutions (0.0 %)\n")


def test_a_comment_about_its_encoding_hides_no_line(tmp_path, capsys):
    code = "# -*- coding: nosuch -*-\nimport math\ndef twice(number):\n    return number * 2\n"
    assert "execute 3 of 3 lines" in told(tmp_path, capsys, code)


def test_what_coverage_can_not_read_is_told_as_not_known(tmp_path, capsys):
    said = told(tmp_path, capsys, "\fdef twice(number):\n\f    return number * 2\n")
    assert (
        "tasks[0].reference_solution: what the test cases of twice execute is not known: coverage.py can"
        in said
    )


def test_a_version_is_a_short_line(tmp_path, capsys):
    path = tmp_path / "mine.yaml"
    for version in ("x" * 101, '"\\e[31m"', '" 1"'):
        path.write_text(TASKS.replace("version: 1.0", f"version: {version}"))
        assert main([str(path)]) == 2
        assert ":1: version: must be one line of at most 100 characters" in capsys.readouterr().err
