"""The candidates of a search: which were tried, how they did, what they were made of, and the races between them."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING, Any

from evaluation.optimise.contract import Progress, Stopped
from results.stats.racing import race

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evaluation.optimise.candidates import Candidates
    from evaluation.optimise.contract import Item
    from evaluation.optimise.ledger import Ledger

MOST_IDLE = 30  # rounds without a new candidate, after which there won't be one
MOST_IDLE_LOOKS = 100  # where a parent that solves all it is shown proposes nothing


class Trials:
    """gepa's selection strategy, stopper and callback in one.

    accept_all: a first look at training samples decides nothing. estimates: of every candidate tried, its mean on
    validation, or, of one that stopped early, that of the leader plus the difference on the samples that both saw.
    """

    def __init__(
        self,
        ledger: Ledger,
        candidates: Candidates,
        validation: Sequence[Item],
        *,
        max_trials: int,
        races: bool,
        accept_all: bool,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> None:
        self._ledger = ledger
        self._candidates = candidates
        self._validation = validation
        self._max_trials = max_trials
        self._races = races
        self._accept_all = accept_all
        self._on_progress = on_progress
        self._last_new = 0
        self.seed = candidates.sha256(candidates.seed)
        self.texts: dict[str, str] = {self.seed: candidates.seed[candidates.component]}
        self.estimates: dict[str, float] = {}
        self.means: dict[
            str, float
        ] = {}  # of those that saw all of validation, in the order in which they did
        self.rows: dict[str, list[float]] = {}  # what each has seen of validation, in its order
        self.parents: dict[str, tuple[str, ...]] = {}
        self.trials = 0
        self.stopped: Stopped | None = None
        self.finished: Callable[[], bool] = lambda: False

    @property
    def best(self) -> str:
        """The first of those with the best mean on all of validation."""
        return max(self.means, key=self.means.__getitem__)

    def is_new(self, text: str) -> bool:
        """Whether no candidate with this text was tried."""
        return self._candidates.sha256({self._candidates.component: text}) not in self.texts

    def idle(self, state: Any) -> int:
        """Iterations since the last new candidate."""
        return int(state.i) - self._last_new

    def ranked(self) -> list[str]:
        """The texts of all that were tried, the best first, as far as is known."""
        order = sorted(self.estimates, key=lambda sha256: -self.estimates[sha256])
        return [self.texts[sha256] for sha256 in order]

    # gepa's hooks

    def select(self, proposals: list[Any], state: Any, acceptance_criterion: Any) -> list[Any]:
        """Those that go on to all of validation."""
        new = []
        for proposal in proposals:
            sha256 = self._candidates.sha256(proposal.candidate)
            if sha256 in self.texts or self.trials >= self._max_trials:
                continue
            self.trials += 1
            self._last_new = state.i
            if not (self._accept_all or acceptance_criterion.should_accept(proposal, state)):
                continue  # other samples may say otherwise when it is proposed again
            self.texts[sha256] = proposal.candidate[self._candidates.component]
            if sha256 not in self.parents:
                pool = state.program_candidates
                self.parents[sha256] = tuple(
                    self._candidates.sha256(pool[index]) for index in proposal.parent_program_ids
                )
            new.append(proposal)
        return self._winners(new) if self._races and new else new

    def __call__(self, state: Any) -> bool:
        """Whether to stop, asked before each iteration."""
        if self.means[self.best] >= 1:
            self.stopped = Stopped.PERFECT
        elif self.trials >= self._max_trials or self.finished():
            self.stopped = Stopped.TRIALS
        elif self.idle(state) >= (MOST_IDLE if self._accept_all else MOST_IDLE_LOOKS):
            self.stopped = Stopped.EXHAUSTED
        return self.stopped is not None

    def on_valset_evaluated(self, event: Any) -> None:
        sha256 = self._candidates.sha256(event["candidate"])
        scores = event["scores_by_val_id"]
        self.texts.setdefault(sha256, event["candidate"][self._candidates.component])
        self.rows[sha256] = [scores[place] for place in range(len(self._validation))]
        self.means[sha256] = self.estimates[sha256] = fmean(self.rows[sha256])

    def on_merge_attempted(self, event: Any) -> None:  # noqa: ARG002
        self.trials += 1

    def on_iteration_end(self, event: Any) -> None:  # noqa: ARG002
        self._tell()

    def _tell(self) -> None:
        if self._on_progress is not None and self.means:
            self._on_progress(
                Progress(
                    trial=self.trials,
                    of=self._max_trials,
                    best=self.means[self.best],
                    seed=self.means[self.seed],
                    spent=self._ledger.spent,
                )
            )

    def _winners(self, proposals: list[Any]) -> list[Any]:
        """Those that are neither beaten nor too far behind, the best prompt so far racing with them."""
        leader = self.rows[self.best]
        hashes = [self._candidates.sha256(proposal.candidate) for proposal in proposals]
        rows: list[list[float]] = [leader, *([] for _ in proposals)]
        total = len(self._validation)
        while True:
            state = race(rows, total)
            if state.next_samples is None:
                break
            for place in state.racing:
                if place and len(rows[place]) < state.next_samples:
                    rows[place] = self._seen(proposals[place - 1], state.next_samples)
        for sha256, row in zip(hashes, rows[1:], strict=True):
            self.rows[sha256] = row
            difference = fmean(row) - fmean(leader[: len(row)])
            self.estimates[sha256] = self.means[self.best] + difference
        return [proposals[place - 1] for place in state.racing if place]

    def _seen(self, proposal: Any, samples: int) -> list[float]:
        prompt = self._candidates.prompt(proposal.candidate)
        return [outcome.score for outcome in self._ledger.evaluate(prompt, self._validation[:samples])]

    def ancestors(self, sha256: str) -> tuple[str, ...]:
        """Hashes of what a prompt was made of, oldest first: the seed prompt's is the first."""
        order: dict[str, None] = {}

        def visit(each: str) -> None:
            for parent in self.parents.get(each, ()):
                if parent not in order:
                    visit(parent)
                    order[parent] = None

        visit(sha256)
        order.pop(sha256, None)
        return tuple(order)
