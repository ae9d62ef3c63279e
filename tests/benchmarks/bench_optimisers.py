"""Whether prompt optimisers find a planted optimum, what races save them, and what a search itself costs.

`python -m tests.benchmarks --only optimisers`: 100 seeds of each optimiser, some 20 minutes; `planted_prompts` says
what is planted. Found: the planted prompt itself, not one nearly as good. Own cost: processor time beside the answers,
per call. Some seeds are searched again without races, and by drawing prompts at random with as many calls.
"""

from __future__ import annotations

import random
import tempfile
import time
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from evaluation.optimise.contract import FEW_SHOT, OPTIMIZERS
from evaluation.optimise.search import optimise
from results.prompts.prompt_file import Example, PromptText
from tests.benchmarks.planted_prompts import KINDS, PARAMETERS, SHOWN, Planted, written
from tests.benchmarks.rows import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evaluation.optimise.contract import Found

SEEDS = 100
WITHOUT_RACES = 10  # a tenth of the seeds: they take four times as long
MOST_MISSED, MOST_OF_FULL, MOST_OWN_MS = 0.05, 0.60, 1.0


def measure(repeats: int = SEEDS) -> Iterator[Row]:
    """repeats: seeds of each optimiser."""
    for optimizer in OPTIMIZERS:
        tries = [searched(optimizer, seed) for seed in range(repeats)]
        missed = [seed for seed, each in enumerate(tries) if not each.found]
        calls = fmean(each.calls for each in tries)
        own = sum(each.own_s for each in tries) / sum(each.calls for each in tries) * 1000
        trials = fmean(each.result.candidates for each in tries)
        yield Row(
            f"{optimizer}: planted prompt missed",
            len(missed) / repeats,
            "of 1",
            MOST_MISSED,
            f"{repeats} seeds, {trials:.0f} trials, {calls:,.0f} calls each; missed {missed}",
        )
        yield Row(f"{optimizer}: own cost of a call", own, "ms", MOST_OWN_MS)
        some = range(max(1, repeats // WITHOUT_RACES))
        full = [searched(optimizer, seed, races=False) for seed in some]
        yield Row(
            f"{optimizer}: calls of full validation",
            fmean(tries[seed].calls for seed in some) / fmean(each.calls for each in full),
            "of 1",
            MOST_OF_FULL,
            f"{len(full)} seeds; found {sum(tries[seed].found for seed in some)} with races and "
            f"{sum(each.found for each in full)} without",
        )
    for examples in (False, True):
        seeds = range(max(1, repeats // 5))
        found = sum(at_random(seed, calls=20_000, examples=examples) for seed in seeds)
        what = "examples" if examples else "instructions"
        yield Row(f"{what} drawn at random: planted prompt missed", 1 - found / len(seeds), "of 1")


class Try:
    """One search. calls: samples and reflections; own_s: processor time that is not the problem's own."""

    def __init__(self, known: Planted, result: Found, own_s: float) -> None:
        self.found = known.is_found(result.prompt)
        self.calls = known.calls + known.reflections
        self.result = result
        self.own_s = own_s


def searched(optimizer: str, seed: int, *, races: bool = True) -> Try:
    known = Planted(seed, examples=optimizer == FEW_SHOT)
    with tempfile.TemporaryDirectory() as folder:
        begin = time.process_time()
        result = optimise(
            known.problem,
            optimizer=optimizer,
            journal=Path(folder) / "evaluations.jsonl",
            seed=seed,
            params={**PARAMETERS[optimizer], "race": races},
        )
        return Try(known, result, time.process_time() - begin - known.answering_s)


def at_random(seed: int, *, calls: int, examples: bool) -> bool:
    """Whether it is the best of as many random prompts as so many calls validate."""
    known = Planted(seed, examples=examples)
    validation = known.problem.splits.validation
    drawn = random.Random(seed)
    prompts = [_random(known, drawn) for _ in range(calls // len(validation))]
    best = max(
        prompts, key=lambda prompt: sum(each.score for each in known.evaluate(prompt, validation, seed))
    )
    return known.is_found(best)


def _random(known: Planted, drawn: random.Random) -> PromptText:
    if known.examples:
        pool = [item for item in known.problem.splits.train if item.answer]
        shown = drawn.sample(pool, drawn.randint(1, SHOWN))
        return PromptText(
            examples=tuple(Example(question=i.question, answer=i.answer, sample=i.task_id) for i in shown)
        )
    return PromptText(instruction=written({kind: drawn.choice(phrases) for kind, phrases in KINDS.items()}))
