"""Two runs on the same samples: which solved what, whether the difference is real, and what else differs."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import msgspec

from results.compare.by_tag import TagPair, by_tag
from results.compare.changed_answers import ChangedAnswers, changed_answers
from results.compare.comparability import (
    Difference,
    forbidding,
    is_same_model,
    prompts_apart,
    read_run_settings,
    what_differs,
)
from results.compare.composites import what_sets_apart
from results.compare.metric_pair import paired_tasks, scoring_of
from results.durable import explained
from results.errors import NotComparable, UsageError
from results.records import Outcome, RunRecord, RunStatus
from results.scores.composite import PARTS_NAME, SampleParts
from results.stats.composite import is_composite_of
from results.stats.composite_pair import CompositePair, composite_pair
from results.stats.context import RECALL, read_context
from results.stats.lost_answers import too_many_lost
from results.stats.machines import energy_doubts, machine_of, speed_doubts
from results.stats.paired import PairedResult, compare_fractions, compare_verdicts, with_holm
from results.stats.paired_metrics import compare_metrics, sample_values
from results.stats.pass_at_k import pass_at_k, usual_ks
from results.stats.speed import answering_speed
from results.store.answers import natural
from results.store.reading.part_lines import read_part_lines
from results.store.reading.prompt_cache import prompt_cache_doubt
from results.store.verdicts import CompletionVerdict, read_scored, read_verdicts
from settings.verdict_rules import VerdictRules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from results.stats.paired_metrics import Pairing
    from results.store.run_folder import RunFolder


class Flip(msgspec.Struct, frozen=True):
    """A sample on which the runs differ: the outcomes of its completions in each run. first_value, second_value: how
    good they are, from 0 to 1, where the score is a metric.
    """

    task_id: str
    first: tuple[Outcome, ...]
    second: tuple[Outcome, ...]
    first_value: float | None = None
    second_value: float | None = None

    @property
    def gain(self) -> float:
        """How much better the second run is on it; in completions, or in parts of one where the score is a metric."""
        if self.first_value is not None and self.second_value is not None:
            return self.second_value - self.first_value
        return passed(self.second) - passed(self.first)


class Measured(msgspec.Struct, frozen=True):
    """What all of a run's samples cost. None means not measured. completions: all that were requested, including lost
    ones. not_comparable: why its speed says little; energy_doubts: why its energy says little. draft_acceptance: the
    share of the tokens proposed by speculation that the model took. effective_context: see `results.stats.context`.
    cost_usd: what a provider charged for the answers. machine: see `results.stats.machines.machine_of`.
    """

    run_id: str
    model: str
    score: float | None
    samples: int | None
    tokens_per_s: float | None
    load_s: float | None
    memory_bytes: int | None
    host_memory_bytes: int | None
    energy_j: float | None
    joules_per_solved: float | None
    tokens_per_completion: float | None
    not_comparable: tuple[str, ...]
    energy_doubts: tuple[str, ...] = ()
    completions: int = 0
    lost: int = 0
    draft_acceptance: float | None = None
    effective_context: int | None = None
    cost_usd: float | None = None
    machine: tuple[str, ...] = ()

    @property
    def lost_too_many(self) -> bool:
        """Whether it lost so many answers that the rest may be easier or harder than the benchmark."""
        return too_many_lost(self.lost, self.completions)


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Second minus first, on the samples that both have.

    results: by metric, the score first: `pass@1` unless `metric` names another. only_in_first, only_in_second: number
    of samples that the other run doesn't have. not_judged: samples left out because an answer was lost to
    infrastructure. better_first, better_second: samples on which that run did better. answers: what was answered
    otherwise, word for word; None if a run kept no words. by_tag: how many of the samples with each tag were solved.
    recall: the same as results for the share of values found, partial credit included; None without such. composite:
    of the composite scores; None unless both runs have one that was computed alike. composite_apart: why not; A or B if
    only that run has one. prompts: what a prompt file or a system prompt adds in each run, in words, where that is what
    is compared; None: the same in both. warnings: what each run's script said of its score where prompts are compared,
    such as that its prompt tells answers.
    """

    benchmark: str
    first: Measured
    second: Measured
    samples: int
    completions_per_sample: int
    only_in_first: int
    only_in_second: int
    not_judged: tuple[str, ...]
    results: dict[str, PairedResult]
    better_first: tuple[Flip, ...]
    better_second: tuple[Flip, ...]
    differences: tuple[Difference, ...]
    answers: ChangedAnswers | None = None
    by_tag: tuple[TagPair, ...] = ()
    recall: PairedResult | None = None
    metric: str = ""
    composite: CompositePair | None = None
    composite_apart: str = ""
    prompts: tuple[str, str] | None = None
    warnings: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())


