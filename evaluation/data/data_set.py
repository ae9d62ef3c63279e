"""A data set at hand, and what the tasks over one have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from evaluation.loop.solver import SingleRequest
from evaluation.pass_at_k import pass_at_k_metrics

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evaluation.protocols import Judgement, PromptStyle, Sample, Solver
    from results.messages import Message
    from results.records import Completion, Metric
    from results.scores.scored_continuation import ScoredContinuation


class DataSet(NamedTuple):
    """samples: all of them, in order; sha256: of the files they come from."""

    samples: tuple[Sample, ...]
    sha256: str


class DataSetTask:
    """A `Task` over samples at hand, but for its prompts and its judging, which a benchmark adds."""

    stop: tuple[str, ...] = ()
    json_schema: dict[str, Any] | None = None
    judge_workers = 0
    solver: Solver = SingleRequest()

    def __init__(self, name: str, samples: Sequence[Sample], style: PromptStyle) -> None:
        self.style = style
        self._name = name
        self._samples = samples

    def load(self) -> None:
        """Nothing to do: the samples came with the constructor."""

    def get_task_name(self) -> str:
        """The benchmark's name."""
        return self._name

    def get_samples(self, limit: int | None) -> Sequence[Sample]:
        """The first `limit` samples, or all."""
        return self._samples[:limit]

    def judge_transcript(self, transcript: Sequence[Message], sample: Sample) -> Judgement:
        """Never called: a single request leaves no transcript."""
        raise NotImplementedError

    def judge_continuations(self, scored: Sequence[ScoredContinuation], sample: Sample) -> Judgement:
        """Never called where samples have no continuations."""
        raise NotImplementedError

    def aggregate_metrics(self, completions: Sequence[Completion]) -> Mapping[str, Metric]:
        """pass@k over all, and by tag."""
        return pass_at_k_metrics(completions)
