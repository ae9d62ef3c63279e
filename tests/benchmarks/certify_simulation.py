"""Certificates of accelerations that change nothing, that change much and lose nothing, and that lose something."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from results.stats.certification import Certified, ThreeRuns, certify


@dataclass(frozen=True)
class Kind:
    """flips: the share of samples whose verdict a run draws anew each time, so that half as many flip between two plain
    runs. churn: share of verdicts that the acceleration changes for good, as often up as down. loss: the share of all
    samples that it loses.
    """

    flips: float = 0.0
    churn: float = 0.0
    loss: float = 0.0


ALIKE = {  # accelerations that change nothing
    "plain decoding repeats itself": Kind(),
    "1 % of verdicts flip by chance": Kind(flips=0.02),
    "5 % flip by chance": Kind(flips=0.10),
    "20 % flip by chance": Kind(flips=0.40),
}
HARMLESS = {  # that change verdicts, as often up as down
    "the acceleration changes 4 %, as often up as down": Kind(churn=0.04),
    "it changes 10 %, and 5 % flip by chance": Kind(flips=0.10, churn=0.10),
}
LOSSES = {
    "plain decoding repeats itself": Kind(loss=0.03),
    "1 % flip by chance": Kind(flips=0.02, loss=0.03),
    "5 % flip by chance": Kind(flips=0.10, loss=0.03),
    "it changes 4 % more, as often up as down": Kind(churn=0.04, loss=0.03),
    "both": Kind(flips=0.10, churn=0.04, loss=0.03),
}


def verdicts(kind: Kind, *, samples: int, times: int, seed: int, margin: float = 0.03) -> Counter[Certified]:
    """How often each verdict is given, each time for another model and other samples."""
    random = np.random.default_rng(seed)
    found: Counter[Certified] = Counter()
    for _ in range(times):
        share = random.uniform(0.3, 0.8)
        truth = random.random(samples) < share
        unstable = random.random(samples) < kind.flips

        def run(of: np.ndarray, unstable: np.ndarray = unstable) -> np.ndarray:
            return np.where(unstable, random.random(samples) < 0.5, of)

        # Drawn again from the same score: as often up as down.
        changed = (random.random(samples) < kind.churn / (2 * share * (1 - share))) & ~unstable
        then = np.where(changed, random.random(samples) < share, truth)
        lost = random.random(samples) < kind.loss / max(truth.mean(), 1e-9)
        runs = [run(truth), run(truth), run(then) & ~lost]
        three = [ThreeRuns(*map(int, each)) for each in zip(*runs, strict=True)]
        found[certify(three, margin=margin).verdict] += 1
    return found
