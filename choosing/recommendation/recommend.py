"""From models and constraints to one server command: prune, measure, compare, decide.

1. What doesn't fit is left out, by its file and the memory that counts (`candidates`).
2. The speed of what fits is measured with a full context. What is too slow, or draws too much, is left out.
3. How far the others' predictions are from a reference's (`fidelity`) is measured, or read from earlier runs.
4. They answer the benchmarks, the nearest or heaviest first, on the very server that would be recommended.
5. `results.stats.as_good` says which are shown to be as good as every other one, and `decision` takes one of these.

Every run comes from `asked_runs`: finished ones are reused, interrupted ones go on. Each look at the answers is on disk
before its result is told, so after a kill the same command comes to the same end.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from choosing.recommendation.answered import read_answered
from choosing.recommendation.candidates import LeftOut, benchmark_asked, find_candidates, speed_asked
from choosing.recommendation.decision import Contender, Decision, Ending, decide, only_one, samples_planned
from choosing.recommendation.fidelity import UNKNOWN, fidelities, nearest_first
from choosing.recommendation.measured_speed import Measured, measured_speed
from choosing.recommendation.server_line import server_line
from choosing.recommendation.unknowns import unknowns
from results.stats.as_good import select
from results.store.choices import Choice, ChoiceFolder, ChoiceRow, Look

if TYPE_CHECKING:
    from collections.abc import Sequence

    from choosing.asked_runs import AskedRuns, RunSource
    from choosing.recommendation.candidates import Candidate, Candidates
    from choosing.recommendation.constraints import Constraints, Question
    from choosing.recommendation.fidelity import Fidelity
    from choosing.recommendation.measured_speed import MeasuredSpeed
    from results.records import RunRecord
    from results.stats.as_good import Selection
    from results.store.run_folder import RunFolder


@dataclass(frozen=True, kw_only=True)
class _Compared:
    """A candidate that answered all benchmarks."""

    measured: Measured
    runs: tuple[tuple[RunFolder, RunRecord], ...]
    contender: Contender


def recommend(question: Question, source: RunSource) -> Choice:
    """Answer the question, and note the answer on disk. Raises UsageError, ResultsError, Interrupted."""
    candidates = find_candidates(question)
    folder = ChoiceFolder.of(source.results_dir, candidates.choice_id)
    with folder.claim():
        before = folder.read()
        answering = _Answering(question, candidates, source, before.looks if before else ())
        choice = answering.choice(answering.decide())
        folder.write(choice)
    return choice


class _Answering:
    """The steps, with what is known so far."""

    def __init__(
        self, question: Question, candidates: Candidates, source: RunSource, looks: tuple[Look, ...]
    ) -> None:
        self.question = question
        self.candidates = candidates
        self.source = source
        self.looks = looks
        self.left_out = [*candidates.left_out]
        self.compared: list[_Compared] = []

    def decide(self) -> Decision:
        """Prune, measure, compare."""
        constraints, fitting = self.question.constraints, self.candidates.fitting
        if not fitting:
            return Decision(
                ending=Ending.NOTHING_FITS,
                head=f"Nothing fits: none of {len(self.left_out)} configurations can be served like that",
                needed="Ask for a shorter --context or a quantised cache (--kv-type q8_0), or add smaller models.",
            )
        say = self.source.display.say
        say(f"speed: {len(fitting)} configurations with {constraints.depth:,} tokens in the context")
        measured, too_slow = _measure(self.question, fitting, self.source)
        self.left_out += too_slow
        if not measured:
            return Decision(
                ending=Ending.CONSTRAINTS_NOT_MET,
                head=_none_left(constraints, too_slow),
                needed="Ask for less, or add smaller or faster models.",
            )
        if len(measured) == 1:
            (alone,) = measured
            contender = _contender(alone, (), UNKNOWN)
            self.compared = [_Compared(measured=alone, runs=(), contender=contender)]
            return only_one(contender, constraints)
        known = fidelities(self.question, measured, self.source)
        order = nearest_first(measured, known)
        say(f"quality: {samples_planned(constraints, len(measured))}")
        self.compared, failed = _compare(
            self.question, [measured[i] for i in order], [known[i] for i in order], self.source
        )
        self.left_out += failed
        if len(self.compared) < 2:
            return Decision(
                ending=Ending.NOT_DECIDED,
                head=f"Not decided: runs of {len(failed)} of {len(measured)} configurations failed",
                needed="See why below. Once that is repaired, the same command goes on.",
                words=tuple(("undecided", "nothing to compare it with") for _ in self.compared),
                losses=(None,) * len(self.compared),
            )
        selection, look = _look(self.compared, constraints, self.looks)
        self.looks = (*(each for each in self.looks if each.number != look.number), look)
        return decide([each.contender for each in self.compared], selection, constraints)

    def choice(self, decision: Decision) -> Choice:
        """The record of the decision."""
        rows = [_row(each, position, decision) for position, each in enumerate(self.compared)]
        chosen = self.compared[decision.chosen] if decision.chosen is not None else None
        second = self.compared[decision.runner_up] if decision.runner_up is not None else None
        server = chosen.measured.record.server if chosen is not None else None
        measured = [each.measured for each in self.compared]
        more = unknowns(self.question, measured, self.left_out, self.looks)
        if self.compared and all(each.contender.fidelity.mean_nats is None for each in self.compared):
            more = (
                *more,
                "how far each is from the original: give --kld-reference with the model in F16 or BF16",
            )
        return Choice(
            choice_id=self.candidates.choice_id,
            updated=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            ending=str(decision.ending),
            head=decision.head,
            constraints={**self.question.constraints.facts(), "benchmarks": [*self.question.benchmarks]},
            proof=decision.proof,
            command=server_line(server) if server is not None else (),
            chosen=chosen.contender.key if chosen is not None else "",
            runner_up=second.contender.key if second is not None else "",
            runner_up_text=decision.runner_up_text,
            needed=decision.needed,
            unknown=(*decision.unknown, *more),
            rows=(*rows, *(_left_row(each) for each in self.left_out)),
            looks=self.looks,
        )


def _measure(
    question: Question, fitting: Sequence[Candidate], source: RunSource
) -> tuple[list[Measured], list[LeftOut]]:
    """Those that meet the constraints of speed and power, and why others don't."""
    constraints = question.constraints
    measured: list[Measured] = []
    left_out: list[LeftOut] = []
    asked = [speed_asked(each, question) for each in fitting]
    for candidate, found in zip(fitting, source.ask(asked), strict=True):
        if not found.runs:
            left_out.append(_out(candidate, f"its server or its speed run failed: {_why(found)}"))
            continue
        record = found.runs[-1][1]
        speed = measured_speed(record)
        if why := _misses(speed, constraints):
            left_out.append(_out(candidate, why))
        else:
            measured.append(Measured(candidate=candidate, speed=speed, record=record))
    return measured, left_out


