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
from typing import TYPE_CHECKING

import msgspec

from choosing.recommendation.candidates import find_candidates
from choosing.recommendation.decision import Decision, Ending, decide, only_one, samples_planned
from choosing.recommendation.fidelity import UNKNOWN, fidelities, nearest_first
from choosing.recommendation.server_line import server_line
from choosing.recommendation.steps import (
    Compared,
    compare,
    contender,
    glance_limits,
    hopeless,
    look,
    may_glance,
    measure,
)
from choosing.recommendation.unknowns import unknowns
from results.store.choices import Choice, ChoiceFolder, ChoiceRow, Look

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from choosing.asked_runs import RunSource
    from choosing.recommendation.candidates import Candidates, LeftOut
    from choosing.recommendation.constraints import Constraints, Question
    from choosing.recommendation.fidelity import Fidelity
    from choosing.recommendation.measured_speed import Measured
    from results.records import RunRecord
    from results.stats.as_good import Selection


def recommend(question: Question, source: RunSource, candidates: Candidates | None = None) -> Choice:
    """Answer the question, and note the answer on disk. candidates: of the question, if they are known already.

    Raises UsageError, ResultsError, Interrupted.
    """
    candidates = candidates or find_candidates(question)
    folder = ChoiceFolder.of(source.results_dir, candidates.choice_id)
    with folder.claim():
        answering = _Answering(question, candidates, source, folder)
        choice = answering.choice(answering.decide())
        folder.write(choice)
    return choice


