"""The parameters of each optimiser: their names, bounds and defaults, checked before anything is asked."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from evaluation.optimise.contract import (
    EVOLUTIONARY,
    FEW_SHOT,
    GEPA,
    HIERARCHICAL,
    META_PROMPT,
    OPTIMIZERS,
)
from results.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

Count = Annotated[int, Meta(ge=1, le=100_000)]
Share = Annotated[float, Meta(ge=0, le=1)]


class Common(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of all optimisers.

    max_trials: candidates that are tried. n_samples: of validation, drawn by seed; None: all. seed: instead of the
    run's. race: candidates that can't win stop early; without it, each one is asked all validation samples.
    minibatch_size: training samples that a reflector sees at once.
    """

    max_trials: Count = 20
    n_samples: Count | None = None
    seed: Annotated[int, Meta(ge=0, le=2**53)] | None = None
    race: bool = True
    minibatch_size: Count = 3


class FewShot(Common, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """min_examples, max_examples: shown at once. pool_size: training samples with an answer that are taken into
    account, drawn by seed: more need more trials.
    """

    max_trials: Count = 40
    min_examples: Annotated[int, Meta(ge=0, le=64)] = 1
    max_examples: Annotated[int, Meta(ge=1, le=64)] = 4
    pool_size: Annotated[int, Meta(ge=1, le=512)] = 24
    minibatch_size: Count = 1


class MetaPrompt(Common, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """prompts_per_round: that the reflector writes at once. history_size: earlier prompts with their scores that it
    sees.
    """

    prompts_per_round: Annotated[int, Meta(ge=1, le=16)] = 4
    history_size: Annotated[int, Meta(ge=0, le=32)] = 4
    minibatch_size: Count = 5


class Evolutionary(Common, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """mutation_rate, crossover_rate: chances of a child. elitism_size: of the population, what is kept as it is.
    tournament_size: of how many the best becomes a parent.
    """

    max_trials: Count | None = None  # type: ignore[assignment]
    population_size: Annotated[int, Meta(ge=2, le=256)] = 6
    num_generations: Annotated[int, Meta(ge=1, le=1000)] = 5
    mutation_rate: Share = 0.6
    crossover_rate: Share = 0.6
    tournament_size: Annotated[int, Meta(ge=1, le=64)] = 3
    elitism_size: Annotated[int, Meta(ge=0, le=64)] = 2


class Hierarchical(Common, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """batch_size: failures whose causes are asked for at once. max_causes: groups that are worked on, the largest
    first.
    """

    batch_size: Annotated[int, Meta(ge=1, le=64)] = 8
    max_causes: Annotated[int, Meta(ge=1, le=32)] = 4
    minibatch_size: Count = 8


class Gepa(Common, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """gepa's own search, with gepa's own names and defaults."""

    max_trials: Count = 40
    reflection_minibatch_size: Count | None = None
    candidate_selection_strategy: str = "pareto"
    use_merge: bool = False
    skip_perfect_score: bool = True


KINDS: dict[str, type[Common]] = {
    FEW_SHOT: FewShot,
    META_PROMPT: MetaPrompt,
    EVOLUTIONARY: Evolutionary,
    HIERARCHICAL: Hierarchical,
    GEPA: Gepa,
}
SELECTIONS = ("pareto", "current_best", "epsilon_greedy", "top_k_pareto")


def read_parameters(
    optimizer: str, params: Mapping[str, Any] | None = None, prompt_params: Mapping[str, Any] | None = None
) -> Common:
    """Of `optimizer_params` and `optimizer_prompt_params`, which go together; the second ones win.

    Raises UsageError for an unknown optimiser, an unknown name, and a value out of bounds.
    """
    if optimizer not in KINDS:
        raise UsageError(
            f"there is no optimizer {optimizer!r}", hint=f"choose one of {', '.join(OPTIMIZERS)}"
        )
    given = {**(params or {}), **(prompt_params or {})}
    kind = KINDS[optimizer]
    names = [field.name for field in msgspec.structs.fields(kind)]
    for name in given:
        if name not in names:
            close = difflib.get_close_matches(str(name), names, n=1)
            raise UsageError(
                f"{optimizer} has no parameter {name!r}",
                hint=f"did you mean {close[0]}?" if close else f"it has {', '.join(names)}",
            )
    try:
        found = msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        raise UsageError(
            f"a parameter of {optimizer} can't be used: {error}", hint="correct its value"
        ) from error
    if isinstance(found, FewShot) and found.min_examples > found.max_examples:
        raise UsageError(
            f"min_examples {found.min_examples} is more than max_examples {found.max_examples}",
            hint="raise max_examples",
        )
    if isinstance(found, Gepa) and found.candidate_selection_strategy not in SELECTIONS:
        raise UsageError(
            f"there is no candidate_selection_strategy {found.candidate_selection_strategy!r}",
            hint=f"choose one of {', '.join(SELECTIONS)}",
        )
    return found
