"""The steps of a recommendation: measure the speed, get the answers, look at them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from choosing.recommendation.answered import planned_samples, read_answered
from choosing.recommendation.candidates import LeftOut, benchmark_asked, speed_asked
from choosing.recommendation.carried import carried, evidence_of
from choosing.recommendation.contender import Contender
from choosing.recommendation.measured_speed import Measured, measured_speed
from results.stats.as_good import select
from results.store.choices import Look

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from choosing.asked_runs import AskedRuns, RunSource
    from choosing.recommendation.candidates import Candidate
    from choosing.recommendation.constraints import Constraints, Question
    from choosing.recommendation.fidelity import Fidelity
    from choosing.recommendation.measured_speed import MeasuredSpeed
    from results.records import RunRecord
    from results.stats.as_good import Selection
    from results.store.choices import Evidence
    from results.store.run_folder import RunFolder

GLANCE_SHARE = 8  # a glance is at so much of the samples, 1/8
LEAST_PLANNED = 400  # samples, below which a glance costs more than it may save
LEAST_GLANCE = 20  # samples of a benchmark
LEAST_CANDIDATES = 3


@dataclass(frozen=True, kw_only=True)
class Compared:
    """A candidate that answered all benchmarks, or the first samples. runs, evidence: one for each benchmark."""

    measured: Measured
    runs: tuple[tuple[RunFolder, RunRecord], ...]
    contender: Contender
    evidence: tuple[Evidence, ...] = ()


def measure(
    question: Question, fitting: Sequence[Candidate], source: RunSource
) -> tuple[list[Measured], list[LeftOut]]:
    """Those that meet the constraints of speed and power, and why others don't, or may not."""
    constraints = question.constraints
    measured: list[Measured] = []
    left_out: list[LeftOut] = []
    asked = [speed_asked(each, question) for each in fitting]
    for candidate, found in zip(fitting, source.ask(asked, one_at_a_time=True), strict=True):
        if not found.runs:
            left_out.append(
                _out(candidate, f"its server or its speed run failed: {_why(found)}", failed=True)
            )
            continue
        record = found.runs[-1][1]
        speed = measured_speed(record)
        if why := _not_measured(speed, constraints):
            left_out.append(_out(candidate, why, failed=True))
        elif why := _misses(speed, constraints):
            doubt = next(iter(speed.disturbed), "")
            why += f", but disturbed: {doubt}" if doubt else ""
            slow = _out(candidate, why)
            left_out.append(dataclasses.replace(slow, disturbed=doubt, run_id=record.run_id))
        else:
            measured.append(Measured(candidate=candidate, speed=speed, record=record))
    return measured, left_out


def _not_measured(speed: MeasuredSpeed, constraints: Constraints) -> str:
    """Which figure that a constraint is about isn't known, or ""."""
    if constraints.min_tokens_per_s is not None and speed.tokens_per_s is None:
        return "its speed could not be measured"
    if constraints.max_watts is not None and speed.watts is None:
        return "no device reports its power"
    return ""


def _misses(speed: MeasuredSpeed, constraints: Constraints) -> str:
    """Which constraint it doesn't meet, or ""."""
    least, most = constraints.min_tokens_per_s, constraints.max_watts
    if least is not None and (speed.tokens_per_s or 0.0) < least:
        depth = f"{constraints.depth:,} tokens in the context"
        return f"{speed.tokens_per_s:.1f} tokens/s with {depth}, less than {least:g}"
    if most is not None and (speed.watts or 0.0) > most:
        return f"{speed.watts:.0f} W while it answers, more than {most:g}"
    return ""


def compare(
    question: Question,
    candidates: Sequence[tuple[Measured, Fidelity]],
    source: RunSource,
    limits: Mapping[str, int] | None = None,
) -> tuple[list[Compared], list[LeftOut]]:
    """The answers of each to all benchmarks, and why there are none. limits: only so many samples of each benchmark."""
    names = [*question.benchmarks]
    asked = [
        benchmark_asked(each.candidate, question, name, limit=limits[name] if limits else None)
        for each, _ in candidates
        for name in names
    ]
    answers = source.ask(asked)
    compared: list[Compared] = []
    left_out: list[LeftOut] = []
    for position, (each, fidelity) in enumerate(candidates):
        of_it = answers[position * len(names) : (position + 1) * len(names)]
        failed = next((found for found in of_it if not found.runs), None)
        if failed is not None:
            left_out.append(_out(each.candidate, f"a run failed: {_why(failed)}", failed=True))
            continue
        runs = tuple(found.runs[-1] for found in of_it)
        own = contender(each, runs, fidelity)
        evidence = tuple(
            evidence_of(own.key, folder, record, len(own.answered.solved[record.benchmark]))
            for folder, record in runs
        )
        compared.append(Compared(measured=each, runs=runs, contender=own, evidence=evidence))
    return compared, left_out


