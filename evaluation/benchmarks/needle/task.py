"""Needles in a haystack, after RULER: what is hidden in a text of a given length is asked for behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evaluation.benchmarks.needle.kinds import Kind
from evaluation.benchmarks.needle.texts import NeedleText
from evaluation.data.data_set import DataSetTask
from evaluation.pass_at_k import pass_at_k_metrics
from evaluation.protocols import Judgement, PromptStyle, Sample
from results.stats.context import RECALL, mean_recall, measured
from settings.needle_lengths import DEPTHS, KINDS, PER_CELL

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from evaluation.benchmarks.needle.fitting import Fitted
    from evaluation.protocols import Prompt
    from results.records import Completion, Metric

NAME = "needle"
SPREAD = "spread"  # the depth of what is hidden all over the text
_IDENTITY_CHARS = 2000
_CHARS_PER_TOKEN = 3  # of a sample that no prompt was fitted for


@dataclass(frozen=True, kw_only=True)
class Cells:
    """Which samples there are.

    lengths: in tokens. depths: in percent. per_cell: how many of each kind at each length and depth.
    """

    lengths: tuple[int, ...]
    depths: tuple[int, ...] = DEPTHS
    kinds: tuple[str, ...] = KINDS
    per_cell: int = PER_CELL

    def options(self) -> dict[str, Any]:
        """The benchmark's options, as JSON gives them back."""
        return {
            "lengths": list(self.lengths),
            "depth_percent": list(self.depths),
            "kinds": list(self.kinds),
            "per_cell": self.per_cell,
        }

    def samples(self, seed: int) -> Iterator[tuple[Sample, NeedleText]]:
        """All, so ordered that the first ones are of all kinds, lengths and depths."""
        for round_ in range(self.per_cell * len(self.depths)):
            for kind in map(Kind, self.kinds):
                for length in self.lengths:
                    turn = round_ + KINDS.index(kind) + length.bit_length()
                    depth = self.depths[turn % len(self.depths)] if kind.has_depth else None
                    yield _sample(kind, length, depth, round_, seed)


def _sample(kind: Kind, length: int, depth: int | None, number: int, seed: int) -> tuple[Sample, NeedleText]:
    place = SPREAD if depth is None else str(depth)
    task_id = f"{NAME}/{kind}/{length}/{place}/{number}"
    text = NeedleText(kind, task_id=task_id, seed=seed, depth=None if depth is None else depth / 100)
    sample = Sample(
        task_id=task_id,
        data={"kind": str(kind), "length": length},
        expected=list(text.hidden.expected),
        tags={"kind": str(kind), "length": str(length), "depth": SPREAD if depth is None else f"{depth}%"},
    )
    return sample, text


def identity(style: PromptStyle, seed: int) -> list[Prompt]:
    """Prompts that stand for all: other wording, texts or seeds give others, other lengths do not."""
    return [
        NeedleText(kind, task_id=f"{NAME}/{kind}", seed=seed, depth=0.5).prompt(_IDENTITY_CHARS, style)
        for kind in Kind
    ]


class NeedleTask(DataSetTask):
    """Implements `Task`. fitted: by the sample's id, how long its haystack is."""

    def __init__(self, cells: Cells, *, style: PromptStyle, seed: int, fitted: Mapping[str, Fitted]) -> None:
        made = list(cells.samples(seed))
        self._texts = {sample.task_id: text for sample, text in made}
        self._fitted = fitted
        samples = [
            Sample(
                task_id=sample.task_id,
                data=sample.data,
                expected=sample.expected,
                tags=sample.tags,
                least_prompt_tokens=fitted[sample.task_id].least if sample.task_id in fitted else 0,
            )
            for sample, _ in made
        ]
        super().__init__(NAME, samples, style)
        self.stop = ("\n\n", "\nQuestion:") if style is PromptStyle.COMPLETION else ()

    def get_prompt(self, sample: Sample) -> Prompt:
        """The text with its needles, and the question behind it."""
        found = self._fitted.get(sample.task_id)
        chars = found.chars if found else _CHARS_PER_TOKEN * int(sample.data["length"])
        return self._texts[sample.task_id].prompt(chars, self.style)

    def calculate_metrics(self, prediction: str, expected: Any, sample: Sample) -> Judgement:
        """As RULER's string_match_all: which of the values stand anywhere in the answer; all of them pass."""
        for stop in self.stop:  # a server that knows no stop sequences goes on
            prediction = prediction.strip().split(stop, 1)[0]
        said = prediction.lower()
        found = [value for value in expected if value.lower() in said]
        others = self._texts[sample.task_id].hidden.others
        wrong = [value for value in others if value in said]
        missing = len(expected) - len(found)
        detail = "" if not missing else f"{len(found)} of {len(expected)} values"
        if missing and wrong:
            detail += ", and the number of another key"
        return Judgement(
            passed=not missing,
            completion=", ".join(found),
            detail=detail,
            metrics={RECALL: len(found) / len(expected)},
        )

    def aggregate_metrics(self, completions: Sequence[Completion]) -> Mapping[str, Metric]:
        """pass@k over all and by tag, lengths and depths in their order, and the mean share of values found.

        That share is of the completions that weren't lost to infrastructure; pass@k counts those as not solved.
        """
        metrics = pass_at_k_metrics(completions)
        found = {name: metrics[name] for name in sorted(metrics, key=_in_order)}
        kept = measured(completions)
        return {**found, RECALL: mean_recall(kept)} if kept else found


def _in_order(metric: str) -> tuple[str, int, str]:
    name, _, value = metric.partition("=")
    digits = value.rstrip("%")
    return name, int(digits) if digits.isdecimal() else 1 << 30, value
