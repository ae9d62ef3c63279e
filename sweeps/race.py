"""Race configurations: each round runs those that can still win on more samples of their common random order."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from engines.lane import going_on, has_failed
from results.compare.metric_pair import scoring_of
from results.errors import UsageError
from results.records import Outcome, RunStatus
from results.stats.corpus_metrics import CORPUS_METRICS
from results.stats.racing import Standing, race
from results.stats.sample_order import order_key
from results.stats.scoring import main_metric, value_of
from results.store.runs import Runs
from results.store.verdicts import read_verdicts
from results.sweep_place import RaceEnd, RaceResult
from results.views.sweep_text import race_text
from settings.suites import suite_facts
from sweeps.guide import kld_guide

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engines.coordinator import Coordinator
    from engines.planned_run import PlannedRun
    from engines.server_group import ToDo
    from results.records import RunRecord
    from results.stats.racing import Race
    from results.store.run_folder import RunFolder
    from results.store.sweep_folder import SweepFolder
    from runner.display import Display
    from runner.spec import RunSpec
    from sweeps.plan import Plan

RACE_SEED = 0  # for the order of samples
FIRST_SAMPLES = 21  # for the run that finds out the number of samples: the first round of HumanEval


class Entry(NamedTuple):
    """One configuration: its planned run, and the folder and record of its run so far."""

    planned: PlannedRun
    folder: RunFolder | None
    record: RunRecord | None


def require_races(plan: Plan) -> None:
    """Raise UsageError if the plan can't be raced."""
    for run in plan.runs:
        if run.spec is None:
            continue
        if run.spec.asked["shard"] is not None:
            raise UsageError(
                f"--race: {run.label} is a part of a run that is split, and a race asks more samples of it by and by",
                hint="leave out --race or --shards",
            )
        if run.spec.external_script is not None or run.spec.parser != "summary":
            raise UsageError(
                f"--race: {run.label} has no verdict for each sample",
                hint="race benchmarks such as human_eval",
            )
        if (run.spec.asked["n_samples"] or 1) != 1 or run.spec.asked["as_published"]:
            raise UsageError(
                f"--race: {run.label} has several completions per sample",
                hint="leave out --n-samples and --as-published",
            )
        if run.spec.benchmark.suite is not None:
            facts = suite_facts(run.spec.benchmark.suite)
            _require_single_answers(run.label, facts.tasks, facts.metric)


def _require_single_answers(label: str, tasks: int, metric: str) -> None:
    """Raise UsageError for a score that no single answer shows."""
    if tasks == 1 and metric not in CORPUS_METRICS:
        return
    what = "the mean over several tasks" if tasks > 1 else f"{metric}, a metric of all answers together"
    raise UsageError(
        f"--race: the score of {label} is {what}, which no single answer shows",
        hint="leave out --race; with --limit a sweep is as short",
    )


def races(plan: Plan) -> list[tuple[PlannedRun, ...]]:
    """The races of a plan: runs of the same benchmark with the same sampling."""
    found: dict[object, list[PlannedRun]] = {}
    for run in plan.runs:
        spec = run.spec
        key = None if spec is None else (spec.benchmark.name, *map(str, spec.for_script()))
        found.setdefault(key, []).append(run)
    return [tuple(runs) for runs in found.values()]


