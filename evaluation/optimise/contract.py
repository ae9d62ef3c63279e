"""What an optimiser gets (a problem, a budget) and what it gives (a prompt with its lineage).

`evaluation.optimise.search.optimise` takes these types. It runs in the calling thread and never imports a client of its
own: a problem's `evaluate` and `reflect` may block, and may hand over to an event loop in another thread.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING, NamedTuple, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from results.prompts.prompt_file import Gain, PromptText

FEW_SHOT = "few_shot"
META_PROMPT = "meta_prompt"
EVOLUTIONARY = "evolutionary_optimizer"
HIERARCHICAL = "hierarchical_reflective"
GEPA = "gepa"
OPTIMIZERS = (FEW_SHOT, META_PROMPT, EVOLUTIONARY, HIERARCHICAL, GEPA)


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """A sample of the benchmark. sha256: of its content, by which splits are kept apart and journals find it again.

    question: as a reflector, or a reader of an example, sees it. answer: a worked answer in the form that the benchmark
    wants; empty where there is none, and then the sample can't be an example.
    """

    task_id: str
    sha256: str
    question: str
    answer: str = ""


class Splits(msgspec.Struct, frozen=True, kw_only=True):
    """No two items of all three have the same sha256 (`evaluation.optimise.splits` makes such). train: what reflectors
    see and examples come from. validation: what candidates are chosen by. test: asked once, for the gain; may be empty.
    """

    train: tuple[Item, ...]
    validation: tuple[Item, ...]
    test: tuple[Item, ...] = ()


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How one sample went with one prompt. score: 0 to 1, higher is better; an answer that is none (refused, too long
    for the context) has 0. sha256: the item's.

    answer: what the model said, and feedback: why it is wrong and what was expected; both are shown to reflectors, so
    only of train. cause: a short label of the kind of failure, such as that of a failed check; may be empty.
    tokens, cost_usd: of the request; None where it is not known.
    """

    sha256: str
    score: float
    answer: str = ""
    feedback: str = ""
    cause: str = ""
    tokens: int | None = None
    cost_usd: float | None = None


class Reflection(msgspec.Struct, frozen=True, kw_only=True):
    """What the reflector wrote."""

    text: str
    tokens: int | None = None
    cost_usd: float | None = None


class Cost(NamedTuple):
    """Of calls to come, at the most. cost_usd: 0 where nobody charges."""

    tokens: int = 0
    cost_usd: float = 0.0


class Evaluate(Protocol):
    """Ask the model."""

    def __call__(self, prompt: PromptText, items: Sequence[Item], seed: int) -> Iterable[Outcome]:
        """One outcome an item, in any order; each is written down as it comes, so a generator loses least to a kill.

        seed: of the sampling, the same for all prompts. Raises BenchError where there is no answer to be had (server
        gone, cap of the run reached): the search then stops with that error, and the same journal goes on later.
        """


class Reflect(Protocol):
    """Ask the reflector."""

    def __call__(self, text: str, seed: int) -> Reflection:
        """seed: of the sampling; another one where the same text is asked again. Raises BenchError as `Evaluate`."""


class WorstCase(Protocol):
    """The most that calls can take."""

    def __call__(self, asked: PromptText | str, items: Sequence[Item]) -> Cost:
        """Of asking all the items with a prompt; of one reflection where `asked` is its text (items is empty)."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Problem:
    """What is to be optimised.

    seed_prompt: where the search starts, and what the gain is measured against. identity: of everything that
    determines an outcome beside prompt, sample and seed (benchmark, model, sampling): a journal of another identity is
    refused. worst_case: needed for budgets in tokens or money, without which they are refused. in_flight: how many
    requests at most are sent whose outcome `evaluate` has not yielded yet; None: all. It only says how many calls a
    kill may have lost.
    """

    splits: Splits
    evaluate: Evaluate
    reflect: Reflect
    seed_prompt: PromptText
    identity: str
    worst_case: WorstCase | None = None
    in_flight: int | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Budget:
    """Never exceeded: checked before each batch of calls, with its worst case, and with what the test of the gain will
    take. Kills and resumes count together. None: no bound. max_calls: samples asked and reflections together.

    The search ends where the next batch doesn't fit; what was found till then is the result.
    """

    max_calls: int | None = None
    max_tokens: int | None = None
    max_cost_usd: float | None = None


class Stopped(enum.StrEnum):
    """Why a search ended."""

    TRIALS = "trials"  # it has tried what its parameters say
    BUDGET = "budget"
    PERFECT = "perfect"  # every validation sample is solved
    EXHAUSTED = "exhausted"  # nothing new was proposed for long


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """Calls of all tries of this journal. lost: calls of killed tries whose outcome is not known; they count."""

    evaluations: int = 0
    reflections: int = 0
    lost: int = 0
    tokens: int = 0
    cost_usd: float = 0.0

    @property
    def calls(self) -> int:
        return self.evaluations + self.reflections + self.lost


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """After each trial. Scores are mean scores on validation, 0 to 1; of: trials there can be."""

    trial: int
    of: int
    best: float
    seed: float
    spent: Spent


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a search.

    prompt: the candidate with the best mean on validation, the seed prompt if nothing is better. parents: hashes of the
    prompts it was made of, oldest first, the seed prompt's first; empty for the seed prompt. validation_seed,
    validation_score: means on validation, 0 to 1; the second one is that of the best of many, thus too high. gain: on
    test; None without a test split, or where it didn't fit into the budget any more. candidates: prompts tried.
    replayed: calls that this try found in the journal.
    """

    prompt: PromptText
    parents: tuple[str, ...]
    validation_seed: float
    validation_score: float
    stopped: Stopped
    spent: Spent
    candidates: int
    replayed: int = 0
    gain: Gain | None = None
    splits: dict[str, str] = {}  # sha256 over the samples of each split, as in `Lineage`
