"""gepa's adapter: its candidates are asked through the ledger, its new texts come from our optimisers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evaluation.optimise.ledger import Halt
from evaluation.optimise.reflecting import shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from evaluation.optimise.candidates import Candidates
    from evaluation.optimise.contract import Item, Outcome
    from evaluation.optimise.ledger import Ledger

    Propose = Callable[[str, Sequence[Mapping[str, str]]], str | None]


class Adapter:
    """propose: the optimiser's. Whatever goes wrong in it ends the search, which gepa would go on.

    first_look: whether new candidates are asked the training samples of their parent. Where that decides nothing, they
    count as not solved without being asked.
    """

    def __init__(
        self,
        ledger: Ledger,
        candidates: Candidates,
        train: Sequence[Item],
        *,
        propose: Propose,
        first_look: bool,
    ) -> None:
        self._ledger = ledger
        self._candidates = candidates
        self._train = {item.sha256 for item in train}
        self._first_look = first_look
        self._propose = propose
        self.as_parents: set[str] = set()  # hashes of candidates whose training answers are wanted
        self.propose_new_texts: Any = self._new_texts  # where gepa looks for it

    def evaluate(self, batch: list[Item], candidate: dict[str, str], capture_traces: bool = False) -> Any:
        from gepa.core.adapter import EvaluationBatch

        sha256 = self._candidates.sha256(candidate)
        only_look = not self._first_look and sha256 not in self.as_parents
        if only_look and batch and batch[0].sha256 in self._train:
            nothing = [0.0] * len(batch)
            return EvaluationBatch(
                outputs=[None] * len(batch), scores=nothing, trajectories=[None] * len(batch)
            )
        outcomes = self._ledger.evaluate(self._candidates.prompt(candidate), batch)
        return EvaluationBatch(
            outputs=[None] * len(batch),
            scores=[outcome.score for outcome in outcomes],
            trajectories=list(zip(batch, outcomes, strict=True)) if capture_traces else None,
        )

    def make_reflective_dataset(
        self,
        candidate: dict[str, str],  # noqa: ARG002 - gepa's hook
        eval_batch: Any,
        components_to_update: list[str],
    ) -> dict[str, list[dict[str, str]]]:
        records = [_record(item, outcome) for item, outcome in eval_batch.trajectories]
        return dict.fromkeys(components_to_update, records)

    def _new_texts(
        self,
        candidate: dict[str, str],
        reflective_dataset: Any,
        components_to_update: list[str],  # noqa: ARG002 - gepa's hook
    ) -> dict[str, str]:
        component = self._candidates.component
        try:
            text = self._propose(candidate[component], reflective_dataset[component])
        except Exception as error:
            raise Halt(error=error) from error
        return {} if text is None or text == candidate[component] else {component: text}


def _record(item: Item, outcome: Outcome) -> dict[str, str]:
    """In gepa's form."""
    feedback = outcome.feedback or ("It is correct." if outcome.score >= 1 else "It is wrong.")
    record = {
        "Inputs": shortened(item.question),
        "Generated Outputs": shortened(outcome.answer),
        "Feedback": shortened(feedback),
    }
    if outcome.score < 1:
        record["Cause"] = outcome.cause or UNKNOWN
    return record


UNKNOWN = "not known"
