"""From the parts of a run's samples to its composite score, with a bootstrap interval over samples.

A part is a ratio of sums over completions: of what was reached and what could be. For most parts that is the mean of
their values; speed is what the baseline took for the same samples, divided by what this run took, at most 1.
Definitions and sources: docs/scoring.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from results.scores.composite import NOT_PASSED, CompositeScore, Part, PartScore, SampleParts, TaggedScores
from results.stats.resampling import SEED, percentiles

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

DEFAULT_WEIGHTS: Mapping[str, float] = {
    Part.CORRECTNESS: 0.40,
    Part.SPEED: 0.20,
    Part.QUALITY: 0.25,
    Part.EFFICIENCY: 0.15,
}
DRAWS = 2000
FEW = 10  # samples, below which a part says so
# Of the draws, those in which no sample has a part: as much as an end of the interval leaves out. More: no interval.
UNKNOWN_MOST = 0.025
_NO_SPREAD = 1e-9  # points, of values that are all the same
RESPONSE_S, REFERENCE_S = "response_s", "reference_s"  # of speed's figures
_AT_ONCE = 1_000_000  # numbers in memory
_SAME = 1e-4  # between what is recorded, in six decimals, and what is computed from values in six decimals


@dataclass(frozen=True)
class PartSums:
    """Of one part, by sample: reached and possible; both 0 where the part is not known."""

    reached: Floats
    possible: Floats


def composite_of(
    lines: Sequence[SampleParts],
    *,
    weights: Mapping[str, float],
    rules: str,
    unknown: Mapping[str, str] | None = None,
    beside: Iterable[str] = (),
    baseline_run: str = "",
    target_s: float | None = None,
    scorers: Mapping[str, str] | None = None,
    warnings: Iterable[str] = (),
) -> CompositeScore:
    """The composite of these completions.

    weights: by part, in any unit; those of 0 do not count. unknown: why a part is not known of the whole run, by part.
    beside: parts without a weight that are told too. The same lines give the same figures, in whatever order.
    """
    lines = sorted(lines, key=lambda line: (line.task_id, line.index))
    shares = shares_of(weights)
    names = (*shares, *(name for name in beside if name not in shares))
    whole = _scored(lines, names, shares, unknown or {})
    parts, composite, partial, partial_of = whole
    few = min(FEW, len({line.task_id for line in lines}))
    said = [
        *warnings,
        *(
            f"{name} rests on only {_counted(score.samples)}"
            for name, score in parts.items()
            if score.value is not None and score.samples < few
        ),
    ]
    by_tag = []
    for tag, value in sorted({item for line in lines for item in line.tags.items()}):
        some = [line for line in lines if line.tags.get(tag) == value]
        of_tag = _scored(some, names, shares, unknown or {})
        by_tag.append(
            TaggedScores(tag=tag, value=value, parts=of_tag[0], composite=of_tag[1], partial=of_tag[2])
        )
    return CompositeScore(
        rules=rules,
        weights=shares,
        parts=parts,
        composite=composite,
        partial=partial,
        partial_of=partial_of,
        by_tag=tuple(by_tag),
        baseline_run=baseline_run,
        target_s=target_s,
        scorers=dict(scorers or {}),
        warnings=tuple(said),
    )


def shares_of(weights: Mapping[str, float]) -> dict[str, float]:
    """Those above 0, such that they sum to 1."""
    whole = math.fsum(weights.values())
    return {str(name): weight / whole for name, weight in weights.items() if weight > 0}


def _counted(samples: int) -> str:
    return f"{samples} sample{'s' * (samples != 1)}"


def _scored(
    lines: Sequence[SampleParts],
    names: Sequence[str],
    shares: Mapping[str, float],
    unknown: Mapping[str, str],
) -> tuple[dict[str, PartScore], PartScore, PartScore | None, tuple[str, ...]]:
    """The parts; the composite; the partial one and what it is of."""
    places = {task_id: at for at, task_id in enumerate(dict.fromkeys(line.task_id for line in lines))}
    sums = {
        name: part_sums(lines, name, places) for name in names if name not in unknown and any_has(lines, name)
    }
    drawn = _drawn(sums, len(places))
    values = {name: _ratio(of.reached.sum(), of.possible.sum()) for name, of in sums.items()}
    having = {name: int((of.possible > 0).sum()) for name, of in sums.items()}
    parts = {
        name: _told(values[name], drawn[name], having[name], having[name])
        if name in sums
        else PartScore(value=None, why_not=unknown.get(name) or _why_not(lines, name))
        for name in names
    }
    known = {name: share for name, share in shares.items() if name in sums}
    missing = [name for name in shares if name not in sums]

    def weighed(of: Mapping[str, float]) -> PartScore:
        value = math.fsum(share * values[name] for name, share in of.items())
        both = sum(share * drawn[name] for name, share in of.items())
        return _told(value, both, min(having[name] for name in of), len(places))  # type: ignore[arg-type]

    if not missing:
        return parts, weighed(shares), None, ()
    composite = PartScore(value=None, why_not=f"not known: {', '.join(missing)}")
    if not known:
        return parts, composite, None, ()
    return parts, composite, weighed(shares_of(known)), tuple(known)


def any_has(lines: Iterable[SampleParts], name: str) -> bool:
    return any(_terms(line, name) is not None for line in lines)


def is_composite_of(composite: CompositeScore, lines: Sequence[SampleParts]) -> bool:
    """Whether its parts are those of these lines: not where a later scoring was cut off, after it had measured some of
    them anew and before it could say what they come to.
    """
    places = {task_id: at for at, task_id in enumerate(dict.fromkeys(line.task_id for line in lines))}
    for name, told in composite.parts.items():
        if (told.value is not None) != any_has(lines, name):
            return False
        if told.value is not None:
            sums = part_sums(lines, name, places)
            value = _ratio(sums.reached.sum(), sums.possible.sum())
            if abs(value - told.value) > _SAME or int((sums.possible > 0).sum()) != told.samples:
                return False
    return True


def _why_not(lines: Sequence[SampleParts], name: str) -> str:
    """The reason that most samples have which could have had the part."""
    all_said = [line.why_not[name] for line in lines if line.why_not.get(name)]
    said = [why for why in all_said if why != NOT_PASSED]
    if not said:
        return "no answer passed" if all_said else "not measured"
    return max(dict.fromkeys(said), key=said.count)


def _terms(line: SampleParts, name: str) -> tuple[float, float] | None:
    """What the completion adds to the sums of a part; None where it has none."""
    if name not in line.parts:
        return None
    if name == Part.SPEED:
        figures = line.figures.get(name, {})
        reference, response = figures.get(REFERENCE_S), figures.get(RESPONSE_S)
        return (float(reference), float(response)) if reference and response else None
    return line.parts[name] / 100, 1.0


def part_sums(lines: Iterable[SampleParts], name: str, places: Mapping[str, int]) -> PartSums:
    import numpy as np

    found = PartSums(np.zeros(len(places)), np.zeros(len(places)))
    for line in lines:
        terms = _terms(line, name)
        if terms is not None:
            found.reached[places[line.task_id]] += terms[0]
            found.possible[places[line.task_id]] += terms[1]
    return found


def _ratio(reached: float, possible: float) -> float:
    return 100.0 * min(1.0, float(reached) / float(possible))


def _drawn(sums: Mapping[str, PartSums], samples: int) -> dict[str, Floats]:
    """Each part for samples drawn with replacement, the same samples for all parts; NaN where none of those drawn has
    the part.

    For correctness two samples more may be drawn, one that passes and one that fails: without them, twenty right
    answers of twenty would leave no doubt. (Agresti & Coull, 1998, "Approximate is better than exact".)
    """
    import numpy as np

    if not sums:
        return {}
    added = {name: (np.array([1.0, 0.0]) if name == Part.CORRECTNESS else np.zeros(2)) for name in sums}
    reached = np.stack([np.append(of.reached, added[name]) for name, of in sums.items()])
    possible = np.stack(
        [
            np.append(of.possible, np.ones(2) if name == Part.CORRECTNESS else np.zeros(2))
            for name, of in sums.items()
        ]
    )
    width = samples + 2
    chance = np.random.default_rng(SEED)
    parts = []
    rows = max(1, _AT_ONCE // width)
    for at in range(0, DRAWS, rows):
        counts = chance.multinomial(samples, np.full(width, 1 / width), min(rows, DRAWS - at))
        with np.errstate(invalid="ignore", divide="ignore"):
            parts.append(100.0 * np.minimum(1.0, (counts @ reached.T) / (counts @ possible.T)))
    drawn = np.concatenate(parts)
    return {name: drawn[:, at] for at, name in enumerate(sums)}


def _told(value: float, drawn: Floats, samples: int, known: int) -> PartScore:
    """Without an interval where too few samples have the part, or where all that have it have the same value: how rare
    others are, they don't say. samples: by which the interval is widened.
    """
    import numpy as np

    kept = drawn[np.isfinite(drawn)]
    if len(drawn) - len(kept) > UNKNOWN_MOST * len(drawn) or np.ptp(kept) < _NO_SPREAD:
        return PartScore(value=round(value, 6), samples=known)
    low, high = percentiles(kept, samples)
    return PartScore(
        value=round(value, 6),
        low=round(max(0.0, min(low, value)), 6),
        high=round(min(100.0, max(high, value)), 6),
        samples=known,
    )
