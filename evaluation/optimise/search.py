"""`optimise`: one search from its seed prompt to what the test split says of the best one found."""

from __future__ import annotations

import dataclasses
import importlib.util
import random
from functools import partial
from typing import TYPE_CHECKING, Any

from evaluation.optimise.adapter import Adapter
from evaluation.optimise.candidates import EXAMPLES, INSTRUCTION, Candidates
from evaluation.optimise.contract import (
    EVOLUTIONARY,
    FEW_SHOT,
    HIERARCHICAL,
    META_PROMPT,
    Budget,
    Found,
    Stopped,
)
from evaluation.optimise.evolution import Evolution, most_children
from evaluation.optimise.few_shot import FewShotSearch
from evaluation.optimise.gain import judged_gain
from evaluation.optimise.gepa_proposals import proposed
from evaluation.optimise.hierarchical import HierarchicalReflection
from evaluation.optimise.ledger import Halt, Ledger
from evaluation.optimise.meta_prompt import MetaPrompting
from evaluation.optimise.parameters import (
    Common,
    Evolutionary,
    FewShot,
    Gepa,
    Hierarchical,
    MetaPrompt,
    read_parameters,
)
from evaluation.optimise.splits import hashes, narrowed, require_usable
from evaluation.optimise.trials import Trials
from results.errors import UsageError
from results.extras import install_command
from results.stats.sample_order import order_key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from evaluation.optimise.contract import Item, Problem, Progress
    from evaluation.optimise.optimiser import Optimiser


def require_gepa() -> None:
    """Raises UsageError where the engine is not installed."""
    if importlib.util.find_spec("gepa") is None:
        raise UsageError(
            "optimise needs the gepa package, which is not installed", hint=install_command("optimise")
        )