def _misses(speed: MeasuredSpeed, constraints: Constraints) -> str:
    """Which constraint it doesn't meet, or ""."""
    least, most = constraints.min_tokens_per_s, constraints.max_watts
    if least is not None and speed.tokens_per_s is None:
        return "its speed could not be measured"
    if least is not None and (speed.tokens_per_s or 0.0) < least:
        depth = f"{constraints.depth:,} tokens in the context"
        return f"{speed.tokens_per_s:.1f} tokens/s with {depth}, less than {least:g}"
    if most is not None and speed.watts is None:
        return "no device reports its power"
    if most is not None and (speed.watts or 0.0) > most:
        return f"{speed.watts:.0f} W while it answers, more than {most:g}"
    return ""


def _compare(
    question: Question, measured: Sequence[Measured], known: Sequence[Fidelity], source: RunSource
) -> tuple[list[_Compared], list[LeftOut]]:
    names = [*question.benchmarks]
    asked = [benchmark_asked(each.candidate, question, name) for each in measured for name in names]
    answers = source.ask(asked)
    compared: list[_Compared] = []
    left_out: list[LeftOut] = []
    for position, each in enumerate(measured):
        of_it = answers[position * len(names) : (position + 1) * len(names)]
        failed = next((found for found in of_it if not found.runs), None)
        if failed is not None:
            left_out.append(_out(each.candidate, f"a run failed: {_why(failed)}"))
            continue
        runs = tuple(found.runs[-1] for found in of_it)
        compared.append(
            _Compared(measured=each, runs=runs, contender=_contender(each, runs, known[position]))
        )
    return compared, left_out


