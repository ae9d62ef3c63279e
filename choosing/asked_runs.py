"""Ask a sweep for runs, and get those that are finished already without running them again."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from engines.lane import is_done
from results.errors import Interrupted, ResultsError, UsageError
from results.json_text import encode_indented
from results.records import RunStatus
from results.store.sweep_folder import all_sweeps
from runner.reuse import FinishedRuns
from sweeps.manifest.reader import parse_manifest
from sweeps.plan import plan_runs
from sweeps.preflight.checks import preflight
from sweeps.preflight.report import print_findings
from sweeps.reuse import Reused, fits_its_family, note_styles, reused_text
from sweeps.sweep import begin, work

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from engines.planned_run import PlannedRun
    from results.records import RunRecord
    from results.store.run_folder import RunFolder
    from results.store.sweep_folder import SweepFolder
    from runner.display import Display
    from settings.asked import Asked
    from sweeps.manifest.reader import Manifest
    from sweeps.plan import Plan

    Run = tuple[RunFolder, RunRecord]


@dataclass(frozen=True, kw_only=True)
class AskedRuns:
    """What came of the settings that were asked for. runs: those that succeeded, as many as asked for unless one
    failed; those that were there come first. failed: the record of the one that failed. error: why none could start.
    """

    runs: tuple[Run, ...]
    failed: RunRecord | None = None
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class RunSource:
    """Where runs come from. name: begins the ids of the sweeps, such as `certify`. held: see `Interruptions.held`.

    Runs that were given once are given again: also those on a server that was already running, which no later source
    can know to be the same.
    """

    name: str
    results_dir: Path
    display: Display
    held: Callable[[], AbstractContextManager[None]]
    _had: dict[str, list[Run]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def ask(
        self, wanted: Sequence[Asked], *, copies: int = 1, one_at_a_time: bool = False
    ) -> tuple[AskedRuns, ...]:
        """So many runs for each of the wanted settings, in that order.

        Finished runs of this machine and program are not repeated, even if they lost a few answers. What is missing
        comes from sweeps, and one that was interrupted goes on, unless the machine or a program has changed since:
        after a kill, asking again comes to the same end. Copies are never of one sweep, so that each has a server of
        its own. Models of one family are asked in one style. Settings that come to the same run, such as two files with
        the same content, share it. one_at_a_time: not on several cards at once, because speeds are compared.

        Raises UsageError before anything starts if settings are impossible; Interrupted, ResultsError.
        """
        planned = [plan_runs(self._manifest([each])).runs[0] for each in wanted]
        finished = FinishedRuns(self.results_dir, warn=self.display.say, lossy=True)
        there = {
            each.fingerprint: found
            for each, found in zip(planned, self._finished(finished, planned, copies), strict=True)
        }
        for each in planned:
            given = [record.run_id for _, record in self._had.get(each.fingerprint, ())]
            for reused in there[each.fingerprint]:
                if reused.record.run_id not in given:
                    self.display.say(f"reused: {reused_text(each.label, reused.record)}")
        runs: dict[str, list[Run]] = {
            name: [(reused.folder, reused.record) for reused in found] for name, found in there.items()
        }
        failed: dict[str, RunRecord] = {}
        known = [reused for found in there.values() for reused in found]
        for number in range(copies):
            missing = {
                each.fingerprint: asked
                for asked, each in zip(wanted, planned, strict=True)
                if each.spec is not None
                and each.fingerprint not in failed
                and len(runs[each.fingerprint]) <= number
            }
            if not missing:
                continue
            made = self._sweep(list(missing.values()), known, finished, one_at_a_time=one_at_a_time)
            for name in missing:  # the sweep may also have runs of a file that has changed since
                if made[name][1].status is RunStatus.SUCCEEDED:
                    runs[name].append(made[name])
                else:
                    failed[name] = made[name][1]
        for name, found in runs.items():
            if len(found) >= len(self._had.get(name, ())):
                self._had[name] = found
        return tuple(
            AskedRuns(
                runs=tuple(runs[each.fingerprint]),
                failed=failed.get(each.fingerprint),
                error=each.error.message if each.error else "",
            )
            for each in planned
        )

    def _finished(
        self, finished: FinishedRuns, planned: Sequence[PlannedRun], copies: int
    ) -> list[list[Reused]]:
        """The newest of each, oldest first."""
        styles: dict[str, str] = {}
        found = []
        for each in planned:
            runs: list[Reused] = []
            for there in self._there(finished, each):
                if len(runs) < copies and fits_its_family(reused := Reused(each, *there), styles):
                    runs.insert(0, reused)
            found.append(runs)
        return found

    def _there(self, finished: FinishedRuns, planned: PlannedRun) -> Iterator[Run]:
        """Those that were given before, then others, newest first."""
        spec = planned.spec
        if spec is None:
            return
        given = [
            run
            for run in reversed(self._had.get(planned.fingerprint, []))
            if spec.server.is_running or finished.is_current(run[1], spec)
        ]
        yield from given
        for run in finished.each(spec, lambda: planned.fingerprint):
            if all(run[1].run_id != record.run_id for _, record in given):
                yield run

    def _manifest(self, wanted: Sequence[Asked]) -> Manifest:
        text = encode_indented({"runs": [each.written() for each in wanted]}).decode()
        return parse_manifest(text, form="json", name=self.name, folder=Path.cwd())

    def _sweep(
        self, wanted: Sequence[Asked], known: Sequence[Reused], finished: FinishedRuns, *, one_at_a_time: bool
    ) -> dict[str, Run]:
        """The runs of a sweep, by fingerprint. known: runs of the same families."""
        manifest = self._manifest(wanted)
        plan = plan_runs(manifest)
        unfinished = self._unfinished(manifest, plan, known, finished)
        if unfinished is not None:
            folder, manifest, plan = unfinished
        else:
            print_findings(preflight(plan, results_dir=self.results_dir))
            folder = begin(manifest, plan, results_dir=self.results_dir, fresh=True)
            note_styles(folder, known)
        try:
            work(
                folder,
                manifest,
                plan,
                display=self.display,
                held=self.held,
                max_concurrent=1 if one_at_a_time else None,
            )
        except Interrupted as error:
            error.hint = "the same command goes on where it stopped"
            raise
        return folder.runs(warn=self.display.say)

    def _unfinished(
        self, manifest: Manifest, plan: Plan, known: Sequence[Reused], finished: FinishedRuns
    ) -> tuple[SweepFolder, Manifest, Plan] | None:
        """The newest sweep that has all these runs, with its manifest and plan: if it was interrupted, these are what
        is left to do in it, and what it has of them is of today's program and machine.
        """
        for folder in reversed(all_sweeps(self.results_dir)):
            try:
                kept = folder.read().manifest
            except ResultsError:
                continue
            of_this_name = (kept.name, kept.form, kept.folder) == (
                manifest.name,
                "json",
                str(manifest.folder),
            )
            if not of_this_name or not _has_all(kept.text, manifest.text):
                continue
            runs = [found for _, found in folder.planned(warn=self.display.say)]
            if folder.worker_pid() is not None or all(is_done(run, retry_requested=False) for run in runs):
                return None
            there = folder.runs(warn=self.display.say)
            wanted = {each.fingerprint: each.spec for each in plan.runs if each.spec is not None}
            given = {each.record.run_id for each in known}
            for name, spec in wanted.items():
                if name in there:
                    record = there[name][1]
                    if record.run_id in given or not finished.is_current(record, spec):
                        return None
            if kept.text == manifest.text:
                return folder, manifest, plan
            try:
                manifest = parse_manifest(kept.text, form="json", name=self.name, folder=Path.cwd())
                plan = plan_runs(manifest)
            except UsageError:  # such as a model that is gone by now
                return None
            others = [each.fingerprint for each in plan.runs if each.fingerprint not in wanted]
            left = [name for name in others if not is_done(there.get(name), retry_requested=False)]
            return None if left else (folder, manifest, plan)
        return None


def _has_all(kept: str, wanted: str) -> bool:
    """Whether one manifest of ours has all the runs of another one."""
    try:
        there = json.loads(kept)["runs"]
    except (ValueError, KeyError, TypeError):
        return False
    return all(run in there for run in json.loads(wanted)["runs"])