def run_race(
    runs: Sequence[PlannedRun],
    folder: SweepFolder,
    coordinator: Coordinator,
    *,
    seed: int,
    display: Display,
    guide: str = "",
) -> None:
    """Run one race to its end, continuing where it stood. guide: what says in which order those of a round are asked;
    the race's decisions are made between rounds and don't depend on it. Raises like `Coordinator.work`.
    """
    coordinator.settle()
    coordinator.do(coordinator.left([run for run in runs if run.spec is None]))
    # Files with the same content run only once.
    able = list({run.fingerprint: run for run in reversed(runs) if run.spec is not None}.values())[::-1]
    if len(able) < 2:
        _forget_parts(able, folder, display)
        coordinator.do(coordinator.left(able))
        return
    asked = able[0].spec.asked["limit"] if able[0].spec else None
    guided = None
    if guide:
        guided = kld_guide(able, folder.results_dir, warn=display.say)
        for line in guided.why:
            display.say(line)
    total = _total(able, folder, coordinator, seed=seed, asked=asked, display=display)
    if not total:
        return  # no run got far enough to find out the number of samples
    metric = _metric(_entries(able, folder, display))
    tried: set[tuple[int, int]] = set()
    asked_again: set[tuple[int, int]] = set()  # lost answers are asked for again once per round
    short: set[int] = set()  # succeeded without verdicts on all requested samples: can't continue
    while True:
        entries = _entries(able, folder, display)
        state = race(_rows(entries, seed, metric), total, withdrawn=short | _withdrawn(entries, folder))
        lossy = _to_ask_again(entries, state) - asked_again
        if lossy:
            asked_again |= lossy
            coordinator.do(
                [_todo(entries[position], samples, seed, folder) for position, samples in sorted(lossy)]
            )
            if coordinator.given_up:
                return
            continue
        if state.next_samples is None:
            _note(entries, state, total, folder, display, metric=metric)
            return
        todo = []
        for position in guided.ordered(state.racing) if guided is not None else state.racing:
            entry = entries[position]
            if state.racers[position].samples >= state.next_samples and _succeeded(entry):
                continue
            if (position, state.next_samples) in tried and _succeeded(entry):
                short.add(position)
                continue
            tried.add((position, state.next_samples))
            todo.append(_todo(entry, state.next_samples, seed, folder))
        coordinator.do(todo)  # a round ends before the next one begins, on any engine
        if coordinator.given_up:
            return  # without all its runs the next round could beat the wrong ones


def _total(
    runs: Sequence[PlannedRun],
    folder: SweepFolder,
    coordinator: Coordinator,
    *,
    seed: int,
    asked: int | None,
    display: Display,
) -> int | None:
    """The number of samples in the race, which is known once a run has read the data set."""
    first = min(FIRST_SAMPLES, asked or FIRST_SAMPLES)
    for position in range(len(runs)):
        entries = _entries(runs, folder, display)
        for entry in entries:
            there = (
                entry.record.score.details.get("samples_there")
                if entry.record and entry.record.score
                else None
            )
            if isinstance(there, int):
                return min(there, asked or there)
        if (
            not _failed(entries[position])
            or entries[position].planned.fingerprint in folder.requested_retries()
        ):
            coordinator.do([_todo(entries[position], first, seed, folder)])
    return None


def _entries(runs: Sequence[PlannedRun], folder: SweepFolder, display: Display) -> list[Entry]:
    known = folder.runs(warn=display.say)
    return [Entry(run, *known.get(run.fingerprint, (None, None))) for run in runs]


def _forget_parts(runs: Sequence[PlannedRun], folder: SweepFolder, display: Display) -> None:
    """Refer to no run of another race, which may have been stopped early, where there is no race."""
    for entry in _entries(runs, folder, display):
        if entry.record is not None and entry.record.config.get("shuffle") is not None:
            folder.reused.forget(entry.planned.fingerprint)


def _succeeded(entry: Entry) -> bool:
    return entry.record is not None and entry.record.status is RunStatus.SUCCEEDED


def _failed(entry: Entry) -> bool:
    return entry.record is not None and has_failed(entry.record)


def _withdrawn(entries: Sequence[Entry], folder: SweepFolder) -> set[int]:
    again = folder.requested_retries()
    return {i for i, entry in enumerate(entries) if _failed(entry) and entry.planned.fingerprint not in again}


def _todo(entry: Entry, samples: int, seed: int, folder: SweepFolder) -> ToDo:
    spec = entry.planned.spec
    found = None if entry.folder is None or entry.record is None else (entry.folder, entry.record)
    if entry.planned.fingerprint in folder.reused.references():  # another sweep's run stays as it is
        found = None
    return going_on(entry.planned, None if spec is None else _on_samples(spec, samples, seed), found)


