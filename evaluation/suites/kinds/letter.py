"""The letter of a choice: the likeliest one where the server tells it, else the one that the model wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evaluation.answers.choice_texts import chosen_text
from evaluation.answers.deciding_line import deciding_line
from evaluation.answers.letters import chosen_letter, read_choice
from evaluation.suites.kinds.choosing import LETTERS, Choices, right_ones, with_letters
from evaluation.suites.kinds.contract import Gold, Reading, Written
from evaluation.suites.templates import Expression

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evaluation.protocols import PromptStyle, Sample
    from evaluation.suites.format import LetterAnswer


class Letter(Written):
    """Implements `Kind`."""

    metrics = ("accuracy",)

    def __init__(self, declared: LetterAnswer) -> None:
        self._choices = Choices(declared.choices)
        self._correct = Expression(declared.correct)
        self._written = declared.written

    def gold(self, fields: Mapping[str, Any], style: PromptStyle, separator: str) -> Gold:
        """Raises TemplateProblem."""
        del style, separator
        choices = self._choices.of(fields)
        with_letters(choices)  # that there are enough
        letters = LETTERS[: len(choices)]
        right = [letters[number] for number in right_ones(self._correct.value(fields), choices)]
        return Gold(
            expected=right[0] if len(right) == 1 else right,
            target=right[0],
            choices=choices,
            letters=() if self._written else letters,
        )

    def read(self, text: str, sample: Sample) -> Reading:
        """The letter that an answer chooses."""
        return read_letter(text, sample.data["choices"], sample.expected)


def read_letter(text: str, choices: Sequence[str], expected: Any) -> Reading:
    """The letter that a text says, by itself or by the text of its choice. expected: a letter, or several."""
    letters = LETTERS[: len(choices)]

    def chosen(part: str) -> str | None:
        return chosen_letter(part, letters, choices) or chosen_text(part, choices, letters)

    letter = chosen(text)
    right = [expected] if isinstance(expected, str) else expected
    return Reading(
        letter,
        detail="" if letter in right else _said(letter, right),
        ended=read_choice(text, letters, choices).stated,
        read_in=deciding_line(text, lambda line: chosen(line) == letter) if letter else "",
    )


def _said(letter: str | None, right: Sequence[str]) -> str:
    return "no letter in the answer" if letter is None else f"{letter} instead of {' or '.join(right)}"
