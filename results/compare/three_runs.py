"""Plain, plain again, accelerated: three runs on the same samples, of one or several benchmarks, judged together."""

from __future__ import annotations

import statistics
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from results.compare.changed_answers import ChangedAnswer, first_difference
from results.compare.comparison import compare_runs
from results.compare.metric_pair import require_passes
from results.errors import NotComparable
from results.records import Outcome
from results.stats.certification import ThreeRuns, certify, odd_ones
from results.store.answers import is_lost, natural, read_answers, said
from results.store.certificates import Alone, CertifiedRuns, Changes, Costs, FirstChange

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from results.compare.comparison import Comparison, Measured
    from results.records import Completion
    from results.stats.certification import Certification
    from results.store.run_folder import RunFolder

MOST_CHANGES = 200  # named in a certificate


@dataclass(frozen=True, kw_only=True)
class Trio:
    """The runs on one benchmark, with their fingerprints."""

    benchmark: str
    plain: RunFolder
    again: RunFolder
    accelerated: RunFolder
    plain_fingerprint: str
    accelerated_fingerprint: str


@dataclass(frozen=True, kw_only=True)
class JudgedTrios:
    """See `results.store.certificates.Certificate`. costs: of the plain, repeated and accelerated runs."""

    certification: Certification
    completions_per_sample: int
    runs: tuple[CertifiedRuns, ...]
    noise: Changes
    changes: Changes
    other_words: Alone | None
    other_verdicts: Alone
    first_changes: tuple[FirstChange, ...]
    costs: tuple[tuple[Costs, ...], tuple[Costs, ...], tuple[Costs, ...]]
    lost: int


_Three = tuple["Completion", "Completion", "Completion"]


def judge_trios(trios: Sequence[Trio], *, margin: float) -> JudgedTrios:
    """Judge all samples together. margin: the loss to exclude, a fraction.

    Raises NotComparable if runs are not complete, differ in what determines a score or lost too many answers, and
    ResultsError.
    """
    for trio in trios:
        require_passes(trio.plain.read_record(), "certify")
    comparisons = [_compared(each) for each in trios]
    answered = [_answered(each) for each in trios]
    samples: dict[tuple[str, str], list[_Three]] = defaultdict(list)
    whole = True
    for trio, (pairs, complete) in zip(trios, answered, strict=True):
        whole = whole and complete
        for three in pairs:
            samples[trio.benchmark, three[0].task_id].append(three)
    judged = {key: each for key, each in samples.items() if not any(map(is_lost, _flat(each)))}
    counts = {len(each) for each in judged.values()}
    if len(counts) != 1:
        raise NotComparable(
            "the samples have different numbers of completions, or none was judged in all runs",
            hint="use one --n-samples for all of them",
        )
    (completions,) = counts
    threes = [three for each in judged.values() for three in each]
    words = [_words(three) for three in threes]
    has_words = all(any(each) for each in zip(*words, strict=True))
    same = has_words and whole and all(plain == accelerated for plain, _, accelerated in words)
    found = certify(
        [_passed(each) for each in judged.values()], completions=completions, margin=margin, identical=same
    )
    changed = [
        (benchmark, _changed(three[0], three[2])) for (benchmark, _), each in judged.items() for three in each
    ]
    odd = odd_ones(words)
    return JudgedTrios(
        certification=found,
        completions_per_sample=completions,
        runs=tuple(
            CertifiedRuns(
                benchmark=trio.benchmark,
                plain=trio.plain.run_id,
                again=trio.again.run_id,
                accelerated=trio.accelerated.run_id,
                plain_fingerprint=trio.plain_fingerprint,
                accelerated_fingerprint=trio.accelerated_fingerprint,
                samples=sum(benchmark == trio.benchmark for benchmark, _ in judged),
            )
            for trio in trios
        ),
        noise=_changes([_changed(three[0], three[1]) for three in threes], has_words=has_words),
        changes=_changes([each for _, each in changed], has_words=has_words),
        other_words=Alone(odd=odd.samples, accelerated=odd.accelerated, p_value=odd.p_value)
        if has_words
        else None,
        other_verdicts=Alone(odd=found.odd, accelerated=found.odd_accelerated, p_value=found.odd_p),
        first_changes=_named(changed),
        costs=(
            tuple(_costs(trio, each.first) for trio, (each, _) in zip(trios, comparisons, strict=True)),
            tuple(_costs(trio, each.second) for trio, (each, _) in zip(trios, comparisons, strict=True)),
            tuple(_costs(trio, each.second) for trio, (_, each) in zip(trios, comparisons, strict=True)),
        ),
        lost=len(samples) - len(judged),
    )


