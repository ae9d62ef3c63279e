"""Certify an acceleration: run plain decoding twice and the accelerated settings once, and judge them together."""

from __future__ import annotations

import dataclasses
import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from results.compare.three_runs import Trio, judge_trios
from results.errors import ResultsError, UsageError
from results.store.certificates import Certificate, keep_certificate
from runner.fingerprint import digest, fingerprint
from runner.request import build_spec
from servers.launch import plan
from settings.setting import Determines

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from choosing.asked_runs import AskedRuns, Run, RunSource
    from results.compare.three_runs import JudgedTrios
    from results.records import RunRecord
    from settings.asked import Asked

_POINTS = 100


@dataclass(frozen=True, kw_only=True)
class Question:
    """An acceleration to certify, on one benchmark. Plain decoding and the acceleration differ in the server only."""

    plain: Asked
    accelerated: Asked


@dataclass(frozen=True, kw_only=True)
class Certified:
    """The certificate, and the file that keeps it."""

    certificate: Certificate
    path: Path


def require_certifiable(questions: Sequence[Question]) -> None:
    """Raise UsageError for an acceleration that changes nothing, or what is asked or judged instead of the server, and
    for one that can't be launched.
    """
    for each in questions:
        for name in _differing(each):
            setting = each.plain.table[name]
            if setting.determines in {Determines.RESULT, Determines.SAMPLES}:
                raise UsageError(
                    f"{setting.option} after --with changes what is asked, not how it is decoded",
                    hint="give it before --with: both runs get it",
                    settings=(name,),
                )
            if name == "model":
                raise UsageError(
                    "--model after --with: an acceleration is of the same model",
                    hint="to compare models, use `sweep` or `compare`",
                    settings=(name,),
                )
        specs = [build_spec(settings) for settings in (each.plain, each.accelerated)]
        if specs[0].external_script is not None or specs[0].parser != "summary":
            raise UsageError(
                f"--benchmark {specs[0].benchmark.name} has no verdict for each sample",
                hint="certify by benchmarks such as human_eval or gsm8k",
                settings=("benchmark",),
            )
        for spec in specs:
            if not spec.server.is_running:  # an attached server's plan asks it
                plan(dataclasses.replace(spec.server, port=None), nonce="0")
        if fingerprint(specs[0]) == fingerprint(specs[1]):
            raise UsageError(
                "what stands after --with changes nothing",
                hint="such as: --with --parallel 4; or --with --model-draft small.gguf",
            )


def certify(questions: Sequence[Question], source: RunSource, *, margin_points: float) -> Certified:
    """Ask for the runs that are missing, judge them, and keep the certificate. Asking again after a kill goes on.

    Raises UsageError, NotComparable, ResultsError if a run failed, Interrupted.
    """
    require_certifiable(questions)
    # Each acceleration once before plain decoding a second time: an option that its server refuses is known early.
    asked = [settings for each in questions for settings in (each.plain, each.accelerated)]
    first = source.ask(asked, one_at_a_time=True)
    accelerated = [_only(found, 1)[0] for found in first[1::2]]
    for found in first[::2]:
        _only(found, 1)
    repeated = source.ask([each.plain for each in questions], copies=2, one_at_a_time=True)
    twice = [_only(found, 2) for found in repeated]
    trios = [
        Trio(
            benchmark=fast[1].benchmark,
            plain=plain[0],
            again=again[0],
            accelerated=fast[0],
            plain_fingerprint=plain[1].fingerprint,
            accelerated_fingerprint=fast[1].fingerprint,
        )
        for (plain, again), fast in zip(twice, accelerated, strict=True)
    ]
    judged = judge_trios(trios, margin=margin_points / _POINTS)
    made = _certificate(questions[0], accelerated[0][1], judged)
    return Certified(certificate=made, path=keep_certificate(source.results_dir, made))


def _only(found: AskedRuns, count: int) -> Sequence[Run]:
    """So many runs. Raises ResultsError with the reason if one failed."""
    if len(found.runs) >= count:
        return found.runs[:count]
    if found.failed is not None and found.failed.error is not None:
        error = found.failed.error
        raise ResultsError(
            f"{found.failed.run_id} failed: {error.message}",
            hint=error.hint or f"`show {found.failed.run_id}` says more; then give the same command again",
            log_tail=error.log_tail,
        )
    raise ResultsError(
        f"a run could not start: {found.error or 'it did not succeed'}", hint="give the same command again"
    )


def _differing(question: Question) -> list[str]:
    given = question.plain.given, question.accelerated.given
    return [name for name in question.plain.table if given[0].get(name) != given[1].get(name)]


def _certificate(question: Question, record: RunRecord, judged: JudgedTrios) -> Certificate:
    found = judged.certification
    plain, fast = question.plain.recorded(), question.accelerated.recorded()
    differing: dict[str, tuple[Any, Any]] = {
        name: (plain.get(name), fast.get(name)) for name in _differing(question)
    }
    identity = record.model_identity
    names = sorted((each.plain_fingerprint, each.accelerated_fingerprint) for each in judged.runs)
    return Certificate(
        certificate_id=digest({"runs": names, "margin_points": _POINTS * found.margin})[:16],
        created=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        model=record.model,
        model_sha256=identity.sha256 if identity is not None else None,
        settings={name: value for name, value in plain.items() if name not in {"benchmark", "model"}},
        acceleration=differing,
        runs=judged.runs,
        verdict=found.verdict,
        margin_points=_POINTS * found.margin,
        samples=found.samples,
        completions_per_sample=judged.completions_per_sample,
        plain_score=_POINTS * found.plain,
        again_score=_POINTS * found.again,
        accelerated_score=_POINTS * found.accelerated,
        difference_points=_POINTS * found.difference,
        low_points=_POINTS * found.low,
        high_points=_POINTS * found.high,
        damage_p=found.damage_p,
        noise=judged.noise,
        changes=judged.changes,
        other_words=judged.other_words,
        other_verdicts=judged.other_verdicts,
        first_changes=judged.first_changes,
        plain_costs=judged.costs[0],
        again_costs=judged.costs[1],
        accelerated_costs=judged.costs[2],
        lost=judged.lost,
        samples_needed=found.samples_needed,
    )
