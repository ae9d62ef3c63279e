"""What all optimisers have: a gepa sampling strategy that picks parents, and a proposer that writes new texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from evaluation.optimise.candidates import INSTRUCTION
from evaluation.optimise.parameters import Common

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping, Sequence

    from evaluation.optimise.adapter import Adapter
    from evaluation.optimise.candidates import Candidates
    from evaluation.optimise.ledger import Ledger
    from evaluation.optimise.trials import Trials

MOST_PARENTS = 8
P = TypeVar("P", bound=Common)


class Optimiser(Generic[P]):
    """One that proposes texts of its own. `plan` is asked once an iteration, then `propose` once for each parent."""

    component = INSTRUCTION
    skip_perfect = False  # where the parent solved all that was shown, nothing is proposed

    def __init__(
        self,
        parameters: P,
        *,
        ledger: Ledger,
        candidates: Candidates,
        trials: Trials,
        random: random.Random,
    ) -> None:
        self.parameters = parameters
        self.ledger = ledger
        self.candidates = candidates
        self.trials = trials
        self.random = random
        self.adapter: Adapter | None = None
        self.idle = 0  # iterations since the last new candidate

    def plan(self) -> list[str]:
        """The texts that new ones are made of, one for each proposal of this iteration."""
        return [self.parent()]

    def parent(self) -> str:
        """The best text so far; where nothing new came of it, the next ones in turn."""
        best = self.trials.texts[self.trials.best]
        ranked = [best, *(text for text in self.trials.ranked() if text != best)]
        return ranked[self.idle % min(len(ranked), MOST_PARENTS)]

    def propose(self, current: str, records: Sequence[Mapping[str, str]]) -> str | None:
        """A new text, or None where there is none. records: how the parent did with samples of train."""
        raise NotImplementedError

    def finished(self) -> bool:
        """Whether there is nothing left to do, before max_trials is reached."""
        return False

    def sample_tasks(
        self,
        state: Any,
        candidate_selector: Any,  # noqa: ARG002
        batch_sampler: Any,
        trainset: Any,
    ) -> list[Any]:
        """A hook of gepa. All proposals of an iteration see the same samples."""
        from gepa.strategies.proposal_sampling import ProposalTask

        self.idle = max(0, self.trials.idle(state) - 1)
        places = batch_sampler.next_minibatch_ids(trainset, state)
        items = trainset.fetch(places)
        tasks = []
        for text in self.plan():
            parent = {self.component: text}
            if self.adapter is not None:
                self.adapter.as_parents.add(self.candidates.sha256(parent))
            pool = state.program_candidates
            index = pool.index(parent) if parent in pool else 0
            tasks.append(ProposalTask(index, parent, places, items))
        return tasks

    def made_of(self, text: str, *parents: str) -> None:
        """Keep what a new text was made of, in place of the one parent that gepa knows."""
        hashes = [self.candidates.sha256({self.component: each}) for each in (text, *parents)]
        if hashes[0] not in self.trials.texts:
            self.trials.parents.setdefault(
                hashes[0], tuple(dict.fromkeys(each for each in hashes[1:] if each != hashes[0]))
            )
