"""One of several texts, chosen by its letter where a server does not tell likelihoods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evaluation.protocols import PromptStyle
from evaluation.suites.kinds.choosing import LETTERS, Choices, right_ones, with_letters
from evaluation.suites.kinds.contract import Gold, Reading, Written
from evaluation.suites.kinds.letter import read_letter
from evaluation.suites.templates import Expression

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evaluation.protocols import Sample
    from evaluation.suites.format import ChoiceAnswer

_ASKED = {
    PromptStyle.CHAT: "\n\n{choices}\nAnswer with the letter of the right choice only.",
    PromptStyle.COMPLETION: "\n\n{choices}\nThe letter of the right choice:",
}


class ChoiceByLetter(Written):
    """Implements `Kind`."""

    metrics = ("accuracy",)

    def __init__(self, declared: ChoiceAnswer) -> None:
        self._choices = Choices(declared.choices)
        self._correct = Expression(declared.correct)

    def gold(self, fields: Mapping[str, Any], style: PromptStyle, separator: str) -> Gold:
        """Raises TemplateProblem."""
        del separator
        choices = self._choices.of(fields)
        shown = _ASKED[style].format(choices=with_letters(choices).replace("{", "{{").replace("}", "}}"))
        right = right_ones(self._correct.value(fields), choices)
        texts = [choices[number].strip() for number in right]
        return Gold(
            expected=texts[0] if len(texts) == 1 else texts,
            target=LETTERS[right[0]],
            choices=choices,
            letters=LETTERS[: len(choices)],
            shown=shown,
            data={"right": [LETTERS[number] for number in right]},
        )

    def read(self, text: str, sample: Sample) -> Reading:
        """The text of the choice whose letter an answer says, so that metrics see what the data set calls it."""
        choices = sample.data["choices"]
        found = read_letter(text, choices, sample.data["right"])
        if found.value is None:
            return found
        return found._replace(value=choices[LETTERS.index(found.value)].strip())
