"""Which part of an answer is executed, by us and by the official runner."""

from __future__ import annotations

import pytest

from evaluation.benchmarks.lcb.extraction import extract, official_extract
from evaluation.protocols import PromptStyle

PROGRAM = "n = int(input())\nprint(n)"
METHOD = "class Solution:\n    def f(self, n):\n        return n"


def chat(text, function=None):
    return extract(text, PromptStyle.CHAT, function).code


def fenced(code, tag="python"):
    return f"```{tag}\n{code}\n```\n"


@pytest.mark.parametrize(
    "answer",
    [
        fenced(PROGRAM),
        fenced(PROGRAM, ""),
        "I read the number and print it.\n\n" + fenced(PROGRAM) + "\nIt takes O(1).",
        fenced("print('draft'") + "That was wrong. Better:\n" + fenced(PROGRAM),
        fenced("n = input()") + "Better:\n" + fenced(PROGRAM),
        fenced(PROGRAM) + "With this input\n" + fenced("5", "") + "it prints\n" + fenced("5", ""),
        fenced(PROGRAM) + "The heart of it is\n" + fenced("print(n)"),
        "```python\n" + PROGRAM,  # cut before its fence
        PROGRAM,
    ],
)
def test_of_several_blocks_the_program_is_taken(answer):
    assert chat(answer).strip() == PROGRAM


def test_of_several_blocks_the_one_with_the_function_is_taken():
    answer = fenced(METHOD) + "Try it:\n" + fenced("print(Solution().f(5))")
    assert chat(answer, "f").strip() == METHOD
    assert chat(fenced("def f(n):\n    return n"), "f") == "def f(n):\n    return n"
    assert chat(fenced("f = lambda n: n"), "f") == "f = lambda n: n"


@pytest.mark.parametrize("answer", ["I can't.", "", "```text\n5\n```", "The answer is 5."])
def test_prose_is_no_program(answer):
    assert chat(answer) == ""


def test_a_base_models_text_ends_where_the_next_heading_begins():
    solution = extract(f"{PROGRAM}\n\n### Question\nAnother one", PromptStyle.COMPLETION, None)
    assert solution == (PROGRAM, True)
    assert extract(PROGRAM + "\n", PromptStyle.COMPLETION, None) == (PROGRAM, False)
    assert extract(fenced(PROGRAM), PromptStyle.COMPLETION, None).code == PROGRAM


def test_the_official_runner_takes_the_last_two_fences_whatever_lies_between():
    def official(text):
        return official_extract(text, PromptStyle.CHAT)

    assert official(fenced(PROGRAM)) == PROGRAM
    assert official(fenced(PROGRAM) + "prints\n" + fenced("5", "")) == "5"
    assert official("```python\n" + PROGRAM) == ""
    assert official(PROGRAM) == ""
    assert official_extract(f" {PROGRAM}\n", PromptStyle.COMPLETION) == PROGRAM
