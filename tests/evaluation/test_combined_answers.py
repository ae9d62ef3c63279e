"""Answers put together of what models write before, as and behind them: each is read as a reader does."""

from __future__ import annotations

import contextlib
import io
import sys

from evaluation.answers.code import from_chat
from evaluation.answers.numbers import final_number
from evaluation.answers.programs import program_from_chat
from evaluation.answers.thoughts import split_reasoning
from evaluation.benchmarks.mmlu.task import _chosen
from tests.evaluation import answer_parts as parts
from tests.evaluation.test_answers_of_models import PROMPT, gives_totals


def misread(heads, bodies, tails, is_right):
    """The names of those that are not right."""
    return [
        name
        for name, text in parts.combined(heads, bodies, tails)
        if not is_right(split_reasoning(text).answer)
    ]


def adds_up(code):
    """It is our own code, so it may run here."""
    printed = []
    streams = sys.stdin
    try:
        for given in ("1 2\n", "4 5\n"):
            sys.stdin = io.StringIO(given)
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(code, {"__name__": "__main__"})
            printed.append(out.getvalue().strip())
    except (EOFError, NameError, SyntaxError):
        return False
    finally:
        sys.stdin = streams
    return printed == ["3", "9"]


def test_functions():
    def is_right(said):
        return gives_totals(PROMPT + from_chat(said, PROMPT, "total").code)

    assert misread(parts.FUNCTION_HEADS, parts.FUNCTIONS, parts.FUNCTION_TAILS, is_right) == []


def test_programs():
    def is_right(said):
        return adds_up(program_from_chat(said))

    assert misread(parts.CODE_HEADS, parts.PROGRAMS, parts.PROGRAM_TAILS, is_right) == []


def test_letters():
    def is_right(said):
        return _chosen(said, parts.CHOICES) == "B"

    assert misread(parts.LETTER_HEADS, parts.LETTERS, parts.LETTER_TAILS, is_right) == []


def test_numbers():
    def is_right(said):
        return final_number(said).value == 18

    assert misread(parts.NUMBER_HEADS, parts.NUMBERS, parts.NUMBER_TAILS, is_right) == []
