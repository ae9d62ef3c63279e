"""The kinds of answers that a suite may ask for: what is right for a row, and how an answer is read (`contract.py`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evaluation.suites import format as declared
from evaluation.suites.kinds.choice import ChoiceByLetter, ChoiceByLikelihood
from evaluation.suites.kinds.code import Code
from evaluation.suites.kinds.letter import Letter
from evaluation.suites.kinds.texts import Exact, Labels, Number, Span, Summary

if TYPE_CHECKING:
    from evaluation.loop.grader import Grader
    from evaluation.suites.kinds.contract import Kind


def kind_of(answer: declared.Answer, *, likelihoods: bool = False, grader: Grader | None = None) -> Kind:
    """The kind of an answer as it is declared. likelihoods: the server scores continuations of a text. grader: executes
    answers that are code; None where nothing is judged.

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
        case declared.CodeAnswer():
            return Code(answer, grader)
