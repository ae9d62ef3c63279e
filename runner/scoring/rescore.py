"""`rescore`: the composite score of a run that is there; only what new weights or rules change is measured."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from results.completion_lines import latest
from results.durable import explained
from results.errors import BenchError, UsageError
from results.files import read_file
from results.records import RunStatus
from results.scores.composite import Part
from runner.option_check import check_scoring
from runner.rejudge import finished_whole
from runner.scoring.asked import NAMES, ScoringAsked
from runner.scoring.baseline import find_baseline
from runner.scoring.step import composite_score
from settings.benchmarks import CODING_BENCHMARKS
from settings.scoring.weights import read_weights, scorer_name, written_weights

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from results.records import RunRecord
    from results.scores.composite import CompositeScore
    from results.store.run_folder import RunFolder
    from results.store.runs import Runs
    from runner.display import Display
    from runner.spec import RunSpec


@dataclass(frozen=True)
class Rescored:
    """before: the composite that it had; None: none."""

    record: RunRecord
    folder: RunFolder
    before: CompositeScore | None


def rescore(
    name: str,
    runs: Runs,
    display: Display,
    held: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext,
    *,
    asked: ScoringAsked,
    sandbox: str | None = None,
) -> Rescored:
    """Compute a run's composite score anew, into the same record. name: what `RunFolder.find` takes.

    asked: what is not given is as it was the last time: the weights, the scorer, what speed was compared with. Stopped
    at any moment, it goes on when it is called again. A run that was interrupted while it was scored succeeds by it.
    Raises UsageError for a run that can't be scored, ScriptError, ResultsError and Interrupted.
    """
    runs.check()
    entry = runs.find(name)
    record, folder = _scorable(entry.before, entry.folder), entry.folder
    given, asked = asked, _with_earlier(asked, record)
    asked.require_sense()
    check_scoring(asked)
    baseline, missing = None, ""
    if asked.baseline and asked.counts(Part.SPEED):
        try:
            baseline = find_baseline(asked.baseline, runs)
        except UsageError:
            if given.baseline:
                raise
            missing = f"the baseline {asked.baseline} is not here any more"
    with entry.claim():
        composite = composite_score(
            record, folder, asked, display, baseline=baseline, missing=missing, sandbox=sandbox
        )
        with held():
            final = entry.amend(lambda now: _scored(now, composite, asked))
    display.close()
    return Rescored(final, folder, record.composite)


def score_reused(
    spec: RunSpec,
    record: RunRecord,
    runs: Runs,
    display: Display,
    held: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext,
) -> RunRecord:
    """The record of a finished run that stands for one of this spec, scored as that asks; as it is where it asks for
    no score. What can't be scored is said, and costs nothing else.
    """
    asked = ScoringAsked.of(spec.asked)
    if asked is None:
        return record
    try:
        return rescore(record.run_id, runs, display, held, asked=asked).record
    except BenchError as error:
        display.say(f"note: {record.run_id} is reused without a new composite score: {error.message}")
        return record


def _scorable(record: RunRecord | None, folder: RunFolder) -> RunRecord:
    record = finished_whole(record, folder, instead="score the whole run")
    ours = str(record.config.get("script", "")).startswith("scripts.")
    if not ours or record.benchmark not in CODING_BENCHMARKS:
        raise UsageError(
            f"{folder.run_id} has no programs of ours to score: it is a run of {record.benchmark}"
            + ("" if ours else " by an external script"),
            hint=f"a composite score is of {', '.join(CODING_BENCHMARKS)}",
        )
    if not folder.completions.exists():
        raise UsageError(
            f"{folder.run_id} has no answers: it has no {folder.completions.name}",
            hint="name another run; see `list`",
        )
    with explained("read", folder.completions):
        there = len(latest(read_file(folder.completions).splitlines()))
    expected = record.score.completions if record.score is not None else None
    if expected is not None and there != expected:
        raise UsageError(
            f"{folder.run_id} has {there} of the {expected} answers that its score is of",
            hint=f"{folder.completions.name} was changed or cut off since: name another run; see `list`",
        )
    return record


def _with_earlier(asked: ScoringAsked, record: RunRecord) -> ScoringAsked:
    """With what the run was scored by before, where nothing else is asked."""
    before, config = record.composite, record.config
    if asked.weights is None:
        weights = written_weights(before.weights) if before is not None and before.weights else None
        asked = replace(asked, weights=weights or _text(config.get("weights")))
    if asked.scorer is None and (file := _text(config.get("scorer"))) and _is_wanted(file, asked.weights):
        asked = replace(asked, scorer=Path(file))
    if asked.baseline is None and asked.target_s is None:
        if before is not None and (before.baseline_run or before.target_s):
            return replace(asked, baseline=before.baseline_run or None, target_s=before.target_s)
        target_s = config.get("speed_target_s")
        return replace(
            asked,
            baseline=_text(config.get("speed_baseline")),
            target_s=float(target_s) if target_s else None,
        )
    return asked


def _is_wanted(scorer: str, weights: str | None) -> bool:
    """Whether it counts, or is still there to be told beside."""
    return scorer_name(scorer) in read_weights(weights or "correctness=1") or Path(scorer).is_file()


def _text(value: object) -> str | None:
    return str(value) if value else None


def _scored(now: RunRecord, composite: CompositeScore, asked: ScoringAsked) -> RunRecord:
    """With what it was scored by, so that it can be scored like that again. A run that was interrupted while it was
    scored has come to its end.
    """
    told = {
        "scoring": True,
        "weights": asked.weights,
        "speed_baseline": composite.baseline_run or asked.baseline,
        "speed_target_s": asked.target_s,
        "scorer": str(asked.scorer) if asked.scorer else None,
    }
    kept = {name: value for name, value in now.config.items() if name not in NAMES}
    config = {**kept, **{name: value for name, value in told.items() if value}}
    return msgspec.structs.replace(
        now, composite=composite, config=config, status=RunStatus.SUCCEEDED, error=None
    )