def compare_runs(first: RunFolder, second: RunFolder) -> Comparison:
    """Compare two runs. Raises UsageError if both are the same run, NotComparable if one is not complete or they differ
    in settings that determine the score, naming them, and ResultsError. One model may be asked with two prompts.
    """
    if first.run_id == second.run_id:
        raise UsageError(
            f"both names refer to the run {first.run_id}", hint="name two different runs; see `list`"
        )
    records = (_finished(first), _finished(second))
    settings = read_run_settings(first), read_run_settings(second)
    reasons = forbidding(*records, *settings)
    prompts = prompts_apart(reasons, *records, *settings)
    if prompts is not None and not is_same_model(*records):
        raise NotComparable(
            f"{first.run_id} and {second.run_id} differ in the prompt (A {prompts[0]}, B {prompts[1]}) and in the "
            "model: which of them a difference comes from can't be told",
            hint="compare runs of one model, or runs with one prompt",
        )
    if reasons and prompts is None:
        raise NotComparable(
            f"{first.run_id} and {second.run_id} are not comparable, they differ in "
            + "; ".join(map(str, reasons)),
            hint="`rejudge` makes a run's verdicts again, under today's rules"
            if {reason.name for reason in reasons} <= set(VerdictRules._fields)
            else "run one of them again with the other's settings",
        )
    scoring = scoring_of(records[0])
    verdicts = [
        _verdicts(folder.completions, folder.run_id, read_verdicts if scoring is None else read_scored)
        for folder in (first, second)
    ]
    one, other = map(_outcomes, verdicts)
    common = [task_id for task_id in one if task_id in other]
    if not common:
        raise NotComparable(
            f"{first.run_id} and {second.run_id} have no sample in common",
            hint="run both with the same --limit and --shuffle",
        )
    not_judged = tuple(
        task_id for task_id in common if Outcome.INFRASTRUCTURE_ERROR in (*one[task_id], *other[task_id])
    )
    judged = [task_id for task_id in common if task_id not in set(not_judged)]
    if not judged:
        raise NotComparable(
            "no common sample was judged in both runs: infrastructure errors lost all of them",
            hint="ask for the lost ones again: run the same command with --resume RUN",
        )
    flips = [Flip(task_id, tuple(one[task_id]), tuple(other[task_id])) for task_id in judged]
    counts = {len(outcomes) for flip in flips for outcomes in (flip.first, flip.second)}
    if len(counts) > 1:
        raise NotComparable(
            f"the samples of {first.run_id} and {second.run_id} have {min(counts)} to {max(counts)} completions",
            hint="run both with the same --n-samples",
        )
    (completions,) = counts
    results = _results(flips, completions)
    if scoring is not None:
        tasks = paired_tasks(verdicts[0], verdicts[1], judged, scoring)
        only_passed = results["pass@1"] if completions == 1 else None
        results = compare_metrics(tasks, scoring, only_passed)
        flips = _with_values(flips, tasks)
    composite, apart = _composites(first, second, *records)
    return Comparison(
        benchmark=records[0].benchmark,
        first=_measured(*records),
        second=_measured(*reversed(records)),
        samples=len(judged),
        completions_per_sample=completions,
        only_in_first=len(one) - len(common),
        only_in_second=len(other) - len(common),
        not_judged=not_judged,
        results=results,
        better_first=tuple(flip for flip in flips if flip.gain < 0),
        better_second=tuple(flip for flip in flips if flip.gain > 0),
        differences=what_differs(*records),
        answers=changed_answers(first, second),
        by_tag=by_tag(
            () if scoring is not None and len(scoring.tasks) > 1 else _solved(flips, completions),
            {verdict.task_id: verdict.tags for verdict in verdicts[0]},
        ),
        recall=_recall(judged, *map(_shares, verdicts)),
        metric=next(iter(results)) if scoring is not None else "",
        composite=composite,
        composite_apart=apart,
        prompts=prompts,
        warnings=(_warnings(records[0]), _warnings(records[1])) if prompts is not None else ((), ()),
    )


def _warnings(record: RunRecord) -> tuple[str, ...]:
    return record.score.warnings if record.score is not None else ()


def _composites(
    first: RunFolder, second: RunFolder, one: RunRecord, other: RunRecord
) -> tuple[CompositePair | None, str]:
    """The pair of composites, or why there is none where a run has one."""
    if one.composite is None or other.composite is None:
        only = "A" if one.composite is not None else "B" if other.composite is not None else ""
        return None, only
    if differing := what_sets_apart(one, other):
        return None, f"not compared: other {' and '.join(differing)}"
    before, behind = _part_lines(first), _part_lines(second)
    for composite, lines, run in ((one.composite, before, one), (other.composite, behind, other)):
        if lines and not is_composite_of(composite, lines):
            return None, f"not compared: a later scoring of {run.run_id} was cut off; rescore it"
    found = composite_pair(before, behind, one.composite.weights)
    return found, "" if found is not None else "not compared: no part is known of both"


def _part_lines(folder: RunFolder) -> list[SampleParts]:
    with explained("read", folder.path / PARTS_NAME):
        return [*read_part_lines(folder.path).values()]


