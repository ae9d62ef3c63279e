"""Answers that are written: numbers, texts, spans, labels and summaries."""

from __future__ import annotations

import re
import string
from functools import partial
from typing import TYPE_CHECKING, Any

from evaluation.answers.choice_texts import chosen_text
from evaluation.answers.deciding_line import deciding_line
from evaluation.answers.numbers import final_number
from evaluation.suites.kinds.choosing import LETTERS, right_ones
from evaluation.suites.kinds.contract import Gold, Reading, Written
from evaluation.suites.template_rules import TemplateProblem
from evaluation.suites.templates import Expression

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal

    from evaluation.protocols import PromptStyle, Sample
    from evaluation.suites.format import ExactAnswer, LabelsAnswer, NumberAnswer, SpanAnswer, SummaryAnswer

_LABEL = re.compile(r"^\W{0,3}(?:the\s+)?(?:final\s+)?answer(?:\s+is)?\s*:\W{0,3}\s*", re.IGNORECASE)
_AROUND = " \t\"'`*_"
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_JOINED_WORDS = re.compile(r"(?<=[^\W_])[-_]+(?=[^\W_])")  # as in not-supported; the mark of -1 is part of it
_RIGHT = "right"  # of a sample's data: the labels
_BEFORE = 80  # characters before a label that may deny it
_DENIED = re.compile(  # what stands before: a negation, and at most two words between
    r"\b(?:not?|non|nor|neither|never|cannot|without|\w+n['\u2019]t)(?:[^\w.,;:!?\n]+[\w'\u2019]+){0,2}[^\w.,;:!?\n]+$"
)


class Number(Written):
    """Implements `Kind`: the final number of an answer."""

    metrics = ("accuracy",)

    def __init__(self, declared: NumberAnswer) -> None:
        self._correct = Expression(declared.correct)

    def gold(self, fields: Mapping[str, Any], style: PromptStyle, separator: str) -> Gold:
        """Raises TemplateProblem where there is no number."""
        del style, separator
        value = self._correct.value(fields)
        found = final_number(str(value)).value
        if found is None:
            raise TemplateProblem(f"what is right must be a number, and is {str(value)[:60]!r}")
        return Gold(expected=_written(found), target=str(value).strip())

    def read(self, text: str, sample: Sample) -> Reading:
        """The number that counts, in units or in what the answer calls them (millions)."""
        found = final_number(text)
        in_units = final_number(text, magnitudes=False)
        if in_units.value is not None and _written(in_units.value) == sample.expected:
            found = in_units
        if found.value is None:
            return Reading(None, "no number in the answer", metrics={"accuracy": 0.0})
        said = _written(found.value)
        right = said == sample.expected
        return Reading(
            said,
            "" if right else f"{said} instead of {sample.expected}",
            ended=found.stated is not None,
            read_in=deciding_line(text, lambda line: final_number(line).value == found.value),
            metrics={"accuracy": float(right)},
        )


class Exact(Written):
    """Implements `Kind`: a text that must be equal."""

    metrics = ("accuracy",)

    def __init__(self, declared: ExactAnswer) -> None:
        self._declared = declared
        self._correct = Expression(declared.correct)

    def gold(self, fields: Mapping[str, Any], style: PromptStyle, separator: str) -> Gold:
        """Raises TemplateProblem."""
        del style, separator
        return _texts(self._correct.value(fields))

    def read(self, text: str, sample: Sample) -> Reading:
        """The first line, or the whole."""
        said = first_line(text) if self._declared.first_line else text.strip()
        right = any(self._plain(said) == self._plain(gold) for gold in golds(sample.expected))
        return Reading(
            said, "" if right else _instead(said, sample.expected), metrics={"accuracy": float(right)}
        )

    def _plain(self, text: str) -> str:
        text = text.strip()
        if self._declared.ignore_case:
            text = text.casefold()
        if self._declared.ignore_punctuation:
            text = text.translate(_PUNCTUATION)
        return " ".join(text.split())


class Span(Written):
    """Implements `Kind`: a short text, compared as SQuAD does."""

    metrics = ("exact_match", "token_f1")

    def __init__(self, declared: SpanAnswer) -> None:
        self._correct = Expression(declared.correct)

    def gold(self, fields: Mapping[str, Any], style: PromptStyle, separator: str) -> Gold:
        """Raises TemplateProblem."""
        del style, separator
        return _texts(self._correct.value(fields))

    def read(self, text: str, sample: Sample) -> Reading:
        """The first line, without `Answer:` before it."""
        said = first_line(text)
        return Reading(said, _instead(said, sample.expected), ended=_goes_on(text))


class Summary(Written):
    """Implements `Kind`: all that was written."""

    metrics = ("rougeL", "rouge1", "rouge2")

    def __init__(self, declared: SummaryAnswer) -> None:
        self._correct = Expression(declared.correct)

    def gold(self, fields: Mapping[str, Any], style: PromptStyle, separator: str) -> Gold:
        """Raises TemplateProblem."""
        del style, separator
        return _texts(self._correct.value(fields))

    def read(self, text: str, sample: Sample) -> Reading:
        """The whole."""
        del sample
        return Reading(text.strip())


