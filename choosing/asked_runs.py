"""Ask a sweep for runs, and get those that are finished already without running them again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engines.lane import is_done
from results.errors import Interrupted, ResultsError
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
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from engines.planned_run import PlannedRun
    from results.records import RunRecord
    from results.store.run_folder import RunFolder
    from results.store.sweep_folder import SweepFolder
    from runner.display import Display
    from settings.asked import Asked
    from sweeps.manifest.reader import Manifest

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
    """Where runs come from. name: begins the ids of the sweeps, such as `certify`. held: see `Interruptions.held`."""

    name: str
    results_dir: Path
    display: Display
    held: Callable[[], AbstractContextManager[None]]

    def ask(self, wanted: Sequence[Asked], *, copies: int = 1) -> tuple[AskedRuns, ...]:
        """So many runs for each of the wanted settings, in that order.

        Finished runs of this machine and program are not repeated. What is missing comes from sweeps, and one that was
        interrupted goes on: after a kill, asking again comes to the same end. Copies are never of one sweep, so that
        each has a server of its own. Models of one family are asked in one style. Settings that come to the same run,
        such as two files with the same content, share it.

        Raises UsageError before anything starts if settings are impossible; Interrupted, ResultsError.
        """
        planned = [plan_runs(self._manifest([each])).runs[0] for each in wanted]
        there = {
            each.fingerprint: found
            for each, found in zip(planned, self._finished(planned, copies), strict=True)
        }
        for each in planned:
            for reused in there[each.fingerprint]:
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
            for name, run in self._sweep(list(missing.values()), known).items() if missing else ():
                if run[1].status is RunStatus.SUCCEEDED:
                    runs[name].append(run)
                else:
                    failed[name] = run[1]
        return tuple(
            AskedRuns(
                runs=tuple(runs[each.fingerprint]),
                failed=failed.get(each.fingerprint),
                error=each.error.message if each.error else "",
            )
            for each in planned
        )

    def _finished(self, planned: Sequence[PlannedRun], copies: int) -> list[list[Reused]]:
        """The newest of each, oldest first."""
        finished = FinishedRuns(self.results_dir, warn=self.display.say)
        styles: dict[str, str] = {}
        found = []
        for each in planned:
            runs: list[Reused] = []
            candidates = finished.each(each.spec, lambda each=each: each.fingerprint) if each.spec else ()  # type: ignore[misc]
            for there in candidates:
                if len(runs) < copies and fits_its_family(reused := Reused(each, *there), styles):
                    runs.insert(0, reused)
            found.append(runs)
        return found

    def _manifest(self, wanted: Sequence[Asked]) -> Manifest:
        text = encode_indented({"runs": [each.written() for each in wanted]}).decode()
        return parse_manifest(text, form="json", name=self.name, folder=Path.cwd())

    def _sweep(self, wanted: Sequence[Asked], known: Sequence[Reused]) -> dict[str, Run]:
        """The runs of a sweep, by fingerprint. known: runs of the same families."""
        manifest = self._manifest(wanted)
        plan = plan_runs(manifest)
        folder = self._unfinished(manifest)
        if folder is None:
            print_findings(preflight(plan, results_dir=self.results_dir))
            folder = begin(manifest, plan, results_dir=self.results_dir, fresh=True)
            note_styles(folder, known)
        try:
            work(folder, manifest, plan, display=self.display, held=self.held)
        except Interrupted as error:
            error.hint = "the same command goes on where it stopped"
            raise
        return folder.runs(warn=self.display.say)

    def _unfinished(self, manifest: Manifest) -> SweepFolder | None:
        """The newest sweep with this manifest, if it was interrupted."""
        for folder in reversed(all_sweeps(self.results_dir)):
            try:
                kept = folder.read().manifest
            except ResultsError:
                continue
            if (kept.name, kept.text, kept.folder) == (manifest.name, manifest.text, str(manifest.folder)):
                runs = [found for _, found in folder.planned(warn=self.display.say)]
                idle = folder.worker_pid() is None
                return (
                    folder if idle and not all(is_done(run, retry_requested=False) for run in runs) else None
                )
        return None
