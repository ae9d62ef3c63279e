"""`tasks validate`: large inputs that a task gives, and lines that no test case executes."""

from __future__ import annotations

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
    assert "tasks[0].scale: the reference solution takes 0.0" in said
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
            ":7: tasks[0].scale: scaled_input must return the list of the function's arguments, not a dict",
        ),
    ],
)
def test_a_scale_that_is_wrong_is_told(tmp_path, capsys, old, new, told):
    path = tmp_path / "mine.yaml"
    path.write_text(TASKS.replace(old, new))
    assert main([str(path)]) == 2
    assert told in capsys.readouterr().err