class Labels(Written):
    """Implements `Kind`: one of some words, or any number of them. Of several, all in their order are the answer."""

    def __init__(self, declared: LabelsAnswer) -> None:
        self._labels = Expression(declared.labels) if isinstance(declared.labels, str) else declared.labels
        self._correct = Expression(declared.correct)
        self._several = declared.several
        self.metrics = ("label_f1", "accuracy") if declared.several else ("accuracy",)

    def gold(self, fields: Mapping[str, Any], style: PromptStyle, separator: str) -> Gold:
        """Raises TemplateProblem."""
        del style, separator
        labels = self._labels.value(fields) if isinstance(self._labels, Expression) else self._labels
        if not isinstance(labels, (list, tuple)) or not labels:
            raise TemplateProblem(f"the labels must be a list, and are {str(labels)[:60]!r}")
        names = tuple(map(str, labels))
        value = self._correct.value(fields)
        if not self._several:
            right = right_ones(value, names)
            if len(right) != 1:
                raise TemplateProblem(f"{len(right)} labels are right, where one may be: say `several: true`")
            name = names[right[0]]
            return Gold(expected=name, target=name, choices=names)
        if not isinstance(value, (list, tuple)):
            raise TemplateProblem("what is right must be a list of labels where several may be")
        several = {right_ones(each, names)[0] for each in value}
        wanted = [name for number, name in enumerate(names) if number in several]
        said = ", ".join(wanted)
        return Gold(expected=said, target=said or "none", choices=names, data={_RIGHT: wanted})

    def read(self, text: str, sample: Sample) -> Reading:
        """The labels that an answer names."""
        names: tuple[str, ...] = tuple(sample.data["choices"])
        if not self._several:
            said = one_label(text, names)
            right = said == sample.expected
            detail = "" if right else f"{said or 'no label'} instead of {sample.expected}"
            words = deciding_line(text, partial(_says, names, said)) if said else ""
            return Reading(said, detail, read_in=words, metrics={"accuracy": float(right)})
        found = {name for name, denied in mentioned(text, names).items() if not denied}
        said = ", ".join(name for name in names if name in found)
        wanted = set(sample.data[_RIGHT])  # a label may have a comma itself
        right = found == wanted
        return Reading(
            said,
            "" if right else f"{said or 'no label'} instead of {sample.expected or 'none'}",
            metrics={"label_f1": _f1(found, wanted), "accuracy": float(right)},
        )


def one_label(text: str, names: Sequence[str]) -> str | None:
    """The label that is stated, alone in a line, or the only one that is mentioned; None where that is not clear.

    A label that is denied (`not harmful`) is not clear: what is meant may be another one, or none.
    """
    if len(names) <= len(LETTERS) and (letter := chosen_text(text, names, LETTERS[: len(names)])):
        return names[LETTERS.index(letter)]
    for part in (first_line(text), text):
        found = mentioned(part, names)
        if len(found) == 1:
            name, denied = found.popitem()
            return None if denied else name
    return None


def mentioned(text: str, names: Sequence[str]) -> dict[str, bool]:
    """The labels whose words stand in a text, and whether it denies them. What is part of a longer one there does not
    count. Words are the same whether a blank, a hyphen or a `_` joins them.
    """
    found: dict[str, bool] = {}
    rest = _words(text)
    for name in sorted(names, key=len, reverse=True):
        label = re.compile(rf"(?<!\w){re.escape(_words(name))}(?!\w)")
        places = [match.start() for match in label.finditer(rest)]
        if places:
            found[name] = any(_DENIED.search(rest[max(0, at - _BEFORE) : at]) for at in places)
            rest = label.sub("\n", rest)
    return found


def _words(text: str) -> str:
    return " ".join(_JOINED_WORDS.sub(" ", text).split()).casefold()


def first_line(text: str) -> str:
    """The first line that is not empty, without `Answer:` before it and marks around it."""
    lines = [line.strip() for line in text.splitlines() if line.strip(_AROUND)]
    for line in lines[:2]:
        if said := _LABEL.sub("", line).strip(_AROUND):
            return said
    return ""


def _goes_on(text: str) -> bool:
    """Whether there is more behind the first line, so that what counts came to its end."""
    return "\n" in text.strip()


def golds(expected: Any) -> list[str]:
    """Every text that is right."""
    return [str(each) for each in expected] if isinstance(expected, (list, tuple)) else [str(expected)]


def _texts(value: Any) -> Gold:
    if value is None or (isinstance(value, (list, tuple)) and None in value):
        raise TemplateProblem("what is right is null, which is no text")
    texts = golds(value)
    if not texts:
        raise TemplateProblem("nothing is right: the list is empty")
    return Gold(expected=texts if isinstance(value, (list, tuple)) else texts[0], target=texts[0])


def _says(names: Sequence[str], said: str, line: str) -> bool:
    return one_label(line, names) == said


def _written(value: Decimal) -> str:
    text = format(value, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def _instead(said: str, expected: Any) -> str:
    return f"{_short(said)} instead of {_short(golds(expected)[0])}"


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:57]}...")


def _f1(found: set[str], wanted: set[str]) -> float:
    if not found and not wanted:
        return 1.0
    both = len(found & wanted)
    return 2 * both / (len(found) + len(wanted)) if both else 0.0
