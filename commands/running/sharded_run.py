"""One run; with --shards, a sweep of its shards, which may run at once, and then the run that they are together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from engines.planned_run import PlannedRun
    from results.errors import BenchError
    from results.records import RunRecord
    from results.store.run_folder import RunFolder
    from results.store.sweep_folder import SweepFolder
    from runner.display import Display
    from runner.run import FinishedRun
    from runner.script.standby import Standby
    from runner.spec import RunSpec
    from sweeps.manifest.reader import Manifest
    from sweeps.plan import Plan

    Found = tuple[RunFolder, RunRecord]


def run_once(
    spec: RunSpec,
    results_dir: Path,
    display: Display,
    held: Callable[[], AbstractContextManager[None]],
    *,
    resume: str | None,
    label: str,
    standby: Standby | None,
) -> FinishedRun:
    """Do the run, in shards if that was asked for. Otherwise like `runner.run.run`."""
    if (spec.asked["shards"] or 1) > 1:
        if standby is not None:
            standby.dismiss()
        return _in_shards(spec, results_dir.absolute(), display, held, resume=resume, label=label)
    from results.store.runs import Runs
    from runner.run import run

    return run(
        spec, Runs(results_dir, display.say), display, held, resume=resume, label=label, standby=standby
    )


def _in_shards(
    spec: RunSpec,
    results_dir: Path,
    display: Display,
    held: Callable[[], AbstractContextManager[None]],
    *,
    resume: str | None,
    label: str,
) -> FinishedRun:
    """Do the run in shards, as many at once as there are devices, and merge them. label: of the whole run.

    resume: what names the run, or one of its shards; only what is missing or has failed is done. Raises like
    `runner.run.run`, and BenchError if a shard did not come to its end.
    """
    from results.errors import ScriptError
    from results.records import RunStatus
    from results.store.remarks import RunRemarks
    from runner.run import FinishedRun
    from sweeps.sweep import begin, work

    if resume:
        folder, manifest, plan = _earlier(spec, results_dir, resume)
    else:
        manifest, plan = planned_shards(spec)
        folder = begin(manifest, plan, results_dir=results_dir, fresh=True)
    whole = plan.wholes[0]
    work(folder, manifest, plan, display=display, held=held)
    known = folder.runs(warn=display.say)
    there = known.get(whole.fingerprint)
    if there is None:
        why = next((text for shard in plan.shards(whole) if (text := _why(known.get(shard.fingerprint)))), "")
        raise ScriptError(
            f"not all shards came to their end{f': {why}' if why else ''}",
            hint=f"run `sweep --resume {folder.sweep_id}`",
        )
    run, record = there
    if label and record.remarks.label != label:
        record = RunRemarks(results_dir, display.say).label(run, label)
    error = None if record.status is RunStatus.SUCCEEDED else _error(record)
    return FinishedRun(record, run, error)


def planned_shards(spec: RunSpec) -> tuple[Manifest, Plan]:
    """A sweep of this run alone. Raises UsageError."""
    from results.json_text import encode_indented
    from sweeps.manifest.problems import COMMAND_LINE
    from sweeps.manifest.reader import parse_manifest
    from sweeps.plan import plan_runs, require_a_chance

    text = encode_indented({"runs": [spec.asked.written()]}).decode()
    manifest = parse_manifest(text, form="json", name=COMMAND_LINE, folder=Path.cwd())
    plan = plan_runs(manifest, ask_scripts=False)
    require_a_chance(plan)
    return manifest, plan


def _earlier(spec: RunSpec, results_dir: Path, resume: str) -> tuple[SweepFolder, Manifest, Plan]:
    """The run's sweep, in which what failed will be tried again. Raises UsageError, ResumeMismatch."""
    from results.errors import ResumeMismatch, UsageError
    from results.records import RunStatus
    from results.store.run_folder import RunFolder
    from results.store.sweep_folder import SweepFolder
    from runner.fingerprint import fingerprint
    from sweeps.planned_again import planned_again

    run = RunFolder.find(results_dir, resume)
    record = run.read_record()
    if record.sweep is None or not (record.shards or record.is_shard):
        raise UsageError(
            f"{run.run_id} was not split into shards",
            hint="leave --shards out, or start a new run without --resume",
        )
    folder = SweepFolder.find(results_dir, record.sweep.sweep_id)
    manifest, plan = planned_again(folder.read())
    ours = fingerprint(spec)
    whole = next((each for each in plan.wholes if _is_that(each, ours, spec)), None)
    if whole is None:
        raise ResumeMismatch(
            f"cannot resume {run.run_id}: its settings were others",
            hint=f"run `sweep --retry-failed {folder.sweep_id}`, which knows them, or start a new run without --resume",
        )
    known = folder.runs(warn=lambda _: None)
    for each in (whole, *plan.shards(whole)):
        there = known.get(each.fingerprint)
        if there is not None and there[0].effective_status(there[1]) is RunStatus.FAILED:
            folder.request_retry(each.fingerprint)
    return folder, manifest, plan


def _is_that(whole: PlannedRun, fingerprint: str, spec: RunSpec) -> bool:
    return whole.fingerprint == fingerprint and whole.asked["shards"] == spec.asked["shards"]


def _why(found: Found | None) -> str:
    return found[1].error.message if found is not None and found[1].error is not None else ""


def _error(record: RunRecord) -> BenchError:
    """The error that the record tells of, with its exit code."""
    from results.errors import BenchError

    told = record.error
    error = BenchError(
        told.message if told else "it failed",
        hint=told.hint if told else "",
        log_tail=told.log_tail if told else "",
    )
    kinds: list[type[BenchError]] = [BenchError]
    while kinds:
        kind = kinds.pop()
        if told is not None and kind.kind == told.kind:
            error.exit_code, error.kind = kind.exit_code, kind.kind
        kinds += kind.__subclasses__()
    return error