def _compared(trio: Trio) -> tuple[Comparison, Comparison]:
    """Plain with itself, and with the acceleration."""
    found = compare_runs(trio.plain, trio.again), compare_runs(trio.plain, trio.accelerated)
    for run in (found[0].first, found[0].second, found[1].second):
        if run.lost_too_many:
            raise NotComparable(
                f"{run.run_id} lost {run.lost} of {run.completions} answers; "
                "the others may be easier or harder than the benchmark",
                hint=f"ask for the lost ones again: run the same command with --resume {run.run_id}",
            )
    return found


def _answered(trio: Trio) -> tuple[list[_Three], bool]:
    """The completions that all three have, and whether none has others."""
    runs = [read_answers(each).completions for each in (trio.plain, trio.again, trio.accelerated)]
    common = [key for key in runs[0] if all(key in run for run in runs)]
    ordered = sorted(common, key=lambda key: (natural(key[0]), key[1]))
    threes = [(runs[0][key], runs[1][key], runs[2][key]) for key in ordered]
    return threes, len({len(run) for run in runs} | {len(common)}) == 1


def _flat(threes: Iterable[_Three]) -> Iterable[Completion]:
    return (completion for three in threes for completion in three)


def _words(three: _Three) -> tuple[str, str, str]:
    return said(three[0]), said(three[1]), said(three[2])


def _passed(threes: Sequence[_Three]) -> ThreeRuns:
    return ThreeRuns(*(sum(three[run].outcome is Outcome.PASSED for three in threes) for run in range(3)))


def _changed(one: Completion, other: Completion) -> ChangedAnswer:
    return ChangedAnswer(
        one.task_id, one.index, first_difference(said(one), said(other)), one.outcome, other.outcome
    )


def _changes(found: Sequence[ChangedAnswer], *, has_words: bool) -> Changes:
    places = [each.first_difference for each in found if each.first_difference is not None]
    flipped = [each for each in found if each.first is not each.second]
    to_pass = sum(each.second is Outcome.PASSED for each in flipped)
    to_fail = sum(each.first is Outcome.PASSED for each in flipped)
    return Changes(
        compared=len(found),
        changed=len(places) if has_words else None,
        median_first_difference=statistics.median_low(places) if places else None,
        to_pass=to_pass,
        to_fail=to_fail,
        other_outcomes=len(flipped) - to_pass - to_fail,
    )


def _named(changed: Iterable[tuple[str, ChangedAnswer]]) -> tuple[FirstChange, ...]:
    """Those that changed, flipped ones first, then the earliest."""
    there = [
        FirstChange(
            benchmark=benchmark,
            task_id=each.task_id,
            index=each.index,
            first_difference=each.first_difference,
            plain=each.first,
            accelerated=each.second,
        )
        for benchmark, each in changed
        if each.first_difference is not None or each.first is not each.second
    ]
    there.sort(key=lambda each: (each.plain is each.accelerated, each.first_difference or 0))
    return tuple(there[:MOST_CHANGES])


def _costs(trio: Trio, run: Measured) -> Costs:
    return Costs(
        benchmark=trio.benchmark,
        tokens_per_s=run.tokens_per_s,
        energy_j=run.energy_j,
        joules_per_completion=run.energy_j / run.completions
        if run.energy_j is not None and run.completions
        else None,
        gpu_memory_bytes=run.memory_bytes,
        host_memory_bytes=run.host_memory_bytes,
        draft_acceptance=run.draft_acceptance,
        not_comparable=run.not_comparable,
        energy_doubts=run.energy_doubts,
    )
