"""Which of several comparable runs is the best, and which of the others are shown to be worse.

Every run is tested against the one with the highest score, on the samples that both have. Which one that is was seen
in the same data, and the highest of many equal ones is high by chance: of eight equal models some is called worse in
8 % of tables if only those seven tests are allowed for. So the p-values are adjusted (Holm) for all pairs of the table,
those not tested counted as not shown: in at most 5 % of tables is anything called worse that isn't, whichever run was
picked.

A run that lost more than 2 % of its answers is tested on those that both gave, but is not the one that the others are
tested against: nobody knows what the lost ones would have been, and the score counts them as not solved.

A run that a race stopped early has no test of its own here: when it was stopped depended on what was seen. What the
race found is said instead; its error is controlled for looking many times (`results.stats.racing`).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from results.durable import explained
from results.errors import BenchError
from results.records import Outcome, RunStatus
from results.stats.intervals import CONFIDENCE
from results.stats.lost_answers import too_many_lost
from results.stats.paired import compare_fractions, holm, mcnemar_exact, tango_interval
from results.store.verdicts import read_verdicts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from results.records import RunRecord
    from results.store.run_folder import RunFolder


class Rank(enum.StrEnum):
    """Where a run stands. BETTER: it has fewer samples than the best, and solved more of those that both have."""

    BEST = "best"
    SAME = "not distinguishable"
    WORSE = "worse"
    BETTER = "better"
    STOPPED = "stopped"
    UNTESTED = "not tested"


@dataclass(frozen=True)
class Versus:
    """A run against the best of its table, as fractions: its score less the best's, on `samples` that both have, with
    the 95 % interval (low, high, of this pair alone). adjusted_p: for all pairs of the table. pairs: how many they are.
    beats: of BEST, how many are shown to be worse. why: of UNTESTED, in words.
    """

    rank: Rank
    samples: int = 0
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    adjusted_p: float | None = None
    pairs: int = 0
    beats: int = 0
    why: str = ""


@dataclass(frozen=True)
class _Test:
    samples: int
    difference: float
    low: float
    high: float
    p_value: float


def stopped_by_race(record: RunRecord) -> bool:
    """Whether a race ended it before the others, so that its samples are fewer."""
    result = record.sweep.race_result if record.sweep is not None else None
    return result is not None and result.stopped_early


def lost_too_many(record: RunRecord) -> bool:
    """Whether it can't be called the best, since too many of its answers were lost."""
    score = record.score
    return score is not None and too_many_lost(score.lost, score.completions or 0)


def against_best(runs: Sequence[tuple[RunFolder, RunRecord]]) -> list[Versus | None]:
    """For each run, in the order given; None where there is no score, or nothing to compare it with.

    The runs must be comparable. The best has the highest score of those with the most samples, and lost few answers.
    """
    scored = [i for i, (_, record) in enumerate(runs) if _score(record) is not None]
    found: list[Versus | None] = [None] * len(runs)
    if len(scored) < 2:
        return found
    able = [i for i in scored if not stopped_by_race(runs[i][1])]
    for i in set(scored) - set(able):
        found[i] = Versus(Rank.STOPPED)
    whole = [i for i in able if not lost_too_many(runs[i][1])]
    if not whole:
        for i in able:
            found[i] = Versus(Rank.UNTESTED, why="every run lost too many answers")
        return found
    best = max(whole, key=lambda i: (_samples(runs[i][1]), _score(runs[i][1]) or 0.0, -i))
    reference, why_not = _verdicts(runs[best][0])
    tests: dict[int, _Test] = {}
    for i in able:
        if i == best:
            continue
        own, why = ({}, why_not) if why_not else _verdicts(runs[i][0])
        test = why or _test(reference, own)
        if isinstance(test, str):
            found[i] = Versus(Rank.UNTESTED, why=test)
        else:
            tests[i] = test
    pairs = len(able) * (len(able) - 1) // 2
    adjusted = adjusted_for_choice([test.p_value for test in tests.values()], pairs)
    for (i, test), adjusted_p in zip(tests.items(), adjusted, strict=True):
        found[i] = Versus(
            _rank(test.difference, adjusted_p),
            samples=test.samples,
            difference=test.difference,
            low=test.low,
            high=test.high,
            p_value=test.p_value,
            adjusted_p=adjusted_p,
            pairs=pairs,
        )
    beats = sum(versus is not None and versus.rank is Rank.WORSE for versus in found)
    found[best] = Versus(Rank.BEST, samples=_samples(runs[best][1]), pairs=pairs if tests else 0, beats=beats)
    return found


def adjusted_for_choice(p_values: Sequence[float], pairs: int) -> list[float]:
    """Holm's adjustment of tests against a best that the same data chose, out of so many pairs that might have been
    tested. The others count as 1, which can only make these larger than if they had been tested too.
    """
    return holm([*p_values, *[1.0] * (pairs - len(p_values))])[: len(p_values)]


def _rank(difference: float, adjusted_p: float) -> Rank:
    if adjusted_p >= 1 - CONFIDENCE:
        return Rank.SAME
    return Rank.WORSE if difference < 0 else Rank.BETTER


def _score(record: RunRecord) -> float | None:
    if record.status is not RunStatus.SUCCEEDED or record.score is None:
        return None
    return record.score.score


def _samples(record: RunRecord) -> int:
    return (record.score.samples if record.score is not None else None) or 0


def _verdicts(folder: RunFolder) -> tuple[dict[str, list[Outcome]], str]:
    """The outcomes of each sample's completions, and why there are none."""
    found: dict[str, list[Outcome]] = {}
    if not folder.completions.exists():
        return {}, "its script wrote no verdict per sample"
    try:
        with explained("read", folder.completions):
            verdicts, _ = read_verdicts(folder.completions)
    except BenchError as error:
        return {}, error.message
    for verdict in verdicts:
        found.setdefault(verdict.task_id, []).append(verdict.outcome)
    return found, ""


def _test(best: Mapping[str, list[Outcome]], own: Mapping[str, list[Outcome]]) -> _Test | str:
    """Of own less best, on the samples that both judged; or why there is none."""
    broken = Outcome.INFRASTRUCTURE_ERROR
    common = sorted(
        task for task, outcomes in own.items() if broken not in (*outcomes, *best.get(task, [broken]))
    )
    if not common:
        return "no sample in common"
    counts = {len(outcomes) for task in common for outcomes in (own[task], best[task])}
    if len(counts) > 1:
        return "samples with different numbers of completions"
    (completions,) = counts
    first, second = ([_passed(of[task]) for task in common] for of in (best, own))
    if completions > 1:
        result = compare_fractions([c / completions for c in first], [c / completions for c in second])
        return _Test(len(common), result.difference, result.low, result.high, result.p_value)
    only_best = sum(a > b for a, b in zip(first, second, strict=True))
    only_own = sum(b > a for a, b in zip(first, second, strict=True))
    low, high = tango_interval(only_best, only_own, len(common))
    difference = (only_own - only_best) / len(common)
    return _Test(len(common), difference, low, high, mcnemar_exact(only_best, only_own))


def _passed(outcomes: Sequence[Outcome]) -> int:
    return sum(outcome is Outcome.PASSED for outcome in outcomes)