def look(
    compared: Sequence[Compared],
    constraints: Constraints,
    looks: Sequence[Look],
    *,
    glance: Mapping[str, int] | None = None,
) -> tuple[Selection, Look]:
    """Look at the answers. The same answers with the same tolerance are the same look; others are the next one.

    glance: the limits of a glance, which is the look with number 0. There is one; see `may_glance`.
    """
    keys = [each.contender.key for each in compared]
    runs = _run_ids(compared)
    evidence = tuple(found for each in compared for found in each.evidence)
    same = next(
        (
            each
            for each in looks
            if (each.runs, each.tolerance_points) == (runs, constraints.tolerance_points)
        ),
        None,
    )
    number = 0 if glance is not None else 1 + max((each.number for each in looks), default=0)
    number = same.number if same is not None else number
    before = [each for each in looks if each.number < number]
    earlier = carried(before, evidence, constraints.tolerance_points)
    settled = {
        (keys.index(own), keys.index(other)) for own, other in earlier if own in keys and other in keys
    }
    pooled = [each.contender.answered.pooled for each in compared]
    selection = select(pooled, constraints.margin, look=number, settled=settled)
    look = Look(
        number=number,
        runs=runs,
        samples=max(map(len, pooled)),
        tolerance_points=constraints.tolerance_points,
        settled=tuple(sorted((keys[own], keys[other]) for own, other in selection.settled)),
        evidence=evidence,
        limits=dict(glance or {}),
    )
    return selection, look


def _run_ids(compared: Sequence[Compared]) -> tuple[str, ...]:
    return tuple(sorted(record.run_id for each in compared for _, record in each.runs))


def contender(
    measured: Measured, runs: Sequence[tuple[RunFolder, RunRecord]], fidelity: Fidelity
) -> Contender:
    return Contender(
        key=measured.candidate.key,
        label=measured.candidate.label,
        speed=measured.speed,
        answered=read_answered(runs),
        fidelity=fidelity,
    )


def _out(candidate: Candidate, why: str, *, failed: bool = False) -> LeftOut:
    return LeftOut(
        key=candidate.key,
        label=candidate.label,
        path=str(candidate.model.path),
        kv_type=candidate.kv_type,
        why=why,
        failed=failed,
    )


def _why(found: AskedRuns) -> str:
    record = found.failed
    if record is not None and record.error is not None:
        return f"{record.error.message} ({record.run_id})"
    return found.error or "see `bench_runner.py list`"


def glance_limits(question: Question, looks: Sequence[Look], count: int) -> dict[str, int] | None:
    """How many samples of each benchmark a glance takes; None if it is not worth it, or was had in another way, such as
    with other benchmarks. count: of the candidates.
    """
    planned = {name: planned_samples(name, asked) for name, asked in question.benchmarks.items()}
    known = {name: samples for name, samples in planned.items() if samples is not None}
    decided = any(each.number > 0 for each in looks) and not any(each.number == 0 for each in looks)
    if (
        len(known) < len(planned)
        or sum(known.values()) < LEAST_PLANNED
        or count < LEAST_CANDIDATES
        or decided
    ):
        return None
    limits = {
        name: min(samples, max(LEAST_GLANCE, -(-samples // GLANCE_SHARE))) for name, samples in known.items()
    }
    points = question.constraints.tolerance_points
    had = [(each.limits, each.tolerance_points) for each in looks if each.number == 0]
    return limits if had in ([], [(limits, points)]) else None


def may_glance(compared: Sequence[Compared], constraints: Constraints, looks: Sequence[Look]) -> bool:
    """Whether nothing else was glanced at before: the part of the error that a glance spends is there once."""
    here = (_run_ids(compared), constraints.tolerance_points)
    return all((each.runs, each.tolerance_points) == here for each in looks if each.number == 0)


def hopeless(selection: Selection, margin: float) -> set[int]:
    """Positions of those that need no more samples: each is shown to lose more than the margin against another one, and
    every other one that goes on is shown to be as good as it. Nothing is lost by not asking them further: they can't be
    taken, and nobody has to be compared with them again.
    """
    count = len(selection.standings)
    worse = {
        own
        for own in range(count)
        if any(selection.lows.get((other, own), 0.0) > margin for other in range(count) if other != own)
    }
    rest = set(range(count)) - worse
    return {own for own in worse if all((other, own) in selection.settled for other in rest)}
