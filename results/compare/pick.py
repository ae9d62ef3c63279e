"""Which run of a table to take: the cheapest of those that are not shown worse than the best.

One that may be worse by more than 10 points is only taken, tentatively, if that holds for all cheaper and other ones.
Cheapest is the one with the least memory; those within 5 % of it count as equal, and of these the fastest is taken.
Nothing is picked where scores say little: no run solved anything, most answers were cut, or nothing could be tested.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from results.compare.versus_best import Rank, lost_too_many
from results.records import Outcome
from results.stats.machines import machine_of, speed_doubts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from results.compare.leaderboard import Row, Table

NEAR = 0.05  # share of the least memory, or of the highest speed, that says nothing
MOST_UNFINISHED = (
    0.5  # share of answers that were cut, empty or lost, above which a score is about the settings
)
SETTLED_LOSS = 0.10  # a pick that may be worse by more is only tentative
WANTED_LOSS = 0.05  # what `samples_needed` is for


class Why(enum.Enum):
    """What decided, or why nothing is picked."""

    MEMORY = "memory"
    SPEED = "speed"
    SCORE = "score"  # the only one that isn't shown worse, or nothing else is known
    ONE_RUN = "one run"
    NO_SCORE = "no score"
    NOTHING_SOLVED = "nothing solved"
    UNFINISHED = "unfinished"  # most answers were cut or empty
    LOST = "lost"  # by the infrastructure
    UNTESTED = "untested"
    RACED = "raced"  # no run went through all samples


@dataclass(frozen=True)
class Memory:
    """A kind of memory that is known of all runs: bytes by run id. words: such as "GPU memory"."""

    words: str
    of: dict[str, int]


@dataclass(frozen=True)
class Pick:
    """row: the one to take; None if nothing is picked. best: the highest score, which the others are tested against.
    runner_up: the highest score if that isn't the pick, else the next cheapest. candidates: those not shown worse.
    loss: how much worse than the best the pick may be, at most (95 %), as a fraction; for the best itself, how much
    better another one may be; None if there is none. passed_over: most of their answers were cut or empty.
    better: they have fewer samples, but are shown to be better on those that both answered. cheaper: a still cheaper
    one that isn't shown worse but may be worse by more than 10 points.
    samples_needed: to bound the loss to WANTED_LOSS if there is no true difference; None if it is settled.
    memory: what memory was compared by; None if it isn't known of all candidates. same_machine: whether speeds can be
    compared.
    """

    why: Why
    row: Row | None = None
    best: Row | None = None
    runner_up: Row | None = None
    candidates: tuple[Row, ...] = ()
    loss: float | None = None
    samples_needed: int | None = None
    passed_over: tuple[Row, ...] = ()
    better: tuple[Row, ...] = ()
    cheaper: Row | None = None
    memory: Memory | None = None
    same_machine: bool = True

    @property
    def settled(self) -> bool:
        """Whether the pick's possible loss is small enough to call it one."""
        return self.row is not None and not self.better and (self.loss is None or self.loss <= SETTLED_LOSS)


def pick_run(table: Table) -> Pick:
    """What to take of a table of comparable runs."""
    scored = [row for row in table.rows if row.score is not None]
    if not scored:
        return Pick(Why.NO_SCORE)
    if not any(row.score for row in scored):
        return Pick(Why.NOTHING_SOLVED)
    if all(unfinished(row) > MOST_UNFINISHED for row in scored):
        return Pick(Why.UNFINISHED)
    if len(scored) == 1:
        return Pick(Why.ONE_RUN, best=scored[0])
    best = next((row for row in scored if _rank(row) is Rank.BEST), None)
    if best is None:
        return Pick(Why.LOST if any(lost_too_many(row.record) for row in scored) else Why.RACED)
    if unfinished(best) > MOST_UNFINISHED:
        return Pick(Why.UNFINISHED, best=best)
    others = [row for row in scored if row is not best and _rank(row) is not Rank.STOPPED]
    if others and all(_rank(row) is Rank.UNTESTED for row in others):
        return Pick(Why.UNTESTED, best=best)
    as_good = [row for row in others if _rank(row) is Rank.SAME and not lost_too_many(row.record)]
    passed_over = tuple(row for row in as_good if unfinished(row) > MOST_UNFINISHED)
    candidates = [best, *(row for row in as_good if row.score and row not in passed_over)]
    memory, same_machine = _memory(candidates), len({machine_of(row.record) for row in candidates}) == 1
    bounded = [row for row in candidates if row is best or _possible_loss(row) <= SETTLED_LOSS]
    row, why = _cheapest(bounded if len(bounded) > 1 else candidates, memory, same_machine=same_machine)
    cheapest, _ = _cheapest(candidates, memory, same_machine=same_machine)
    loss, widest = _loss(row, best, as_good)
    unsettled = loss is not None and loss > SETTLED_LOSS
    return Pick(
        why=why,
        row=row,
        best=best,
        runner_up=_runner_up(row, best, candidates, others, memory, same_machine=same_machine),
        candidates=tuple(candidates),
        loss=loss,
        samples_needed=_samples_needed(widest) if unsettled and widest is not None else None,
        passed_over=passed_over,
        better=tuple(row for row in others if _rank(row) is Rank.BETTER),
        cheaper=cheapest if cheapest is not row and cheapest not in bounded else None,
        memory=memory,
        same_machine=same_machine,
    )


