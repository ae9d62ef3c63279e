"""The kinds of answers that a suite may ask for: what is right for a row, and how an answer is read (`contract.py`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evaluation.suites import format as declared
from evaluation.suites.kinds.choice import ChoiceByLetter, ChoiceByLikelihood
from evaluation.suites.kinds.letter import Letter
from evaluation.suites.kinds.texts import Exact, Labels, Number, Span, Summary

if TYPE_CHECKING:
    from evaluation.suites.kinds.contract import Kind


def kind_of(answer: declared.Answer, *, likelihoods: bool = False) -> Kind:
    """The kind of an answer as it is declared. likelihoods: the server scores continuations of a text.

    Raises TemplateProblem.
    """
    match answer:
        case declared.ChoiceAnswer():
            return ChoiceByLikelihood(answer) if likelihoods else ChoiceByLetter(answer)
        case declared.LetterAnswer():
            return Letter(answer)
        case declared.NumberAnswer():
            return Number(answer)
        case declared.ExactAnswer():
            return Exact(answer)
        case declared.SpanAnswer():
            return Span(answer)
        case declared.LabelsAnswer():
            return Labels(answer)
        case declared.SummaryAnswer():
            return Summary(answer)
    raise NotImplementedError(f"answers of the kind {type(answer).__name__}")