def _finished(folder: RunFolder) -> RunRecord:
    record = folder.read_record()
    status = folder.effective_status(record)
    if status is RunStatus.SUCCEEDED:
        return record
    if status is RunStatus.STARTED:
        raise NotComparable(f"{folder.run_id} is still running", hint="wait until it ends")
    why = f": {record.error.message}" if record.error is not None and record.error.message else ""
    raise NotComparable(
        f"{folder.run_id} did not finish (it {_WHAT_BECAME[status]}{why}), and the samples that it finished first "
        "are not a fair selection",
        hint=f"finish it: run --benchmark {record.benchmark} ... --resume {folder.run_id}",
    )


_WHAT_BECAME = {RunStatus.FAILED: "failed", RunStatus.INTERRUPTED: "was interrupted"}


def _verdicts(
    path: Path, run_id: str, read: Callable[[Path], tuple[Sequence[CompletionVerdict], int]]
) -> list[CompletionVerdict]:
    """Those of each sample's completions, in a fixed order."""
    if not path.exists():
        raise NotComparable(
            f"{run_id} has no verdict per sample: its script wrote no {path.name}",
            hint="only runs whose scripts write one can be compared",
        )
    with explained("read", path):
        verdicts, _ = read(path)
    return sorted(verdicts, key=lambda verdict: (natural(verdict.task_id), verdict.index))


def _with_values(flips: Sequence[Flip], tasks: Sequence[Pairing]) -> list[Flip]:
    """How good each sample's answers are, where its task has such a figure."""
    first: dict[str, float] = {}
    second: dict[str, float] = {}
    for one, other in tasks:
        first |= sample_values(one)
        second |= sample_values(other)
    return [
        Flip(each.task_id, each.first, each.second, first.get(each.task_id), second.get(each.task_id))
        for each in flips
    ]


def _solved(flips: Sequence[Flip], completions: int) -> Iterator[tuple[str, float, float]]:
    """How far each run solved each sample."""
    for flip in flips:
        if flip.first_value is not None and flip.second_value is not None:
            yield flip.task_id, flip.first_value, flip.second_value
        else:
            yield flip.task_id, passed(flip.first) / completions, passed(flip.second) / completions


def _outcomes(verdicts: Sequence[CompletionVerdict]) -> dict[str, list[Outcome]]:
    """By the sample's id."""
    found: dict[str, list[Outcome]] = defaultdict(list)
    for verdict in verdicts:
        found[verdict.task_id].append(verdict.outcome)
    return dict(found)


def _shares(verdicts: Sequence[CompletionVerdict]) -> dict[str, float]:
    """The mean recall of each sample's completions; empty unless some have one."""
    if all(verdict.metric(RECALL) is None for verdict in verdicts):
        return {}
    found: dict[str, list[float]] = defaultdict(list)
    for verdict in verdicts:
        found[verdict.task_id].append(verdict.metric(RECALL) or 0.0)
    return {task_id: sum(shares) / len(shares) for task_id, shares in found.items()}


def _recall(judged: Sequence[str], first: dict[str, float], second: dict[str, float]) -> PairedResult | None:
    if not first or not second:
        return None
    return compare_fractions([first[task_id] for task_id in judged], [second[task_id] for task_id in judged])


def _results(flips: Sequence[Flip], completions: int) -> dict[str, PairedResult]:
    if completions == 1:
        first, second = ([bool(passed(getattr(flip, run))) for flip in flips] for run in ("first", "second"))
        return {"pass@1": compare_verdicts(first, second)}
    found = {}
    for k in usual_ks(completions):
        first_values, second_values = (
            [pass_at_k(completions, passed(getattr(flip, run)), k) for flip in flips]
            for run in ("first", "second")
        )
        found[f"pass@{k}"] = compare_fractions(first_values, second_values)
    return dict(zip(found, with_holm([*found.values()]), strict=True))


def passed(outcomes: Iterable[Outcome]) -> int:
    """How many of a sample's completions did."""
    return sum(outcome is Outcome.PASSED for outcome in outcomes)


def _measured(record: RunRecord, other: RunRecord) -> Measured:
    score, telemetry = record.score, record.telemetry
    tokens = score.completion_tokens if score is not None else None
    context = read_context(score.details) if score is not None else None
    return Measured(
        run_id=record.run_id,
        model=record.model,
        score=score.score if score is not None else None,
        samples=score.samples if score is not None else None,
        tokens_per_s=answering_speed(score) if score is not None else None,
        load_s=record.phases.load_s,
        memory_bytes=telemetry.peak_memory_bytes if telemetry is not None else None,
        host_memory_bytes=telemetry.peak_process_memory_bytes if telemetry is not None else None,
        energy_j=telemetry.energy_j if telemetry is not None else None,
        joules_per_solved=telemetry.joules_per_solved if telemetry is not None else None,
        cost_usd=score.cost_usd if score is not None and not score.cached else None,
        tokens_per_completion=tokens / score.completions
        if score is not None and tokens and score.completions
        else None,
        not_comparable=(*speed_doubts(record), *filter(None, [prompt_cache_doubt(record, other)])),
        energy_doubts=energy_doubts(record),
        machine=machine_of(record),
        completions=(score.completions if score is not None else None) or 0,
        lost=score.lost if score is not None else 0,
        draft_acceptance=telemetry.draft_acceptance if telemetry is not None else None,
        effective_context=context.effective_context if context is not None else None,
    )