def unfinished(row: Row) -> float:
    """The share of answers that were cut, empty or lost."""
    score = row.record.score
    if score is None or not score.completions:
        return 0.0
    kinds = (Outcome.TRUNCATED, Outcome.NO_ANSWER, Outcome.INFRASTRUCTURE_ERROR)
    return sum(score.outcomes.get(kind, 0) for kind in kinds) / score.completions


def undisturbed(row: Row) -> bool:
    """Whether its speed may be compared."""
    return not speed_doubts(row.record)


def _rank(row: Row) -> Rank | None:
    return row.versus.rank if row.versus is not None else None


def _memory(rows: Sequence[Row]) -> Memory | None:
    """The kind of memory by which all rows can be compared: of the GPU, of the host without a GPU, or the file."""

    def size(row: Row) -> int | None:
        return row.record.model_identity.size_bytes if row.record.model_identity is not None else None

    def host(row: Row) -> int | None:
        return row.host_memory_bytes if row.gpu_memory_bytes is None else None

    kinds: tuple[tuple[str, Callable[[Row], int | None]], ...] = (
        ("GPU memory", lambda row: row.gpu_memory_bytes),
        ("memory", host),
        ("file", size),
    )
    for words, of in kinds:
        known = {row.record.run_id: value for row in rows if (value := of(row))}
        if len(known) == len(rows):
            return Memory(words, known)
    return None


def _cheapest(rows: Sequence[Row], memory: Memory | None, *, same_machine: bool) -> tuple[Row, Why]:
    if len(rows) == 1:
        return rows[0], Why.SCORE
    why, near = Why.SCORE, [*rows]
    if memory is not None:
        least = min(memory.of[row.record.run_id] for row in rows)
        near = [row for row in rows if memory.of[row.record.run_id] <= (1 + NEAR) * least]
        if len(near) < len(rows):
            why = Why.MEMORY
    speeds = [row.tokens_per_s for row in near if undisturbed(row) and row.tokens_per_s]
    if len(near) > 1 and same_machine and len(speeds) == len(near):
        fastest = max(filter(None, speeds))
        quick = [row for row in near if (row.tokens_per_s or 0.0) >= (1 - NEAR) * fastest]
        if len(quick) < len(near):
            why = why if why is Why.MEMORY else Why.SPEED
        near = quick
    return max(near, key=_by_score), why


def _by_score(row: Row) -> tuple[float, bool, str]:
    return (row.score or 0.0, _rank(row) is Rank.BEST, row.record.run_id)


def _runner_up(
    row: Row,
    best: Row,
    candidates: Iterable[Row],
    others: Iterable[Row],
    memory: Memory | None,
    *,
    same_machine: bool,
) -> Row | None:
    if row is not best:
        return best
    rest = [each for each in candidates if each is not row]
    if rest:
        return _cheapest(rest, memory, same_machine=same_machine)[0]
    return max((each for each in others if _rank(each) is Rank.WORSE), key=_by_score, default=None)


def _possible_loss(row: Row) -> float:
    """How much worse than the best it may be, at most; infinite if unknown."""
    low = row.versus.low if row.versus is not None else None
    return math.inf if low is None else max(0.0, -low)


def _loss(row: Row, best: Row, as_good: Sequence[Row]) -> tuple[float | None, Row | None]:
    """How much better another run may be, and the run whose interval says so."""
    if row is not best:
        low = row.versus.low if row.versus is not None else None
        return (max(0.0, -low) if low is not None else None), row
    highs = [
        (each.versus.high, each)
        for each in as_good
        if each.versus is not None and each.versus.high is not None
    ]
    if not highs:
        return None, None
    high, widest = max(highs, key=lambda found: found[0])
    return max(0.0, high), widest


def _samples_needed(row: Row) -> int | None:
    """An interval's width falls with the root of the number of samples."""
    versus = row.versus
    if versus is None or versus.low is None or versus.high is None:
        return None
    half = (versus.high - versus.low) / 2
    return max(versus.samples + 1, round(versus.samples * (half / WANTED_LOSS) ** 2))
