"""A sweep on this machine: run the whole plan, on all devices."""

from __future__ import annotations

import datetime as dt
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from engines.cards import Cards, runs_at_once
from engines.coordinator import Coordinator
from engines.lane import is_done
from engines.local import LocalEngine
from results.errors import Interrupted, ResultsError
from results.records import RunStatus
from results.store.sweep_folder import ManifestText, PlanEntry, Sweep, SweepFolder
from sweeps.engine_choice import engine_for
from sweeps.merged_runs import merge_what_is_done
from sweeps.race import RACE_SEED, races, run_race
from sweeps.reuse import note_reused, score_reused_runs
from sweeps.shards import together
from sweeps.without_coordinator import cancel_attempts
from telemetry.devices import usable_gpus

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from results.records import RunRecord
    from results.store.run_folder import RunFolder
    from results.store.sweep_folder import EngineText
    from runner.display import Display
    from sweeps.manifest.reader import Manifest
    from sweeps.plan import Plan
    from sweeps.reuse import Reused

WORKERS_END_S = 10.0  # a killed sweep's workers may live on for a moment


@dataclass(frozen=True, kw_only=True)
class SweepOutcome:
    """The outcome of a sweep. runs: the newest run of each planned one, without repetitions. missing: labels of planned
    runs without a record.
    """

    folder: SweepFolder
    runs: tuple[tuple[RunFolder, RunRecord], ...]
    missing: tuple[str, ...]

    @property
    def failed(self) -> tuple[RunRecord, ...]:
        """The runs that did not succeed."""
        return tuple(record for _, record in self.runs if record.status is not RunStatus.SUCCEEDED)

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left to do. Runs may have failed."""
        return not self.missing and all(is_done(run, retry_requested=False) for run in self.runs)


def begin(
    manifest: Manifest,
    plan: Plan,
    *,
    results_dir: Path,
    race: bool = False,
    fresh: bool = False,
    guide: str = "",
    engine: EngineText | None = None,
) -> SweepFolder:
    """Create the folder of a new sweep. fresh: it reuses no finished runs. guide, engine: see `Sweep`.

    Raises ResultsError.
    """
    now = dt.datetime.now(dt.UTC)
    folder = SweepFolder.create(results_dir, Path(manifest.name).stem, now)
    folder.write(
        Sweep(
            sweep_id=folder.sweep_id,
            created=now.isoformat(timespec="seconds"),
            nonce=f"{time.time_ns() & 0xFFFF:04x}",
            manifest=_text_of(manifest),
            runs=_facts(plan, fingerprints=False),
            race=race,
            fresh=fresh,
            guide=guide,
            engine=engine,
        )
    )
    return folder


def work(
    folder: SweepFolder,
    manifest: Manifest,
    plan: Plan,
    *,
    display: Display,
    held: Callable[[], AbstractContextManager[None]],
    on_oom: str | None = None,
    max_concurrent: int | None = None,
    reused: Sequence[Reused] = (),
    engine: EngineText | None = None,
    leaves: bool = False,
) -> SweepOutcome:
    """Do everything that is left to do, and record the current plan. on_oom, max_concurrent: apply from now on; None
    keeps the earlier value. reused: finished runs to refer to. engine: where, from now on.
    leaves: return once everything was started, on an engine that goes on by itself.

    Raises Interrupted (with a hint how to continue) and ResultsError.
    """
    with folder.claim():
        score_reused_runs(reused, display, held)
        note_reused(folder, reused, display)
        before = folder.read()
        if before.engine is not None and (engine is None or engine.name != before.engine.name):
            cancel_attempts(folder, before, display)  # another engine would not find them
        sweep = msgspec.structs.replace(
            before,
            manifest=_text_of(manifest),
            runs=_facts(plan, fingerprints=bool(folder.runs(warn=display.say))),
            on_oom=on_oom or before.on_oom,
            max_concurrent=max_concurrent or before.max_concurrent,
            changed=plan.changed.written() if plan.changed is not None else before.changed,
            engine=engine,
        )
        folder.write(sweep)
        display.say(f"sweep {sweep.sweep_id}: {len(plan.runs)} runs")
        gpus = usable_gpus() if engine is None else ()
        groups = {run.group for run in plan.runs}
        for group in groups:
            with folder.claim_group(group, within_s=WORKERS_END_S):
                pass
        lanes = 1 if sweep.race else min(sweep.max_concurrent or runs_at_once(gpus), len(groups))
        local = LocalEngine(
            folder,
            nonce=sweep.nonce,
            may_reduce=sweep.may_reduce,
            cards=Cards(gpus, lanes),
            total=len(plan.runs),
            worker=_worker_command(folder, lanes),
            display=display,
            held=held,
        )
        elsewhere = engine_for(sweep, display)
        one_place = elsewhere is None and lanes == 1
        coordinator = Coordinator(
            folder,
            together(plan.runs) if one_place else plan.runs,
            elsewhere or local,
            nonce=sweep.nonce,
            may_reduce=sweep.may_reduce,
            display=display,
            held=held,
            leaves=leaves,
        )
        try:
            if sweep.race:
                for runs in races(plan):
                    run_race(runs, folder, coordinator, seed=RACE_SEED, display=display, guide=sweep.guide)
            else:
                coordinator.work()
            merge_what_is_done(folder, plan, nonce=sweep.nonce, display=display, held=held)
        except Interrupted as error:
            error.hint = f"bench_runner.py sweep --resume {sweep.sweep_id} continues it"
            raise
        folder.write(msgspec.structs.replace(sweep, runs=_facts(plan, fingerprints=True)))
        done = _finished(folder, warn=display.say)
        stopped = [*local.stopped, *coordinator.given_up]
        if stopped and not done.is_complete:
            raise ResultsError(
                stopped[0], hint=f"bench_runner.py sweep --resume {sweep.sweep_id} continues the sweep"
            )
        return done


def _finished(folder: SweepFolder, *, warn: Callable[[str], None]) -> SweepOutcome:
    """The sweep's outcome so far, in the plan's order."""
    planned = folder.planned(warn=warn)
    runs = {found[1].run_id: found for _, found in reversed(planned) if found is not None}
    return SweepOutcome(
        folder=folder,
        runs=tuple(runs.values())[::-1],
        missing=tuple(run.label for run, found in planned if found is None),
    )


def _text_of(manifest: Manifest) -> ManifestText:
    return ManifestText(
        text=manifest.text, form=manifest.form, name=manifest.name, folder=str(manifest.folder)
    )


def _facts(plan: Plan, *, fingerprints: bool) -> tuple[PlanEntry, ...]:
    return tuple(
        PlanEntry(
            label=run.label,
            benchmark=run.spec.benchmark.name if run.spec else str(run.asked.get("benchmark") or ""),
            model=run.spec.server.model.name if run.spec and run.spec.server.model else "",
            group=run.group,
            fingerprint=run.fingerprint if fingerprints else "",
            shard_of=run.whole.label if run.whole is not None else "",
        )
        for run in plan.entries
    )


def _worker_command(folder: SweepFolder, lanes: int) -> tuple[str, ...]:
    return (sys.executable, "-m", "sweeps.lane_worker", str(folder.path), str(lanes))