def _on_samples(spec: RunSpec, samples: int, seed: int) -> RunSpec:
    return msgspec.structs.replace(spec, asked=spec.asked.but(limit=samples, shuffle=seed))


def _to_ask_again(entries: Sequence[Entry], state: Race) -> set[tuple[int, int]]:
    """Configurations that may still win but lost answers in a finished round, each with its number of samples."""
    return {
        (position, racer.samples)
        for position, (entry, racer) in enumerate(zip(entries, state.racers, strict=True))
        if racer.lost and racer.standing in {Standing.RACING, Standing.UNDECIDED} and _succeeded(entry)
    }


def _metric(entries: Sequence[Entry]) -> str:
    """The metric of an answer that is the score; "" if that is the share that passed. Raises UsageError if no single
    answer has it.
    """
    known = [scoring_of(entry.record) for entry in entries if entry.record is not None]
    scoring = next((each for each in known if each is not None), None)
    if scoring is None:
        return ""
    metric = main_metric(scoring)
    _require_single_answers(entries[0].planned.label, len(scoring.tasks), metric)
    return metric


def _rows(entries: Sequence[Entry], seed: int, metric: str = "") -> list[list[float | None]]:
    """Each entry's verdicts, or values of a metric, in the common order, up to the first missing one; None for a lost
    answer.

    An interrupted run has verdicts in the order in which answers arrived, so those after its first missing sample don't
    count yet.
    """
    judged: list[dict[str, float | None]] = []
    for entry in entries:
        path = entry.folder.completions if entry.folder else None
        verdicts = read_verdicts(path)[0] if path is not None and path.exists() else []
        judged.append(
            {
                verdict.task_id: None
                if verdict.outcome is Outcome.INFRASTRUCTURE_ERROR
                else value_of(verdict, metric)
                if metric
                else verdict.passed
                for verdict in verdicts
            }
        )
    order = sorted(
        {task_id for each in judged for task_id in each}, key=lambda task_id: order_key(seed, task_id)
    )
    rows = []
    for each in judged:
        row = []
        for task_id in order:
            if task_id not in each:
                break
            row.append(each[task_id])
        rows.append(row)
    return rows


def _note(
    entries: Sequence[Entry],
    state: Race,
    total: int,
    folder: SweepFolder,
    display: Display,
    *,
    metric: str,
) -> None:
    """Write the race's result into the runs' records, and print it."""
    runs = Runs(folder.results_dir, display.say)
    display.say("")
    for position, (entry, racer) in enumerate(zip(entries, state.racers, strict=True)):
        result = RaceResult(
            end=_end(position, state),
            samples=racer.samples,
            total=total,
            lost=racer.lost,
            by="" if racer.by is None else entries[racer.by].planned.label,
        )
        answered = racer.samples - racer.lost
        solved = f"{racer.solved:g} of {answered} solved"
        if metric and answered:
            solved = f"{metric} {100 * racer.solved / answered:.1f} of 100 on {answered} samples"
        display.say(f"race: {entry.planned.label}: {solved}; {race_text(result)}")
        if entry.record is None or entry.folder is None or entry.record.sweep is None:
            continue
        reused = folder.reused.references().get(entry.planned.fingerprint)
        if reused is not None:
            folder.reused.note(msgspec.structs.replace(reused, race_result=result))
            continue
        place = msgspec.structs.replace(entry.record.sweep, race_result=result)
        if place != entry.record.sweep:
            record = msgspec.structs.replace(entry.record, sweep=place)
            runs.entry(entry.folder, entry.record).finish(record)


def _end(position: int, state: Race) -> RaceEnd:
    standing = state.racers[position].standing
    if standing is not Standing.RACING:
        return RaceEnd(standing)
    undecided = any(racer.standing is Standing.UNDECIDED for racer in state.racers)
    if state.racing == (position,) and not undecided:
        return RaceEnd.WINNER
    return RaceEnd.IN_FRONT if position == state.leader else RaceEnd.NOT_BEATEN
