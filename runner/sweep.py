"""A sweep on this machine: plan -> runs, on as many devices as there are, until all of it is done."""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import msgspec

from results.errors import Interrupted
from results.records import RunStatus
from results.sweep_folder import ManifestText, Sweep, SweepFolder
from results.sweep_folder import PlannedRun as PlannedFacts
from runner.manifest import parse_manifest
from runner.matrix import plan_runs
from runner.race import races, run_race
from runner.sweep_lanes import in_processes, one_lane, usable_gpus

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from results.records import RunRecord
    from results.run_folder import RunFolder
    from runner.display import Display
    from runner.manifest import Manifest
    from runner.manifest_text import Form
    from runner.matrix import Plan, PlannedRun

RACE_SEED = 0  # of the order in which a race goes through the samples


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A sweep that nobody works on any more. failed: the newest runs that did not succeed; missing: labels of planned
    runs without a record.
    """

    folder: SweepFolder
    sweep: Sweep
    runs: tuple[tuple[RunFolder, RunRecord], ...]
    missing: tuple[str, ...]

    @property
    def failed(self) -> tuple[RunRecord, ...]:
        return tuple(record for _, record in self.runs if record.status is not RunStatus.SUCCEEDED)


def begin(
    manifest: Manifest,
    plan: Plan,
    *,
    results_dir: Path,
    race: bool = False,
    on_oom: str = "fail",
    max_concurrent: int | None = None,
) -> SweepFolder:
    """The folder of a new sweep. Raises ResultsError."""
    now = dt.datetime.now(dt.UTC)
    folder = SweepFolder.create(results_dir, Path(manifest.name).stem, now)
    folder.write(
        Sweep(
            sweep_id=folder.sweep_id,
            created=now.isoformat(timespec="seconds"),
            nonce=f"{time.time_ns() & 0xFFFF:04x}",
            manifest=_text_of(manifest),
            runs=_facts(plan.runs),
            race=race,
            on_oom=on_oom,
            max_concurrent=max_concurrent,
        )
    )
    return folder


def planned_again(sweep: Sweep, *, results_dir: Path) -> tuple[Manifest, Plan]:
    """From the manifest that the sweep keeps. Raises UsageError, as for a variable that is not set any more."""
    kept = sweep.manifest
    manifest = parse_manifest(
        kept.text, form=cast("Form", kept.form), name=kept.name, folder=Path(kept.folder)
    )
    return manifest, plan_runs(manifest, results_dir=results_dir)


def work(
    folder: SweepFolder,
    manifest: Manifest,
    plan: Plan,
    *,
    display: Display,
    held: Callable[[], AbstractContextManager[None]],
) -> Finished:
    """Do all that is not done; what the plan has more or less than last time is noted. Raises Interrupted (with how to
    go on) and ResultsError.
    """
    with folder.claim():
        sweep = msgspec.structs.replace(folder.read(), manifest=_text_of(manifest), runs=_facts(plan.runs))
        folder.write(sweep)
        display.say(f"sweep {sweep.sweep_id}: {len(plan.runs)} runs")
        gpus = usable_gpus()
        lanes = min(sweep.max_concurrent or max(len(gpus), 1), len({run.group for run in plan.runs}))
        try:
            if sweep.race or lanes == 1:
                lane = one_lane(folder, sweep, plan, gpus=gpus, lanes=1, display=display, held=held)
                if sweep.race:
                    for runs in races(plan):
                        run_race(runs, folder, lane, seed=RACE_SEED, display=display)
                else:
                    lane.work()
            else:
                in_processes(folder, lanes, display)
        except Interrupted as error:
            error.hint = f"go on with: bench_runner.py sweep --resume {sweep.sweep_id}"
            raise
        return finished(folder, plan, warn=display.say)


def finished(folder: SweepFolder, plan: Plan, *, warn: Callable[[str], None]) -> Finished:
    """What there is of it now, in the order of the plan. Fingerprints of models are made where they are not known."""
    known = folder.runs(warn=warn)
    found = [(run.label, known.get(run.fingerprint)) for run in plan.runs]
    return Finished(
        folder=folder,
        sweep=folder.read(),
        runs=tuple(run for _, run in found if run is not None),
        missing=tuple(label for label, run in found if run is None),
    )


def _text_of(manifest: Manifest) -> ManifestText:
    return ManifestText(
        text=manifest.text, form=manifest.form, name=manifest.name, folder=str(manifest.folder)
    )


def _facts(runs: Sequence[PlannedRun]) -> tuple[PlannedFacts, ...]:
    return tuple(
        PlannedFacts(
            label=run.label,
            benchmark=str(run.options.get("benchmark") or ""),
            model=run.spec.server.model.name if run.spec and run.spec.server.model else "",
            group=run.group,
        )
        for run in runs
    )
