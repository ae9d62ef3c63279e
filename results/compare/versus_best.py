"""Which of several comparable runs is the best, and which of the others are shown to be worse.

Every run is tested against the one with the highest score, on the samples that both have: which they solved, or, where
the score is a metric, by that (`results.stats.paired_metrics`). That one is chosen from the
same data, and the highest of many equal runs is high by chance: if only the seven tests among eight equal models are
adjusted for, 8 % of tables call one of them worse. So the p-values are adjusted (Holm) for all pairs in the table;
untested pairs count as not shown. At most 5 % of tables wrongly call a run worse, whichever run is chosen.

A run that lost more than 2 % of its answers is tested on the samples that both answered, but is never the one that
others are tested against: the score counts its lost answers as not solved, although they might have been right.

A run that a race stopped early is not tested here, because what was seen decided when it stopped. The race's own result
is given instead, whose error allows for looking many times (`results.stats.racing`).
"""

from __future__ import annotations

import enum
import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from results.compare.metric_pair import paired_tasks, scoring_of
from results.durable import explained
from results.errors import BenchError
from results.records import Outcome, RunStatus
from results.stats.intervals import CONFIDENCE
from results.stats.lost_answers import too_many_lost
from results.stats.paired import compare_fractions, holm, mcnemar_exact, tango_interval
from results.stats.paired_metrics import main_result
from results.store.reading.problems import outcomes_of
from results.store.verdicts import read_scored, read_verdicts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from results.records import RunRecord
    from results.scores.metric_scoring import Scoring
    from results.stats.paired import PairedResult
    from results.store.run_folder import RunFolder
    from results.store.run_store import RunStore
    from results.store.verdicts import CompletionVerdict

NO_VERDICTS = "its script wrote no verdict per sample"
_TEST = "against best 1"  # of one pair; counted up when its arithmetic changes


class Rank(enum.StrEnum):
    """A run's rank. BETTER: it has fewer samples than the best but solved more of those that both have."""

    BEST = "best"
    SAME = "not distinguishable"
    WORSE = "worse"
    BETTER = "better"
    STOPPED = "stopped"
    UNTESTED = "not tested"


@dataclass(frozen=True)
class Versus:
    """A run against the best of its table, as fractions: its score minus the best's, on the `samples` that both have,
    with the 95 % interval (low, high, of this pair alone). adjusted_p: for all pairs in the table. pairs: their number.
    beats: for BEST, how many runs are shown to be worse. why: for UNTESTED, the reason in words.
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


class PairedTest(msgspec.Struct, frozen=True):
    samples: int
    difference: float
    low: float
    high: float
    p_value: float


decode_test = msgspec.json.Decoder(PairedTest | str).decode


def stopped_by_race(record: RunRecord) -> bool:
    """Whether a race stopped it before the others, so that it has fewer samples."""
    result = record.sweep.race_result if record.sweep is not None else None
    return result is not None and result.stopped_early


def lost_too_many(record: RunRecord) -> bool:
    """Whether it lost too many answers to be called the best."""
    score = record.score
    return score is not None and too_many_lost(score.lost, score.completions or 0)


def against_best(
    runs: Sequence[tuple[RunFolder, RunRecord]], store: RunStore | None = None
) -> list[Versus | None]:
    """Rank each run, in the given order; None for a run without a score or with nothing to compare it with.

    The runs must be comparable. The best has the highest score among those with the most samples and few lost answers.
    store: gives the verdicts and keeps the tests; without one the verdicts are read from the folders.
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
    tests: dict[int, PairedTest] = {}
    others = [i for i in able if i != best]
    for i, test in zip(others, _tests(runs[best], [runs[i] for i in others], store), strict=True):
        if isinstance(test, str):
            found[i] = Versus(Rank.UNTESTED, why=test)
        else:
            tests[i] = test
    pairs = len(able) * (len(able) - 1) // 2
    adjusted = adjusted_for_choice([test.p_value for test in tests.values()], pairs)
    for (i, test), adjusted_p in zip(tests.items(), adjusted, strict=True):
        found[i] = versus_of(test, adjusted_p, pairs)
    beats = sum(versus is not None and versus.rank is Rank.WORSE for versus in found)
    found[best] = Versus(Rank.BEST, samples=_samples(runs[best][1]), pairs=pairs if tests else 0, beats=beats)
    return found


def versus_of(test: PairedTest, adjusted_p: float, pairs: int) -> Versus:
    """What a run's test against the best says of it. adjusted_p, pairs: as in `Versus`."""
    return Versus(
        rank_of(test.difference, adjusted_p),
        samples=test.samples,
        difference=test.difference,
        low=test.low,
        high=test.high,
        p_value=test.p_value,
        adjusted_p=adjusted_p,
        pairs=pairs,
    )


def adjusted_for_choice(p_values: Sequence[float], pairs: int) -> list[float]:
    """Holm's adjustment for tests against a best chosen from the same data. pairs: how many might have been tested.
    Untested pairs count as 1, which can only make the adjusted p-values larger than testing them would.
    """
    return holm(p_values, pairs)


def rank_of(difference: float, adjusted_p: float) -> Rank:
    """The rank that a test shows."""
    if adjusted_p >= 1 - CONFIDENCE:
        return Rank.SAME
    return Rank.WORSE if difference < 0 else Rank.BETTER


