"""One of several texts: the likeliest as the continuation of the prompt; by its letter where no server tells that, or
by its text where there are more choices than letters.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from evaluation.likelihood.choice_metrics import choice_metrics
from evaluation.likelihood.continuations import likeliest
from evaluation.protocols import PromptStyle
from evaluation.suites.kinds.choosing import LETTERS, Choices, right_ones, with_letters
from evaluation.suites.kinds.contract import Gold, Reading, Written
from evaluation.suites.kinds.letter import read_letter
from evaluation.suites.kinds.texts import one_label
from evaluation.suites.templates import Expression

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evaluation.protocols import Sample
    from evaluation.suites.format import ChoiceAnswer
    from results.scores.scored_continuation import ScoredContinuation

_ASKED = {
    PromptStyle.CHAT: "\n\n{choices}\nAnswer with the letter of the right choice only.",
    PromptStyle.COMPLETION: "\n\n{choices}\nThe letter of the right choice:",
}
_ASKED_BY_TEXT = {  # data sets have few such rows, which must not end a run
    PromptStyle.CHAT: "\n\n{choices}\nAnswer with the right choice only, as it stands here.",
    PromptStyle.COMPLETION: "\n\n{choices}\nThe right choice:",
}

_SHOWN_CHARS = 60


class ChoiceByLikelihood:
    """Implements `Kind`."""

    metrics = ("acc", "acc_norm")
    scores = True

    def __init__(self, declared: ChoiceAnswer) -> None:
        self._choices = Choices(declared.choices)
        self._correct = Expression(declared.correct)

    def gold(self, fields: Mapping[str, Any], style: PromptStyle, separator: str) -> Gold:
        """In a chat the choices begin the model's turn, with nothing before them. Raises TemplateProblem."""
        choices = self._choices.of(fields)
        right = right_ones(self._correct.value(fields), choices)
        texts = [choices[number].strip() for number in right]
        before = "" if style is PromptStyle.CHAT else separator
        return Gold(
            expected=texts[0] if len(texts) == 1 else texts,
            target=choices[right[0]],
            choices=choices,
            continuations=tuple(f"{before}{choice}" for choice in choices),
            data={"right": right},
        )

    def read(self, text: str, sample: Sample) -> Reading:
        """Never called: nothing is written."""
        raise NotImplementedError

    def read_scored(self, scored: Sequence[ScoredContinuation], sample: Sample) -> Reading:
        """The text of the likeliest choice."""
        choices, right = sample.data["choices"], sample.data["right"]
        logprobs = [each.logprob for each in scored]
        found = likeliest(logprobs)
        wrong = f"{_short(choices[found])} is likelier than {_short(choices[right[0]])}"
        return Reading(
            choices[found].strip(),
            detail="" if found in right else wrong,
            ended=True,
            metrics=choice_metrics(logprobs, choices, right),
        )


class ChoiceByLetter(Written):
    """Implements `Kind`."""

    metrics = ("acc", "acc_norm")  # as by likelihood: the names of figures don't depend on the server

    def __init__(self, declared: ChoiceAnswer) -> None:
        self._choices = Choices(declared.choices)
        self._correct = Expression(declared.correct)
        self._shuffles = declared.shuffle

    def gold(self, fields: Mapping[str, Any], style: PromptStyle, separator: str) -> Gold:
        """Raises TemplateProblem."""
        del separator
        choices = self._choices.of(fields)
        right = right_ones(self._correct.value(fields), choices)
        texts = [choices[number].strip() for number in right]
        if self._shuffles:
            order = _order(choices)
            choices = tuple(choices[number] for number in order)
            right = tuple(place for place, number in enumerate(order) if number in right)
        by_letter = len(choices) <= len(LETTERS)
        names = LETTERS[: len(choices)] if by_letter else tuple(choice.strip() for choice in choices)
        lines = with_letters(choices) if by_letter else "".join(f"- {name}\n" for name in names)
        asked = _ASKED[style] if by_letter else _ASKED_BY_TEXT[style]
        return Gold(
            expected=texts[0] if len(texts) == 1 else texts,
            target=names[right[0]],
            choices=choices,
            letters=names if by_letter else (),
            shown=asked.replace("{choices}", lines),
            data={"right": [names[number] for number in right]},
        )

    def read(self, text: str, sample: Sample) -> Reading:
        """The text of the choice that an answer says by its letter or text, so that metrics see what the data set calls
        it.
        """
        choices, right = sample.data["choices"], sample.data["right"]
        if len(choices) > len(LETTERS):
            return _read_text(text, choices, right)
        found = read_letter(text, choices, right)
        if found.value is None:
            return found
        return found._replace(value=choices[LETTERS.index(found.value)].strip())


def _order(choices: Sequence[str]) -> list[int]:
    """An order that follows from the texts alone, and says nothing about which of them are right."""
    whole = "\n".join(choices)

    def place(number: int) -> str:
        return hashlib.sha256(f"{whole}\n\n{choices[number]}".encode("utf-8", "surrogatepass")).hexdigest()

    return sorted(range(len(choices)), key=place)


def _read_text(text: str, choices: Sequence[str], right: Sequence[str]) -> Reading:
    names = [choice.strip() for choice in choices]
    last = text.strip().rpartition("\n")[2]
    said = one_label(last, names) or one_label(text, names)
    detail = "" if said in right else f"{_short(said) if said else 'no choice'} instead of {_short(right[0])}"
    return Reading(said, detail, read_in=last if said else "")


def _short(text: str) -> str:
    text = " ".join(text.split())
    return repr(text if len(text) <= _SHOWN_CHARS else f"{text[: _SHOWN_CHARS - 3]}...")