class _Answering:
    """The steps, with what is known so far."""

    def __init__(
        self, question: Question, candidates: Candidates, source: RunSource, folder: ChoiceFolder
    ) -> None:
        self.question = question
        self.candidates = candidates
        self.source = source
        self.folder = folder
        before = folder.read()
        self.looks: tuple[Look, ...] = before.looks if before is not None else ()
        self.left_out = [*candidates.left_out]
        self.compared: list[Compared] = []

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
        measured, left_out = measure(self.question, fitting, self.source)
        self.left_out += left_out
        unmeasured = sum(each.failed for each in left_out)
        if unmeasured and len(measured) < 2:
            self.compared = [_alone(each) for each in measured]
            return self.not_measured(unmeasured, "the speed or power of")
        if not measured:
            return Decision(
                ending=Ending.CONSTRAINTS_NOT_MET,
                head=_none_left(constraints),
                needed="Ask for less, or add smaller or faster models.",
            )
        if len(measured) == 1:
            self.compared = [_alone(each) for each in measured]
            return only_one(self.compared[0].contender, constraints)
        known = fidelities(self.question, measured, self.source)
        order = nearest_first(measured, known)
        say(f"quality: {samples_planned(constraints, len(measured))}")
        failed = self.compare([(measured[i], known[i]) for i in order])
        if len(self.compared) < 2:
            return self.not_measured(len(failed), "the answers of")
        selection = self.look(self.compared)
        return decide([each.contender for each in self.compared], selection, constraints)

    def not_measured(self, count: int, what: str) -> Decision:
        """The decision if fewer than two can be compared because runs failed: the others may be better."""
        return Decision(
            ending=Ending.NOT_DECIDED,
            head=f"Not decided: {what} {count} of {len(self.candidates.fitting)} configurations that fit are not known",
            needed="See why below. Once that is repaired, the same command goes on.",
            words=tuple(("undecided", "nothing to compare it with") for _ in self.compared),
            losses=(None,) * len(self.compared),
        )

    def compare(self, candidates: Sequence[tuple[Measured, Fidelity]]) -> list[LeftOut]:
        """Get the answers of all, or of those for whom a glance leaves hope. Returns those whose runs failed."""
        limits = glance_limits(self.question, self.looks, len(candidates))
        behind: list[Compared] = []
        failed: list[LeftOut] = []
        say = self.source.display.say
        if limits is not None:
            say(f"a glance at {sum(limits.values()):,} samples, to see who is far behind")
            glanced, failed = compare(self.question, candidates, self.source, limits)
            if len(glanced) > 1 and may_glance(glanced, self.question.constraints, self.looks):
                far = hopeless(self.look(glanced, glance=limits), self.question.constraints.margin)
                behind = [each for position, each in enumerate(glanced) if position in far]
            out = {each.key for each in failed} | {each.contender.key for each in behind}
            candidates = [each for each in candidates if each[0].candidate.key not in out]
            for each in behind:
                say(f"far behind: {each.contender.label}, {each.contender.answered.score:.1f} of 100")
        whole, more = compare(self.question, candidates, self.source)
        self.compared = [*whole, *behind]
        self.left_out += [*failed, *more]
        return [*failed, *more]

    def look(self, compared: Sequence[Compared], *, glance: Mapping[str, int] | None = None) -> Selection:
        """Look, and note it on disk before anything is told of it."""
        selection, noted = look(compared, self.question.constraints, self.looks, glance=glance)
        self.looks = (*(each for each in self.looks if each.number != noted.number), noted)
        self.note_looks()
        return selection

    def note_looks(self) -> None:
        """Keep the last answer until there is another."""
        before = self.folder.read() or Choice(
            choice_id=self.candidates.choice_id,
            updated=_now(),
            ending=Ending.NOT_DECIDED,
            head="Not decided yet",
        )
        self.folder.write(msgspec.structs.replace(before, looks=self.looks))

    def choice(self, decision: Decision) -> Choice:
        """The record of the decision."""
        rows = [_row(each, position, decision) for position, each in enumerate(self.compared)]
        chosen = self.compared[decision.chosen] if decision.chosen is not None else None
        second = self.compared[decision.runner_up] if decision.runner_up is not None else None
        record = chosen.measured.record if chosen is not None else None
        measured = [each.measured for each in self.compared]
        more = unknowns(self.question, measured, self.left_out, self.looks)
        if self.compared and all(each.contender.fidelity.mean_nats is None for each in self.compared):
            more = (
                *more,
                "how far each is from the original: give --kld-reference with the model in F16 or BF16",
            )
        return Choice(
            choice_id=self.candidates.choice_id,
            updated=_now(),
            ending=str(decision.ending),
            head=decision.head,
            constraints={**self.question.constraints.facts(), "benchmarks": [*self.question.benchmarks]},
            proof=decision.proof,
            command=_command(record) if record is not None else (),
            chosen=chosen.contender.key if chosen is not None else "",
            runner_up=second.contender.key if second is not None else "",
            runner_up_text=decision.runner_up_text,
            needed=decision.needed,
            unknown=(*decision.unknown, *more),
            rows=(*rows, *(_left_row(each) for each in self.left_out)),
            looks=self.looks,
        )


def _command(record: RunRecord) -> tuple[str, ...]:
    return server_line(record.server, record.config.get("server_args") or ()) if record.server else ()


def _row(compared: Compared, position: int, decision: Decision) -> ChoiceRow:
    candidate, of = compared.measured.candidate, compared.contender
    verdict, why = decision.words[position]
    speed, answered, fidelity = of.speed, of.answered, of.fidelity
    of_kld = (fidelity.run_id,) if fidelity.run_id else ()
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
        kld=fidelity.mean_nats,
        bits_per_weight=candidate.bits_per_weight,
        runs=runs,
    )


def _left_row(left_out: LeftOut) -> ChoiceRow:
    return ChoiceRow(
        key=left_out.key,
        label=left_out.label,
        path=left_out.path,
        kv_type=left_out.kv_type,
        verdict="failed" if left_out.failed else "left out",
        why=left_out.why,
    )


def _alone(measured: Measured) -> Compared:
    """One whose answers are not compared."""
    return Compared(measured=measured, runs=(), contender=contender(measured, (), UNKNOWN))


def _none_left(constraints: Constraints) -> str:
    least = constraints.min_tokens_per_s
    if least is not None and constraints.max_watts is None:
        return f"No model reaches {least:g} tokens/s with {constraints.depth:,} tokens in the context"
    return "No model meets the constraints of speed and power"


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
