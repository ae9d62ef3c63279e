"""Which of the candidates to take, from what was measured and shown. Computes only; asks and prints nothing.

Taken is the fastest (or thriftiest, or smallest) of those that are shown to be as good as the best. `as good` is what
`results.stats.as_good` shows, so whatever decides among them, the error stays below 5 %.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from choosing.recommendation.constraints import Prefer
from choosing.recommendation.contender import best_of, points_text
from choosing.recommendation.doubts import farther, sensitivity, what_it_takes
from results.stats.as_good import USUAL_DISCORDANCE, fewest_to_show, samples_to_show
from results.stats.paired import compare_verdicts, with_holm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from choosing.recommendation.constraints import Constraints
    from choosing.recommendation.contender import Contender
    from choosing.recommendation.measured_speed import MeasuredSpeed
    from results.stats.as_good import Selection, Standing

NEAR = 0.05  # share within which two speeds, energies or memories count as equal
MOST_UNFINISHED = 0.5  # share of answers that were cut or empty, above which a score is about the settings
LEAST_SCORE = 2  # times the tolerance: below, one that solves half as much as the best would count as good


class Ending(enum.StrEnum):
    """How a recommendation ends."""

    RECOMMENDED = "recommended"
    NOTHING_FITS = "nothing fits"
    CONSTRAINTS_NOT_MET = "constraints not met"
    NOT_DECIDED = "not decided"

    @property
    def exit_code(self) -> int:
        return {"recommended": 0, "not decided": 9}.get(self.value, 8)


@dataclass(frozen=True, kw_only=True)
class Decision:
    """chosen, runner_up: positions. words: of each contender: a verdict and why. losses: at most so many points worse
    than any other (95 % for all together), where shown.
    """

    ending: Ending
    head: str
    proof: tuple[str, ...] = ()
    chosen: int | None = None
    runner_up: int | None = None
    runner_up_text: str = ""
    needed: str = ""
    words: tuple[tuple[str, str], ...] = ()
    losses: tuple[float | None, ...] = ()
    unknown: tuple[str, ...] = ()


def only_one(contender: Contender, constraints: Constraints) -> Decision:
    """The decision if a single one meets the constraints: there is nothing to compare it with."""
    return Decision(
        ending=Ending.RECOMMENDED,
        head=f"Take {contender.label}: it is the only one that meets the constraints",
        proof=_speed_sentences(contender, constraints),
        chosen=0,
        words=(("chosen", "the only one that meets the constraints"),),
        losses=(None,),
        unknown=("its answers were not compared, because no other one meets the constraints",),
    )


def decide(contenders: Sequence[Contender], selection: Selection, constraints: Constraints) -> Decision:
    """The decision among at least two. selection: of their pooled answers, in the same order."""
    trouble = _says_little(contenders, constraints)
    if trouble:
        return Decision(
            ending=Ending.NOT_DECIDED,
            head=f"Not decided: {trouble[0]}",
            needed=trouble[1],
            words=tuple(("undecided", trouble[0]) for _ in contenders),
            losses=(None,) * len(contenders),
        )
    shown = [i for i, each in enumerate(selection.standings) if each.shown]
    words = [_word(contenders, each, constraints) for each in selection.standings]
    losses = tuple(
        _loss_points(i, selection, constraints) if i in shown else None for i in range(len(contenders))
    )
    if not shown:
        return Decision(
            ending=Ending.NOT_DECIDED,
            head=f"Not decided: none is shown to be within {points_text(constraints)} of every other one",
            needed=what_it_takes(contenders, selection),
            words=tuple(words),
            losses=losses,
        )
    order = preferred(contenders, shown, constraints.prefer)
    chosen = order[0]
    words[chosen] = ("chosen", _because(contenders, order, constraints))
    runner_up, text = _runner_up(contenders, selection, order)
    best = contenders.index(best_of(contenders))
    return Decision(
        ending=Ending.RECOMMENDED,
        head=f"Take {contenders[chosen].label}: {words[chosen][1]}",
        proof=(
            _loss_sentence(contenders, chosen, losses[chosen]),
            *_againstbest_of(contenders, chosen, best),
            *_by_benchmark(contenders[chosen], contenders[best]),
            *([contenders[chosen].fidelity.said] if contenders[chosen].fidelity.said else []),
            *_speed_sentences(contenders[chosen], constraints),
        ),
        chosen=chosen,
        runner_up=runner_up,
        runner_up_text=text,
        words=tuple(words),
        losses=losses,
        unknown=(
            *sensitivity(contenders, constraints),
            *farther(contenders[chosen], contenders),
            *_better_ones(contenders, selection, chosen, constraints),
        ),
    )


def preferred(contenders: Sequence[Contender], among: Iterable[int], prefer: Prefer) -> list[int]:
    """Positions, the one to take first. What is within 5 % of the first counts as equal, and the smaller one is taken
    (of equal memory, the faster). Unknown figures come last.
    """
    cost = _COSTS[prefer]
    second = _COSTS[Prefer.SPEED if prefer is Prefer.MEMORY else Prefer.MEMORY]
    left = sorted(among, key=lambda i: (cost(contenders[i].speed), second(contenders[i].speed)))
    found = []
    while left:
        least = cost(contenders[left[0]].speed)
        near = [i for i in left if cost(contenders[i].speed) <= least + NEAR * abs(least) or i == left[0]]
        first = min(near, key=lambda i: (second(contenders[i].speed), cost(contenders[i].speed)))
        found.append(first)
        left.remove(first)
    return found


def samples_planned(constraints: Constraints, count: int) -> str:
    """How many samples it may take, told before anything is known of how much the answers differ."""
    needed = samples_to_show(constraints.margin, rivals=count - 1, discordance=USUAL_DISCORDANCE)
    fewest = fewest_to_show(constraints.margin, rivals=count - 1)
    return (
        f"to show that one of {count} loses less than {points_text(constraints)} takes about {needed:,} samples if "
        f"{USUAL_DISCORDANCE:.0%} of the answers differ, and at least {fewest:,}"
    )


_COSTS: dict[Prefer, Callable[[MeasuredSpeed], float]] = {
    Prefer.SPEED: lambda speed: 1 / speed.tokens_per_s if speed.tokens_per_s else math.inf,
    Prefer.ENERGY: lambda speed: math.inf if speed.joules_per_token is None else speed.joules_per_token,
    Prefer.MEMORY: lambda speed: math.inf if speed.memory_bytes is None else speed.memory_bytes,
}
_SUPERLATIVES = {Prefer.SPEED: "fastest", Prefer.ENERGY: "thriftiest", Prefer.MEMORY: "smallest in memory"}


def _says_little(contenders: Sequence[Contender], constraints: Constraints) -> tuple[str, str] | None:
    """Why the scores can't decide, and what to do; None if they can."""
    best = best_of(contenders)
    samples = best.answered.samples
    if samples and best.answered.unfinished > MOST_UNFINISHED * samples:
        cut = f"{best.answered.unfinished} of {samples} answers of {best.label} were cut or empty"
        return f"{cut}, so the scores are about the settings", "Raise --max-tokens and --context."
    if best.answered.score < LEAST_SCORE * constraints.tolerance_points:
        return (
            f"the best one solves {best.answered.score:.1f} of 100, so {points_text(constraints)} are too much of it",
            "Use an easier benchmark, or a smaller --tolerance with more samples.",
        )
    return None


