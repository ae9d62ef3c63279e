"""What a look takes from the runs of the baseline and of a new build, sample by sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from results.compare.comparability import forbidding, read_run_settings
from results.compare.metric_pair import require_passes
from results.errors import NotComparable
from results.stats.lost_answers import too_many_lost
from results.stats.machines import speed_doubts
from results.stats.sentinel import RunFigures
from results.stats.speed import answering_speed
from results.store.answers import is_lost, read_answers, said

if TYPE_CHECKING:
    from collections.abc import Sequence

    from results.records import Completion, RunRecord
    from results.store.run_folder import RunFolder

    Run = tuple[RunFolder, RunRecord]


@dataclass(frozen=True, kw_only=True)
class Watched:
    """baseline, new: figures of each run, on the samples that all of them answered. left_out: number of samples that a
    run doesn't have or lost. notes: why a speed is not judged, as sentences without a full stop.
    """

    baseline: tuple[RunFigures, ...]
    new: tuple[RunFigures, ...]
    left_out: int
    notes: tuple[str, ...]


def watched(baseline: Sequence[Run], new: Sequence[Run]) -> Watched:
    """Line the runs up. Raises NotComparable if one differs in what determines a score, has several completions per
    sample, or lost too many answers; ResultsError.
    """
    runs = [*baseline, *new]
    for _, record in runs:
        require_passes(record, "watch-build")
    first_folder, first = runs[0]
    settings = read_run_settings(first_folder)
    for folder, record in runs[1:]:
        reasons = forbidding(first, record, settings, read_run_settings(folder))
        if reasons:
            raise NotComparable(
                f"{first_folder.run_id} and {folder.run_id} are not comparable, they differ in "
                + "; ".join(map(str, reasons)),
                hint="--accept makes a new baseline of today's build and settings",
            )
    answers = [_by_sample(run) for run in runs]
    known = [task_id for task_id in answers[0] if all(task_id in each for each in answers)]
    common = [task_id for task_id in known if not any(is_lost(each[task_id]) for each in answers)]
    if not common:
        raise NotComparable(
            f"{first_folder.run_id} and {runs[-1][0].run_id} have no answered sample in common",
            hint="--accept makes a new baseline of today's build and settings",
        )
    notes: list[str] = []
    figures = [
        _figures(run, [each[task_id] for task_id in common], first, notes)
        for run, each in zip(runs, answers, strict=True)
    ]
    return Watched(
        baseline=tuple(figures[: len(baseline)]),
        new=tuple(figures[len(baseline) :]),
        left_out=max(map(len, answers)) - len(common),
        notes=tuple(dict.fromkeys(notes)),
    )


def _by_sample(run: Run) -> dict[str, Completion]:
    folder, _ = run
    completions = read_answers(folder).completions
    if any(index for _, index in completions):
        raise NotComparable(
            f"{folder.run_id} has several completions per sample",
            hint="watch with one completion per sample: leave out --n-samples",
        )
    lost = sum(map(is_lost, completions.values()))
    if too_many_lost(lost, len(completions)):
        raise NotComparable(
            f"{folder.run_id} lost {lost} of {len(completions)} answers; the others may be easier or harder",
            hint=f"see why with `show {folder.run_id}`, then look again",
        )
    return {task_id: completion for (task_id, _), completion in completions.items()}


def _figures(run: Run, completions: Sequence[Completion], first: RunRecord, notes: list[str]) -> RunFigures:
    words = [said(completion) for completion in completions]
    return RunFigures(
        passed=[completion.passed for completion in completions],
        answers=words if any(words) else None,
        tokens_per_s=_speed(run, first, notes),
    )


def _speed(run: Run, first: RunRecord, notes: list[str]) -> float | None:
    """Tokens per second if they may be compared with those of the first run; otherwise notes why not."""
    folder, record = run
    why = list(speed_doubts(record)[:1])
    if record.incidents:
        why.append("its server was restarted")
    machines = [[each.host.get(name) for name in ("hostname", "processor")] for each in (first, record)]
    cards = [_cards(each) for each in (first, record)]
    if machines[0] != machines[1] or cards[0] != cards[1]:
        why.append("it ran on another machine or card than the baseline")
    speed = answering_speed(record.score) if record.score is not None else None
    if speed is None and not why:
        why.append("its speed is not known")
    if why:
        notes.append(f"the speed of {folder.run_id} is not judged: {why[0]}")
        return None
    return speed


def _cards(record: RunRecord) -> list[object]:
    return [gpu.get("name") for gpu in record.host.get("gpus") or () if isinstance(gpu, dict)]
