"""Whether today's build, driver or model file is as good as the baseline's: one look at a small part of a benchmark.

Finished runs are reused, and what a look decided is on disk before anything else is asked for. So the same command,
given again after a kill, comes to the same end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec

from choosing.stored_runs import CHOICE, StoredRuns, model_place, same_samples
from choosing.watch_report import State, WatchReport, build_text, make_report
from choosing.watched_runs import watched
from results.errors import (
    BenchError,
    ResultsError,
    ScriptError,
    ServerError,
    ServerExited,
    ServerNotOurs,
    ServerNotReady,
    ServerOutOfMemory,
    UsageError,
)
from results.stats.sentinel import ASSUMED_FLIPS, Alarm, Look, level_per_test, look, samples_for_drop
from results.store.run_folder import RunFolder
from results.store.watch_folder import WatchFolder
from results.watch import PastLook, Watch
from runner.fingerprint import determining, digest
from runner.request import build_spec
from settings.table import TABLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from choosing.asked_runs import RunSource
    from results.records import RunRecord
    from runner.spec import RunSpec
    from settings.asked import Asked

    Run = tuple[RunFolder, RunRecord]

_OF_SERVER = {
    ServerError.kind,
    ServerExited.kind,
    ServerOutOfMemory.kind,
    ServerNotReady.kind,
    ServerNotOurs.kind,
}
SHUFFLE = 0  # of the part of a benchmark that we choose, so that it is not all of one kind


@dataclass(frozen=True, kw_only=True)
class WatchRequest:
    """asked: the settings of a run. baseline: the name of a run. drop, min_slowdown: shares from 0 to 1. alarm_on:
    which changes are an alarm; others are only reported. accept: today's build becomes the baseline.
    """

    asked: Asked
    baseline: str | None = None
    drop: float
    looks_a_year: int
    min_slowdown: float
    alarm_on: frozenset[Alarm] = frozenset(Alarm)
    accept: bool = False

    @property
    def level(self) -> float:
        """Of each test."""
        return level_per_test(self.looks_a_year)


class BuildWatch:
    """One watch: a model with its settings, whatever the build. Raises UsageError if they can't be watched."""

    def __init__(self, request: WatchRequest, source: RunSource) -> None:
        self.source = source
        self.spec = watchable(request.asked)
        if self.spec.server.model is not None and request.asked["model"] is None:
            request = replace(request, asked=request.asked.but(model="demo"))  # which is said once
        self.request = request
        self.folder = WatchFolder.of(source.results_dir, _watch_id(self.spec))
        self.stored = StoredRuns(results_dir=source.results_dir, spec=self.spec, warn=source.display.say)

    def look(self) -> WatchReport:
        """Look at today's build. Raises NotComparable, ResultsError, Interrupted, and what a run failed with."""
        if self.request.baseline is not None:
            self.named_baseline(self.request.baseline)  # a mistake ends here, before anything is written
        with self.folder.claim():
            watch = self.folder.read()
            baseline = self._baseline(watch)
            asked = self.with_samples(watch, baseline)
            today = self.runs(asked, copies=1 if baseline else 2)
            known = {folder.run_id for folder, _ in baseline}
            if watch is None or self.request.baseline is not None:
                # Only the server's word says that its companion is of that build, and today's may say the same.
                known = {folder.run_id for folder, _ in baseline[:1]}
                today_id = today[0][0].run_id
                baseline = [run for run in baseline if run[0].run_id in known or run[0].run_id != today_id]
            if baseline and today[0][0].run_id not in known:
                return self._judged(self._kept(watch, asked, baseline), asked, baseline, today)
            if not baseline:
                baseline = today
            elif len(baseline) < 2:
                baseline = self.runs(asked, copies=2)
            kept = self._kept(watch, asked, baseline)
            self.folder.write(kept)
            unchanged = watch is not None and watch.baseline == kept.baseline
            return self._report(State.UNCHANGED if unchanged else State.RECORDED, kept, baseline)

    def runs(self, asked: Asked, *, copies: int) -> list[Run]:
        """So many runs with these settings. Raises what a run failed with."""
        (found,) = self.source.ask([asked], copies=copies)
        if found.error:
            raise UsageError(found.error, hint="see `bench_runner.py run --help`")
        if found.failed is not None:
            raise failure_of(found.failed)
        return list(found.runs)

    def _baseline(self, watch: Watch | None) -> list[Run]:
        """The runs of the baseline that there are; [] if today's build becomes it."""
        if self.request.accept:
            return []
        if self.request.baseline is not None:
            return self.named_baseline(self.request.baseline)
        if watch is not None:
            return [self._kept_run(run_id) for run_id in watch.baseline]
        fitting = [run for run in self.stored.finished() if self._has_samples(run[1])]
        return self.stored.with_companion(fitting[-1]) if fitting else []

    def named_baseline(self, name: str) -> list[Run]:
        """The run of that name, and another one of the same build if there is one. Raises UsageError, ResultsError."""
        folder = RunFolder.find(self.source.results_dir, name)
        run = (folder, folder.read_record())
        self.stored.require_same(run)
        return self.stored.with_companion(run)

    def _has_samples(self, record: RunRecord) -> bool:
        """Whether a run has the samples that are asked for, or, if none are, enough or all of them."""
        asked = self.request.asked
        if asked["limit"] is not None or asked["shuffle"] is not None:
            return same_samples(record, {name: asked[name] for name in CHOICE})
        samples = record.score.samples if record.score is not None else None
        enough = samples is not None and samples >= self._needed(ASSUMED_FLIPS)
        return enough or record.config.get("limit") is None

    def _kept_run(self, run_id: str) -> Run:
        folder = RunFolder(self.source.results_dir / run_id)
        try:
            return folder, folder.read_record()
        except ResultsError as error:
            raise ResultsError(
                f"the baseline's run {run_id} can't be read: {error.message}",
                hint="--baseline RUN names another one, --accept takes today's build",
            ) from error

    def _still_there(self, earlier: PastLook, today: list[Run]) -> list[Run]:
        """The runs of an earlier look at today's build, at least that of today: the others may have been deleted."""
        found = []
        for run_id in earlier.runs:
            folder = RunFolder(self.source.results_dir / run_id)
            try:
                found.append((folder, folder.read_record()))
            except ResultsError as error:
                self.source.display.say(f"an earlier look's run {run_id} can't be read: {error.message}")
        return found or today

    def with_samples(self, watch: Watch | None, baseline: Sequence[Run]) -> Asked:
        """The settings with the choice of samples: as asked for, as the baseline has them, or as many as it takes.

        Raises UsageError where the baseline has other ones than are asked for.
        """
        asked = self.request.asked
        given = [name for name in CHOICE if asked[name] is not None]
        known: dict[str, Any] | None = None
        if baseline and (watch is None or self.request.baseline is not None):
            known = {name: baseline[0][1].config.get(name) for name in CHOICE}
        elif watch is not None:
            known = {name: watch.settings.get(name) for name in CHOICE}
        if known is not None and not (self.request.accept and given):
            for name in given:
                if asked[name] != known[name]:
                    was = "not set" if known[name] is None else known[name]
                    raise UsageError(
                        f"{TABLE[name].option} {asked[name]}: that of the baseline is {was}",
                        hint="leave it out, or add --accept to begin anew with today's build",
                    )
            return asked.but(**known)
        if asked["limit"] is not None:
            return asked
        needed, there = self._needed(ASSUMED_FLIPS), self.stored.samples_there()
        if there is not None and needed >= there:
            return asked
        return asked.but(limit=needed, shuffle=SHUFFLE if asked["shuffle"] is None else asked["shuffle"])

    def _needed(self, flips: float) -> int:
        return samples_for_drop(self.request.drop, flips, self.request.level)

    def _kept(self, watch: Watch | None, asked: Asked, baseline: Sequence[Run]) -> Watch:
        return Watch(
            watch_id=self.folder.watch_id,
            settings=asked.written(),
            baseline=tuple(folder.run_id for folder, _ in baseline),
            looks=watch.looks if watch is not None else (),
        )

    def _judged(self, watch: Watch, asked: Asked, baseline: list[Run], today: list[Run]) -> WatchReport:
        """Judge today's build, with a second run if the first one is suspicious."""
        earlier = next((past for past in watch.looks if today[0][0].run_id in past.runs), None)
        new = today
        if earlier is not None:  # it was looked at before: the same runs give the same answer
            new = self._still_there(earlier, today)
        found, watch = self._look(watch, baseline, new)
        wanted = self.request.alarm_on
        if len(new) == 1 and wanted & set(found.suspicious) and not wanted & set(found.alarms):
            self.source.display.say(
                f"the {' and the '.join(found.suspicious)} of this run may be worse: a second run decides"
            )
            again = [run for run in self.runs(asked, copies=2) if run[0].run_id != new[0][0].run_id]
            found, watch = self._look(watch, baseline, [*new, *again[:1]])
            new = [*new, *again[:1]]
        return self._report(State.LOOKED, watch, baseline, new, found)

    def _report(
        self,
        state: State,
        watch: Watch,
        baseline: Sequence[Run],
        new: Sequence[Run] = (),
        found: Look | None = None,
    ) -> WatchReport:
        return make_report(
            state,
            watch,
            baseline,
            new,
            found,
            level=self.request.level,
            looks_a_year=self.request.looks_a_year,
            drop=self.request.drop,
            alarm_on=self.request.alarm_on,
        )

    def _look(self, watch: Watch, baseline: Sequence[Run], new: Sequence[Run]) -> tuple[Look, Watch]:
        """Judge, and keep on disk what was looked at."""
        figures = watched(baseline, new)
        found = look(
            figures.baseline, figures.new, level=self.request.level, min_slowdown=self.request.min_slowdown
        )
        ids = tuple(folder.run_id for folder, _ in new)
        kept = PastLook(
            timestamp=new[0][1].timestamp,
            runs=ids,
            build=build_text(new[0][1]),
            alarms=tuple(found.alarms),
            flipped=found.lost + found.won,
            samples=found.samples,
        )
        others = tuple(past for past in watch.looks if not set(past.runs) & set(ids))
        watch = msgspec.structs.replace(watch, looks=(*others, kept))
        self.folder.write(watch)
        return found, watch