def _word(contenders: Sequence[Contender], standing: Standing, constraints: Constraints) -> tuple[str, str]:
    if standing.shown or standing.pair is None or standing.hardest is None:
        return "as good", f"shown to lose less than {points_text(constraints)}"
    rival = contenders[standing.hardest].label
    points = 100 * standing.pair.difference
    against = f"{points:+.1f} points against {rival}, may be {100 * standing.pair.low:+.1f}"
    if standing.samples_needed is None:
        return "behind", against
    return "undecided", f"{against}; about {standing.samples_needed:,} samples would show it"


def _because(contenders: Sequence[Contender], order: Sequence[int], constraints: Constraints) -> str:
    if len(order) == 1:
        return "the only one that is shown to be as good as every other one"
    chosen, others = contenders[order[0]].speed, [contenders[i].speed for i in order[1:]]
    superlative = _SUPERLATIVES[constraints.prefer]
    cost = _COSTS[constraints.prefer]
    if math.isinf(cost(chosen)):
        return f"one of {len(order)} that are as good; none is known to be the {superlative}"
    if min(map(cost, others)) < cost(chosen):
        return (
            f"of the {superlative} ones, within {NEAR:.0%}, the smallest of {len(order)} that are as good"
            if constraints.prefer is not Prefer.MEMORY
            else f"one of the {superlative}, within {NEAR:.0%}, and the fastest of them"
        )
    return f"the {superlative} of {len(order)} that are as good"


def _runner_up(
    contenders: Sequence[Contender], selection: Selection, order: Sequence[int]
) -> tuple[int | None, str]:
    if len(order) > 1:
        other = contenders[order[1]]
        return order[1], f"{other.label}, as good too{_figures(other)}"
    rest = [i for i, each in enumerate(selection.standings) if not each.shown]
    hopeful = [i for i in rest if selection.standings[i].samples_needed is not None] or rest
    if not hopeful:
        return None, ""
    found = max(hopeful, key=lambda i: contenders[i].answered.score)
    score = contenders[found].answered.score
    return (
        found,
        f"{contenders[found].label} ({score:.1f} of 100), not shown to be as good{_figures(contenders[found])}",
    )