def optimise(
    problem: Problem,
    *,
    optimizer: str,
    journal: Path,
    seed: int,
    params: Mapping[str, Any] | None = None,
    prompt_params: Mapping[str, Any] | None = None,
    budget: Budget | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Found:
    """Search, then ask the test split once.

    journal: the file of all calls, such as `evaluations.jsonl` in the run's folder; where it exists, the search goes
    through it again without asking for anything that is in it, and goes on behind it. With the same seed, problem and
    parameters the result is the same, also over kills, unless the calls that were lost in them end the budget sooner.
    Raises UsageError before anything is asked, ResumeMismatch for a journal of another search, ResultsError where it
    can't be written, and what `evaluate` and `reflect` raise.
    """
    require_gepa()
    require_usable(problem.splits)
    parameters = read_parameters(optimizer, params, prompt_params)
    seed = seed if parameters.seed is None else parameters.seed
    problem = dataclasses.replace(problem, splits=narrowed(problem.splits, parameters.n_samples, seed))
    pool = _pool(problem.splits.train, parameters, seed)
    with Ledger(problem, journal, budget=budget or Budget(), seed=seed) as ledger:
        candidates = Candidates(problem.seed_prompt, EXAMPLES if optimizer == FEW_SHOT else INSTRUCTION, pool)
        trials = Trials(
            ledger,
            candidates,
            problem.splits.validation,
            max_trials=_most_trials(parameters),
            races=parameters.race,
            accept_all=not isinstance(parameters, Gepa),
            on_progress=on_progress,
        )
        optimiser = _optimiser(
            optimizer,
            parameters,
            len(pool),
            {
                "ledger": ledger,
                "candidates": candidates,
                "trials": trials,
                "random": random.Random(seed),  # noqa: S311 - reproducible, not secret
            },
        )
        try:
            _run(
                problem, parameters, optimiser, ledger=ledger, candidates=candidates, trials=trials, seed=seed
            )
            stopped = trials.stopped or Stopped.TRIALS
            found = candidates.prompt({candidates.component: trials.texts[trials.best]})
            gain = judged_gain(ledger, problem.splits.test, seed_prompt=problem.seed_prompt, found=found)
        except Halt as halt:
            raise halt.error or halt from None
        return Found(
            prompt=found,
            parents=trials.ancestors(trials.best),
            validation_seed=trials.means[trials.seed],
            validation_score=trials.means[trials.best],
            stopped=stopped,
            spent=ledger.spent,
            candidates=trials.trials,
            replayed=ledger.replayed,
            gain=gain,
            splits=hashes(problem.splits),
        )


def _run(
    problem: Problem,
    parameters: Common,
    optimiser: Optimiser[Any] | None,
    *,
    ledger: Ledger,
    candidates: Candidates,
    trials: Trials,
    seed: int,
) -> None:
    """Until trials, budget or ideas end. Raises Halt for what went wrong."""
    from gepa.api import optimize

    from evaluation.optimise.pareto import selector

    adapter = Adapter(
        ledger,
        candidates,
        problem.splits.train,
        propose=partial(proposed, ledger) if optimiser is None else optimiser.propose,
        first_look=optimiser is None,
    )
    minibatch = parameters.minibatch_size
    hooks: Any = trials
    own: dict[str, Any] = {}
    if optimiser is not None:
        optimiser.adapter = adapter
        trials.finished = optimiser.finished
        own = {"sampling_strategy": optimiser, "skip_perfect_score": optimiser.skip_perfect}
    elif isinstance(parameters, Gepa):
        minibatch = parameters.reflection_minibatch_size or minibatch
        own = {
            "candidate_selection_strategy": selector(parameters.candidate_selection_strategy, seed),
            "use_merge": parameters.use_merge,
            "skip_perfect_score": parameters.skip_perfect_score,
        }
    try:
        # No run_dir: gepa keeps its state there as a pickle, and loads whatever pickle it finds.
        optimize(
            seed_candidate=candidates.seed,
            trainset=list(problem.splits.train),
            valset=list(problem.splits.validation),
            adapter=adapter,
            reflection_minibatch_size=minibatch,
            selection_strategy=hooks,
            stop_callbacks=hooks,
            callbacks=[hooks],
            logger=_Silent(),
            run_dir=None,
            track_best_outputs=False,
            seed=seed,
            **own,
        )
    except Halt as halt:
        if halt.stopped is None:
            raise
        trials.stopped = halt.stopped


class _Silent:
    """gepa's logger: the journal and `on_progress` say what happens."""

    def log(self, message: str) -> None:
        pass


def _pool(train: tuple[Item, ...], parameters: Common, seed: int) -> list[Item]:
    """What examples may be made of."""
    if not isinstance(parameters, FewShot):
        return []
    found = sorted((item for item in train if item.answer), key=lambda item: order_key(seed, item.sha256))
    if not found:
        raise UsageError(
            f"{FEW_SHOT} needs worked answers to show, and no sample of train has one",
            hint="choose another optimizer, or a benchmark whose samples have answers",
        )
    return found[: parameters.pool_size]


def _most_trials(parameters: Common) -> int:
    if isinstance(parameters, Evolutionary):
        children = most_children(parameters)
        return children if parameters.max_trials is None else min(children, parameters.max_trials)
    return parameters.max_trials


def _optimiser(
    optimizer: str, parameters: Common, pool_size: int, means: dict[str, Any]
) -> Optimiser[Any] | None:
    """None for gepa's own."""
    if isinstance(parameters, FewShot):
        return FewShotSearch(parameters, pool_size=pool_size, **means)
    if isinstance(parameters, MetaPrompt) and optimizer == META_PROMPT:
        return MetaPrompting(parameters, **means)
    if isinstance(parameters, Evolutionary) and optimizer == EVOLUTIONARY:
        return Evolution(parameters, **means)
    if isinstance(parameters, Hierarchical) and optimizer == HIERARCHICAL:
        return HierarchicalReflection(parameters, **means)
    return None
