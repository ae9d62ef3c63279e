"""What every kind of answer does: say what is right for a row, and read what a model wrote."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evaluation.loop.grader import Execution
    from evaluation.protocols import PromptStyle, Sample
    from results.scores.scored_continuation import ScoredContinuation


@dataclass(frozen=True, kw_only=True)
class Gold:
    """What is right for one row.

    expected: for the record and the metrics; a list: any of them. target: the answer of an example before a question.
    choices: texts to choose from. letters: answers of one token, of which the likeliest is taken where the server tells
    it. continuations: of the prompt, to be scored instead of an answer being generated. shown: what stands behind the
    prompt. data: what judging needs besides.
    """

    expected: Any
    target: str
    choices: tuple[str, ...] = ()
    letters: tuple[str, ...] = ()
    continuations: tuple[str, ...] = ()
    shown: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


class Reading(NamedTuple):
    """What an answer says. value: None where that is not clear. detail: why not, in a line. ended: as in `Judgement`.
    read_in: the words. metrics: those that this kind computes itself, as fractions. execution: of an answer that is
    code.
    """

    value: str | None
    detail: str = ""
    ended: bool = False
    read_in: str = ""
    metrics: Mapping[str, float] = {}
    execution: Execution | None = None


class Written:
    """A kind whose answers are written."""

    scores = False

    def read_scored(self, scored: Sequence[ScoredContinuation], sample: Sample) -> Reading:
        """Never called."""
        raise NotImplementedError


class Kind(Protocol):
    """A kind of answer. metrics: those of a task that names none; the first is the main one. scores: continuations of
    the prompt are scored, and nothing is written.
    """

    @property
    def metrics(self) -> tuple[str, ...]: ...

    @property
    def scores(self) -> bool: ...

    def gold(self, fields: Mapping[str, Any], style: PromptStyle, separator: str) -> Gold:
        """What is right for a row. separator: between a prompt and what continues it. Raises TemplateProblem."""

    def read(self, text: str, sample: Sample) -> Reading:
        """What an answer says."""

    def read_scored(self, scored: Sequence[ScoredContinuation], sample: Sample) -> Reading:
        """What the scores of continuations say; of a kind that has none, never called."""