def _score(record: RunRecord) -> float | None:
    if record.status is not RunStatus.SUCCEEDED or record.score is None:
        return None
    return record.score.score


def _samples(record: RunRecord) -> int:
    return (record.score.samples if record.score is not None else None) or 0


def _tests(
    best: tuple[RunFolder, RunRecord], others: Sequence[tuple[RunFolder, RunRecord]], store: RunStore | None
) -> list[PairedTest | str]:
    """The test of each other run minus the best, or why there is none. The best is read only if one isn't kept yet."""
    run_id, scoring = best[0].run_id, scoring_of(best[1])
    kept = {} if store is None else store.kept_tests(run_id, [folder.run_id for folder, _ in others], _TEST)
    found: list[PairedTest | str] = []
    new: dict[str, bytes] = {}
    read: _Read | None = None
    for folder, record in others:
        if folder.run_id in kept:
            found.append(decode_test(kept[folder.run_id]))
            continue
        read = read or _read(*best, scoring, store)
        own = read if read.why else _read(folder, record, scoring, store)
        test = own.why or _paired(read, own, scoring)
        found.append(test)
        new[folder.run_id] = msgspec.json.encode(test)
    if store is not None and new:
        store.keep_tests(run_id, _TEST, new)
    return found


def test_of_pair(
    best: tuple[RunFolder, RunRecord], other: tuple[RunFolder, RunRecord], store: RunStore
) -> PairedTest | str:
    """The test of the other run minus the best, or why there is none. It is not kept."""
    scoring = scoring_of(best[1])
    read = _read(*best, scoring, store)
    own = read if read.why else _read(*other, scoring, store)
    return own.why or _paired(read, own, scoring)


class _Read(NamedTuple):
    """Of a run: how its samples ended, its verdicts where the score is a metric, or why there is none."""

    outcomes: Mapping[str, Sequence[Outcome]]
    verdicts: Sequence[CompletionVerdict]
    why: str


def _read(folder: RunFolder, record: RunRecord, scoring: Scoring | None, store: RunStore | None) -> _Read:
    if store is not None and scoring is None and scoring_of(record) is None:
        outcomes, why = outcomes_in(folder, store)
        return _Read(outcomes, (), why)
    verdicts, why = _verdicts(folder, record)
    return _Read(outcomes_of((each.task_id, each.outcome) for each in verdicts), verdicts, why)


def outcomes_in(
    folder: RunFolder, store: RunStore, tag: str = "", value: str = ""
) -> tuple[Mapping[str, Sequence[Outcome]], str]:
    """As `RunStore.outcomes`, or why there are none."""
    if not folder.completions.exists():
        return {}, NO_VERDICTS
    try:
        return store.outcomes(folder.run_id, tag, value), ""
    except BenchError as error:
        return {}, error.message


def _verdicts(folder: RunFolder, record: RunRecord) -> tuple[Sequence[CompletionVerdict], str]:
    """The verdicts, or why there are none."""
    if not folder.completions.exists():
        return (), NO_VERDICTS
    try:
        with explained("read", folder.completions):
            read = read_verdicts if scoring_of(record) is None else read_scored
            return read(folder.completions)[0], ""
    except BenchError as error:
        return (), error.message


def _paired(best: _Read, own: _Read, scoring: Scoring | None) -> PairedTest | str:
    if scoring is None:
        return paired_test(best.outcomes, own.outcomes)
    common, why = _common(best.outcomes, own.outcomes)
    if why:
        return why
    return _of(main_result(paired_tasks(best.verdicts, own.verdicts, common, scoring), scoring))


def paired_test(
    best: Mapping[str, Sequence[Outcome]], own: Mapping[str, Sequence[Outcome]]
) -> PairedTest | str:
    """The test of own minus best on the samples judged in both, or why there is none."""
    common, why = _common(best, own)
    if why:
        return why
    completions = len(own[common[0]])
    first, second = ([of[task].count(Outcome.PASSED) for task in common] for of in (best, own))
    if completions > 1:
        return _of(compare_fractions([c / completions for c in first], [c / completions for c in second]))
    only_best = sum(map(operator.gt, first, second))
    only_own = sum(map(operator.gt, second, first))
    low, high = tango_interval(only_best, only_own, len(common))
    difference = (only_own - only_best) / len(common)
    return PairedTest(len(common), difference, low, high, mcnemar_exact(only_best, only_own))


def _common(
    best: Mapping[str, Sequence[Outcome]], own: Mapping[str, Sequence[Outcome]]
) -> tuple[list[str], str]:
    """The samples judged in both runs, or why they can't be compared."""
    broken = Outcome.INFRASTRUCTURE_ERROR
    common = sorted(
        task
        for task, outcomes in own.items()
        if (theirs := best.get(task)) is not None and broken not in outcomes and broken not in theirs
    )
    if not common:
        return [], "no sample in common"
    counts = {len(of[task]) for of in (best, own) for task in common}
    return (common, "") if len(counts) == 1 else ([], "samples with different numbers of completions")


def _of(result: PairedResult) -> PairedTest:
    return PairedTest(result.samples, result.difference, result.low, result.high, result.p_value)