def failure_of(record: RunRecord) -> BenchError:
    """Why a run failed, as an error."""
    error = record.error
    if error is None:
        return ScriptError(f"the run {record.run_id} is {record.status}", hint="give the same command again")
    return (ServerError if error.kind in _OF_SERVER else ScriptError)(
        f"the run {record.run_id} failed: {error.message}",
        hint=error.hint or f"see `show {record.run_id}`",
        log_tail=error.log_tail,
    )


def watchable(asked: Asked) -> RunSpec:
    """The run that is watched. Raises UsageError if a look could say nothing about it."""
    spec = build_spec(asked)
    if spec.external_script is not None or spec.parser != "summary":
        raise UsageError(
            f"{spec.benchmark.name} has no verdict for each sample",
            hint="watch a benchmark such as human_eval or gsm8k",
        )
    if (asked["n_samples"] or 1) != 1 or asked["as_published"]:
        raise UsageError(
            "a watch has one completion per sample", hint="leave out --n-samples and --as-published"
        )
    return spec


def _watch_id(spec: RunSpec) -> str:
    """The same whatever the build, the content of the model's file, and the choice of samples."""
    model = spec.server.model
    facts = determining(spec, model=model_place(spec))
    for name in (*CHOICE, "server_binary"):
        facts.pop(name, None)
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", model.name if model is not None else "server").strip("-.")[:48]
    return f"{spec.benchmark.name}-{name or 'model'}-{digest(facts)[:8]}"