def _look(
    compared: Sequence[_Compared], constraints: Constraints, looks: Sequence[Look]
) -> tuple[Selection, Look]:
    """Look at the answers. The same answers with the same tolerance are the same look; others are the next one."""
    keys = [each.contender.key for each in compared]
    evidence = tuple(sorted(record.run_id for each in compared for _, record in each.runs))
    same = next(
        (
            each
            for each in looks
            if (each.runs, each.tolerance_points) == (evidence, constraints.tolerance_points)
        ),
        None,
    )
    number = same.number if same is not None else 1 + max((each.number for each in looks), default=0)
    earlier = {
        pair
        for each in looks
        if each.number < number and each.tolerance_points <= constraints.tolerance_points
        for pair in each.settled
    }
    settled = {
        (keys.index(own), keys.index(other)) for own, other in earlier if own in keys and other in keys
    }
    pooled = [each.contender.answered.pooled for each in compared]
    selection = select(pooled, constraints.margin, look=number, settled=settled)
    look = Look(
        number=number,
        runs=evidence,
        samples=max(map(len, pooled)),
        tolerance_points=constraints.tolerance_points,
        settled=tuple(sorted((keys[own], keys[other]) for own, other in selection.settled)),
    )
    return selection, look


def _contender(
    measured: Measured, runs: Sequence[tuple[RunFolder, RunRecord]], fidelity: Fidelity
) -> Contender:
    return Contender(
        key=measured.candidate.key,
        label=measured.candidate.label,
        speed=measured.speed,
        answered=read_answered(runs),
        fidelity=fidelity,
    )


def _row(compared: _Compared, position: int, decision: Decision) -> ChoiceRow:
    candidate, contender = compared.measured.candidate, compared.contender
    verdict, why = decision.words[position]
    speed, answered = contender.speed, contender.answered
    of_kld = (contender.fidelity.run_id,) if contender.fidelity.run_id else ()
    runs = (compared.measured.record.run_id, *of_kld, *(record.run_id for _, record in compared.runs))
    return ChoiceRow(
        key=candidate.key,
        label=candidate.label,
        path=str(candidate.model.path),
        kv_type=candidate.kv_type,
        verdict=verdict,
        why=why,
        score=answered.score if answered.samples else None,
        samples=answered.samples or None,
        loss_points=decision.losses[position],
        tokens_per_s=speed.tokens_per_s,
        watts=speed.watts,
        joules_per_token=speed.joules_per_token,
        memory_bytes=speed.memory_bytes,
        kld=contender.fidelity.mean_nats,
        bits_per_weight=candidate.bits_per_weight,
        runs=runs,
    )


def _left_row(left_out: LeftOut) -> ChoiceRow:
    return ChoiceRow(
        key=left_out.key,
        label=left_out.label,
        path=left_out.path,
        kv_type=left_out.kv_type,
        verdict="left out",
        why=left_out.why,
    )


def _out(candidate: Candidate, why: str) -> LeftOut:
    return LeftOut(
        key=candidate.key,
        label=candidate.label,
        path=str(candidate.model.path),
        kv_type=candidate.kv_type,
        why=why,
    )


def _why(found: AskedRuns) -> str:
    record = found.failed
    if record is not None and record.error is not None:
        return f"{record.error.message} ({record.run_id})"
    return found.error or "see `bench_runner.py list`"


def _none_left(constraints: Constraints, left_out: Sequence[LeftOut]) -> str:
    least = constraints.min_tokens_per_s
    if least is not None and constraints.max_watts is None:
        return f"No model reaches {least:g} tokens/s with {constraints.depth:,} tokens in the context"
    if least is None and constraints.max_watts is None:
        return f"None of the {len(left_out)} configurations that fit could be measured"
    return "No model meets the constraints of speed and power"
