"""few_shot: which examples are shown, by a model of what each of them gains.

Every trial shows some examples of the pool and gives a score. A Bayesian linear regression (normal prior, known noise)
says from all trials so far how much each example adds, and how sure that is. The next trial is the best one by a draw
from that posterior (Thompson sampling: Thompson 1933, "On the likelihood that one unknown probability exceeds another",
Biometrika 25): what is promising or little known is tried. Half of the trials choose among all sets, half among those
that differ from the best one so far in one example, because what two examples gain together is not their sum.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evaluation.optimise.candidates import EXAMPLES
from evaluation.optimise.optimiser import Optimiser
from evaluation.optimise.parameters import FewShot

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_EFFECT = 0.1  # prior standard deviation of what an example adds to the score
_NOISE = 0.5  # of one verdict
_MISFIT = 0.02  # of a set's score around the sum of its examples
_DRAWS = 20  # sets that are drawn before all are taken as tried


class FewShotSearch(Optimiser[FewShot]):
    component = EXAMPLES

    def __init__(self, parameters: FewShot, *, pool_size: int, **others: object) -> None:
        super().__init__(parameters, **others)  # type: ignore[arg-type]
        self._size = pool_size
        self._least = min(parameters.min_examples, pool_size)
        self._most = min(parameters.max_examples, pool_size)
        places = list(range(pool_size))
        self.random.shuffle(places)
        # Each example is shown once at first.
        self._first = [
            frozenset(places[begin : begin + self._most]) for begin in range(0, pool_size, self._most)
        ]

    def propose(self, current: str, records: Sequence[Mapping[str, str]]) -> str | None:  # noqa: ARG002
        while self._first:
            chosen = self._first.pop(0)
            if len(chosen) >= self._least and self._is_new(chosen):
                return self.candidates.text_of(chosen)
        for _ in range(_DRAWS):
            effects = self._drawn_effects()
            near = self._near(current, effects) if self.random.random() < 0.5 else None
            chosen = near or self._best_of_all(effects)
            if self._is_new(chosen):
                return self.candidates.text_of(chosen)
        near = self._near(current, self._drawn_effects())
        return None if near is None else self.candidates.text_of(near)

    def _is_new(self, chosen: frozenset[int]) -> bool:
        return self.trials.is_new(self.candidates.text_of(chosen))

    def _drawn_effects(self) -> list[float]:
        """Of each example: one draw from the posterior."""
        import numpy as np

        tried = [sha256 for sha256 in self.trials.estimates if sha256 != self.trials.seed]
        shown = np.zeros((len(tried), self._size + 1))
        scores, weights = np.zeros(len(tried)), np.zeros(len(tried))
        for row, sha256 in enumerate(tried):
            shown[row, list(self.candidates.places(self.trials.texts[sha256]))] = 1
            shown[row, -1] = 1  # the level of all sets
            scores[row] = self.trials.estimates[sha256] - self.trials.means[self.trials.seed]
            weights[row] = 1 / (_NOISE**2 / len(self.trials.rows[sha256]) + _MISFIT**2)
        prior = np.full(self._size + 1, 1 / _EFFECT**2)
        precision = np.diag(prior) + shown.T @ (weights[:, None] * shown)
        root = np.linalg.cholesky(precision)
        mean = np.linalg.solve(precision, shown.T @ (weights * scores))
        noise = np.array([self.random.gauss(0, 1) for _ in range(self._size + 1)])
        drawn = mean + np.linalg.solve(root.T, noise)
        return [float(effect) for effect in drawn[:-1]]

    def _best_of_all(self, effects: list[float]) -> frozenset[int]:
        ranked = sorted(range(self._size), key=lambda place: -effects[place])
        gaining = [place for place in ranked[: self._most] if effects[place] > 0]
        return frozenset(gaining if len(gaining) >= self._least else ranked[: self._least])

    def _near(self, current: str, effects: list[float]) -> frozenset[int] | None:
        """The best by these effects of the untried sets that differ from the current one in one example."""
        now = self.candidates.places(current)
        others = [place for place in range(self._size) if place not in now]
        near = [now - {each} for each in now] + [now | {each} for each in others]
        near += [now - {out} | {into} for out in now for into in others]
        sized = [chosen for chosen in near if self._least <= len(chosen) <= self._most]
        by_gain = sorted(sized, key=lambda chosen: (-sum(effects[place] for place in chosen), sorted(chosen)))
        return next((chosen for chosen in by_gain if self._is_new(chosen)), None)