def _figures(contender: Contender) -> str:
    speed = contender.speed
    parts = [f"{speed.tokens_per_s:.1f} tokens/s"] if speed.tokens_per_s else []
    parts += [f"{speed.memory_bytes / (1 << 30):.2f} GiB"] if speed.memory_bytes else []
    return f": {', '.join(parts)}" if parts else ""


def _loss_points(position: int, selection: Selection, constraints: Constraints) -> float:
    """At most so many points worse. A pair that was settled at an earlier look loses less than the tolerance."""
    lows = [
        selection.lows.get((position, other), 0.0)
        for other in range(len(selection.standings))
        if other != position
    ]
    return min(constraints.tolerance_points, max(0.0, -100 * min(lows, default=0.0)))


def _loss_sentence(contenders: Sequence[Contender], chosen: int, loss: float | None) -> str:
    own = contenders[chosen].answered
    each = ", ".join(f"{name} {len(tasks):,}" for name, tasks in own.solved.items())
    others = len(contenders) - 1
    than = "the other one" if others == 1 else f"any of the other {others}"
    return (
        f"at most {loss or 0.0:.1f} points worse than {than} that meet{'s' * (others == 1)} the constraints "
        f"(95 % for all of them together), on {own.samples:,} samples: {each}{_stopped(contenders, own.samples)}"
    )


def _stopped(contenders: Sequence[Contender], most: int) -> str:
    early = [each for each in contenders if each.answered.samples < most]
    if not early:
        return ""
    names = ", ".join(each.label for each in early)
    return f"; far behind after {early[0].answered.samples:,} of them: {names}"


def _againstbest_of(contenders: Sequence[Contender], chosen: int, best: int) -> list[str]:
    own, other = contenders[chosen], contenders[best]
    if chosen == best:
        return [f"it has the highest score, {own.answered.score:.1f} of 100"]
    mine, theirs = own.answered.pooled, other.answered.pooled
    common = mine.keys() & theirs.keys()
    ahead = sum(mine[task] is True and theirs[task] is not True for task in common)
    behind = sum(theirs[task] is True and mine[task] is not True for task in common)
    scores = f"{own.answered.score:.1f} of 100, and {other.label} has the highest score, {other.answered.score:.1f}"
    return [f"{scores}: {ahead} samples solved by the former alone, {behind} by the latter alone"]


def _by_benchmark(own: Contender, best: Contender) -> list[str]:
    """The difference in each benchmark, and a warning where one shows a loss by itself."""
    if own is best or len(own.answered.solved) < 2:
        return []
    results = {}
    for name, mine in own.answered.solved.items():
        theirs = best.answered.solved.get(name, {})
        common = sorted(mine.keys() & theirs.keys())
        if common:
            results[name] = compare_verdicts(
                [theirs[task] is True for task in common], [mine[task] is True for task in common]
            )
    adjusted = dict(zip(results, with_holm([*results.values()]), strict=True))
    found = [
        "by benchmark: "
        + ", ".join(f"{name} {100 * each.difference:+.1f} points" for name, each in adjusted.items())
    ]
    found += [
        f"{name} alone shows a loss of {-100 * each.difference:.1f} points (p = {each.adjusted_p:.3f}): if that is "
        "your use, ask for it alone"
        for name, each in adjusted.items()
        if each.shown and each.difference < 0
    ]
    return found


def _speed_sentences(contender: Contender, constraints: Constraints) -> tuple[str, ...]:
    speed = contender.speed
    if speed.tokens_per_s is None:
        return ()
    asked = constraints.min_tokens_per_s
    least = f" (asked for: {asked:g})" if asked is not None else ""
    text = f"{speed.tokens_per_s:.1f} tokens/s with {constraints.depth:,} tokens in the context{least}"
    if speed.empty_tokens_per_s:
        text += f", {speed.empty_tokens_per_s:.1f} at its beginning"
    if speed.wait_s is not None:
        text += f"; the first token comes after {speed.wait_s:.1f} s"
    found = [text]
    if speed.joules_per_token is not None:
        power = f" at {speed.watts:.0f} W" if speed.watts is not None else ""
        found.append(f"{speed.joules_per_token:.2f} J a token{power}")
    return tuple(found)


def _better_ones(
    contenders: Sequence[Contender], selection: Selection, chosen: int, constraints: Constraints
) -> list[str]:
    """Undecided ones that would be preferred."""
    open_ones = [i for i, each in enumerate(selection.standings) if each.samples_needed is not None]
    order = preferred(contenders, [chosen, *open_ones], constraints.prefer)
    found = []
    for i in order[: order.index(chosen)]:
        needed = selection.standings[i].samples_needed or 0
        found.append(
            f"{contenders[i].label} may be as good{_figures(contenders[i])}: about {needed:,} samples would show it, "
            f"{needed - contenders[i].answered.samples:,} more"
        )
    return found
