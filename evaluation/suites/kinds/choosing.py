"""Choices of a row, and which of them are right."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING, Any

from evaluation.suites.template_rules import TemplateProblem
from evaluation.suites.templates import Expression, Template

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LETTERS = tuple(string.ascii_uppercase)


class Choices:
    """The choices of a task, as templates or as an expression that gives a list."""

    def __init__(self, declared: str | Sequence[str]) -> None:
        self._expression = Expression(declared) if isinstance(declared, str) else None
        self._templates = () if isinstance(declared, str) else tuple(map(Template, declared))

    def of(self, fields: Mapping[str, Any]) -> tuple[str, ...]:
        """Their texts for a row. Raises TemplateProblem where there are not at least two."""
        if self._expression is None:
            return tuple(template.fill(fields) for template in self._templates)
        found = self._expression.value(fields)
        if not isinstance(found, (list, tuple)) or len(found) < 2:
            raise TemplateProblem(f"the choices must be a list of two or more, and are {_short(found)}")
        return tuple(map(str, found))


def right_ones(value: Any, choices: Sequence[str]) -> tuple[int, ...]:
    """The numbers of the right choices: from a number, a letter, a text, or 0 and 1 for each.

    Raises TemplateProblem.
    """
    if isinstance(value, (list, tuple)):
        if len(value) == len(choices) and all(each in (0, 1) for each in value) and any(value):
            return tuple(number for number, each in enumerate(value) if each)
        raise TemplateProblem(
            f"what is right must be a list of {len(choices)} times 0 or 1, and is {_short(value)}"
        )
    if isinstance(value, int):
        return (_number(int(value), choices),)
    text = str(value).strip()
    for number, choice in enumerate(choices):
        if text == choice.strip():
            return (number,)
    if len(text) == 1 and text in LETTERS:
        return (_number(LETTERS.index(text), choices),)
    if text.isdecimal():
        return (_number(int(text), choices),)
    raise TemplateProblem(f"{_short(value)} is neither the number, nor the letter, nor the text of a choice")


def with_letters(choices: Sequence[str]) -> str:
    """A line for each choice, with its letter. Raises TemplateProblem where there are more than letters."""
    if len(choices) > len(LETTERS):
        raise TemplateProblem(f"{len(choices)} choices are more than there are letters")
    return "".join(f"{letter}. {choice.strip()}\n" for letter, choice in zip(LETTERS, choices, strict=False))


def _number(number: int, choices: Sequence[str]) -> int:
    if not 0 <= number < len(choices):
        raise TemplateProblem(f"there is no choice {number}: they are 0 to {len(choices) - 1}")
    return number


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
