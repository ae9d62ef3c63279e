"""What a recommendation doesn't say: what was not measured, and what was measured under doubt."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from choosing.recommendation.candidates import LeftOut
    from choosing.recommendation.constraints import Question
    from choosing.recommendation.measured_speed import Measured
    from results.store.choices import Look

_LONG_CONTEXT = 8192  # tokens, from which a context is long
_MOST_NAMED = 3


def unknowns(
    question: Question, measured: Sequence[Measured], left_out: Sequence[LeftOut], looks: Sequence[Look]
) -> tuple[str, ...]:
    """Sentences without a full stop, most important first."""
    return tuple(_found(question, measured, left_out, looks))


def _found(
    question: Question, measured: Sequence[Measured], left_out: Sequence[LeftOut], looks: Sequence[Look]
) -> Iterator[str]:
    yield from _doubtful(left_out)
    if not measured:
        yield from question.notes
        return
    constraints = question.constraints
    names = question.benchmarks
    margins = {look.tolerance_points for look in looks} | {constraints.tolerance_points}
    if len(margins) > 1:
        seen = ", ".join(f"{points:g}" for points in sorted(margins))
        yield (
            f"the tolerance was changed after the answers had been looked at ({seen} points), so the error may be "
            "more than 5 %"
        )
    if constraints.ctx_size >= _LONG_CONTEXT and "needle" not in names:
        yield (
            f"how well they answer with a long context: speed was measured at {constraints.depth:,} tokens, quality "
            "only with the benchmarks' short prompts"
        )
    if "tools" not in names:
        yield "tool calling: no benchmark of it was run"
    if all(_without_gpu(each) for each in measured):
        yield "a GPU: none was seen, so speeds are those of this machine's processor"
    if any(each.record.server is not None and each.record.server.kind == "embedded" for each in measured):
        yield "your llama-server: none was found, so everything was measured with the built-in llama.cpp"
    if all(each.speed.joules_per_token is None for each in measured):
        yield "energy: no device reports it undisturbed"
    yield from _disturbed(measured)
    failed = [each.label for each in left_out if each.failed]
    if failed:
        yield f"whether those that failed are better: {_some(failed)}"
    slow = [
        each.label
        for each in left_out
        if not each.failed and ("tokens/s" in each.why or " W while" in each.why)
    ]
    if slow:
        yield f"whether those that were too slow or drew too much answer better: {_some(slow)}"
    if constraints.parallel > 1:
        yield f"the speed of {constraints.parallel} chats at once: it was measured for one chat at a time"
    caveats = dict.fromkeys(
        f"{each.candidate.label}: {text}" for each in measured for text in each.candidate.caveats
    )
    yield from caveats
    yield from question.notes


def _without_gpu(measured: Measured) -> bool:
    telemetry = measured.record.telemetry
    return telemetry is None or not any(uuid for uuid in telemetry.used)


def _disturbed(measured: Sequence[Measured]) -> Iterator[str]:
    by_reason: dict[str, list[str]] = {}
    for each in measured:
        for reason in each.speed.disturbed[:1]:
            by_reason.setdefault(reason, []).append(each.candidate.label)
    if by_reason:
        labels = list(dict.fromkeys(label for found in by_reason.values() for label in found))
        yield f"how fast they are undisturbed: {_some(labels)} ({next(iter(by_reason))})"


def _doubtful(left_out: Sequence[LeftOut]) -> Iterator[str]:
    """That those with a disturbed speed may meet the constraints, and how it is measured again."""
    found = [each for each in left_out if each.disturbed]
    if found:
        runs = " ".join(each.run_id for each in found)
        yield (
            f"whether {_some([each.label for each in found])} would meet the constraints undisturbed "
            f"({found[0].disturbed}): after `bench_runner.py archive {runs}` the same command measures again"
        )


def _some(labels: Sequence[str]) -> str:
    more = len(labels) - _MOST_NAMED
    return ", ".join([*labels[:_MOST_NAMED], *([f"and {more} more"] if more > 0 else [])])
