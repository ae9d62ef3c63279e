"""Which of several builds was the first that is worse than the baseline."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import msgspec

from choosing.bisection import Verdict, bisect
from choosing.watched_runs import watched
from results.errors import BenchError, NotComparable, ScriptError, ServerError, UsageError
from results.stats.sentinel import Alarm, Look, look
from runner.fingerprint import fingerprint
from runner.request import build_spec
from runner.reuse import FinishedRuns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from choosing.bisection import Bisection
    from choosing.builds import Build, BuildOrder
    from choosing.watch_build import BuildWatch
    from results.records import RunRecord
    from results.store.run_folder import RunFolder
    from settings.asked import Asked

    Run = tuple[RunFolder, RunRecord]


# UsageError: a build may not know an option that the oldest or the newest one has.
_SKIPPED = (ServerError, ScriptError, NotComparable, UsageError)


class JudgedBuild(msgspec.Struct, frozen=True, kw_only=True):
    """A build and what came of it. verdict: None if it was not needed. runs: ids. lost, won: samples that only the
    baseline, or only this build passed. slower: share, from 0 to 1. why: it couldn't be tested.
    """

    path: str
    version: str
    verdict: Verdict | None = None
    runs: tuple[str, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    lost: int | None = None
    won: int | None = None
    loss_p: float | None = None
    changed_answers: int | None = None
    slower: float | None = None
    why: str = ""


class SearchReport(msgspec.Struct, frozen=True, kw_only=True):
    """builds: oldest first, ordered by `order`. last_good, first_bad: positions among them, from 0; see `Bisection`.
    alarms: what is worse in the first bad build. step: whether that one, judged against the last good one alone, is
    worse at the same level; None if that can't be judged.
    """

    benchmark: str
    model: str
    baseline: tuple[str, ...]
    samples: int
    level: float
    order: str
    builds: tuple[JudgedBuild, ...]
    alarms: tuple[Alarm, ...] = ()
    last_good: int | None = None
    first_bad: int | None = None
    between: tuple[int, ...] = ()
    out_of_order: tuple[int, ...] = ()
    step: bool | None = None


class BuildSearch:
    """watch: what is run. The baseline is the run that it names, else the oldest build."""

    def __init__(self, watch: BuildWatch, order: BuildOrder) -> None:
        self._watch = watch
        self._order = order
        self._tested: dict[int, JudgedBuild] = {}
        self._runs: dict[int, list[Run]] = {}
        self._wanted = watch.request.alarm_on
        self._baseline: list[Run] = []
        self._asked = watch.request.asked
        self._there = FinishedRuns(watch.source.results_dir, warn=lambda _: None, lossy=True)

    def search(self) -> SearchReport:
        """Test as few builds as it takes; finished runs are reused. Raises Interrupted, ResultsError, and what the runs
        of the oldest build failed with.
        """
        with self._watch.folder.claim():
            return self._searched()

    def _searched(self) -> SearchReport:
        count, name = len(self._order.builds), self._watch.request.baseline
        known: dict[int, Verdict] = {}
        if name is not None:
            self._baseline = self._watch.named_baseline(name)
        self._asked = self._watch.with_samples(None, self._baseline)
        if name is None:
            self._baseline = self._watch.runs(self._of(0), copies=2)
            known[0] = Verdict.GOOD
            self._tested[0] = self._facts(0, Verdict.GOOD, self._baseline, None)
            self._runs[0] = self._baseline
        last = self._test(count - 1)
        known[count - 1] = last
        if last is Verdict.BAD:  # what the newest one does worse is what is looked for
            self._wanted = frozenset(self._tested[count - 1].alarms) & self._wanted
        known |= self._known_by_finished_runs()
        found = bisect(count, self._test, known)
        return SearchReport(
            benchmark=self._watch.spec.benchmark.name,
            model=self._baseline[0][1].model,
            baseline=tuple(folder.run_id for folder, _ in self._baseline),
            samples=len(watched(self._baseline, ()).baseline[0].passed),
            level=self._watch.request.level,
            order=self._order.by,
            builds=tuple(self._tested.get(at, _untested(each)) for at, each in enumerate(self._order.builds)),
            alarms=self._tested[found.first_bad].alarms if found.first_bad is not None else (),
            last_good=found.last_good,
            first_bad=found.first_bad,
            between=found.between,
            out_of_order=found.out_of_order,
            step=self._step(found),
        )

    def _of(self, position: int) -> Asked:
        return self._asked.but(server_binary=str(self._order.builds[position].path))

    def _known_by_finished_runs(self) -> dict[int, Verdict]:
        """The builds that finished runs decide, of those that are not tested. Nothing is run for it."""
        found = {}
        for position in range(len(self._order.builds)):
            if position in self._tested or not (runs := self._finished(position)):
                continue
            try:
                judged = self._look(self._baseline, runs)
            except NotComparable:
                continue
            if len(runs) > 1 or not self._is_doubtful(judged):
                found[position] = self._keep(position, runs, judged)
        return found

    def _finished(self, position: int) -> list[Run]:
        """The two newest finished runs of a build, oldest first."""
        try:
            spec = build_spec(self._of(position))
            runs = self._there.each(spec, lambda: fingerprint(spec))
            return list(itertools.islice(runs, 2))[::-1]
        except BenchError:
            return []

    def _is_doubtful(self, found: Look) -> bool:
        """Whether only a second run can decide."""
        return bool(self._wanted & set(found.suspicious)) and not self._wanted & set(found.alarms)

    def _test(self, position: int) -> Verdict:
        """Judge a build, with a second run if the first one is suspicious."""
        if position in self._tested and (verdict := self._tested[position].verdict) is not None:
            return verdict
        self._watch.source.display.say(
            f"build {position + 1} of {len(self._order.builds)}: {self._name(position)}"
        )
        runs: list[Run] = []
        try:
            # If an interrupted search made a second run, both are judged, in the order in which they were made.
            runs = self._watch.runs(self._of(position), copies=max(1, len(self._finished(position))))
            found = self._look(self._baseline, runs)
            if len(runs) < 2 and self._is_doubtful(found):
                both = self._watch.runs(self._of(position), copies=2)
                runs += [run for run in both if run[0].run_id != runs[0][0].run_id][:1]
                found = self._look(self._baseline, runs)
        except _SKIPPED as error:
            self._tested[position] = self._facts(position, Verdict.SKIPPED, runs, None, why=error.message)
            return Verdict.SKIPPED
        return self._keep(position, runs, found)

    def _keep(self, position: int, runs: list[Run], found: Look) -> Verdict:
        verdict = Verdict.BAD if self._wanted & set(found.alarms) else Verdict.GOOD
        self._runs[position] = runs
        self._tested[position] = self._facts(position, verdict, runs, found)
        return verdict

    def _look(self, baseline: Sequence[Run], runs: Sequence[Run]) -> Look:
        request, figures = self._watch.request, watched(baseline, runs)
        return look(figures.baseline, figures.new, level=request.level, min_slowdown=request.min_slowdown)

    def _facts(
        self, position: int, verdict: Verdict, runs: Sequence[Run], found: Look | None, *, why: str = ""
    ) -> JudgedBuild:
        build = self._order.builds[position]
        return JudgedBuild(
            path=str(build.path),
            version=build.version,
            verdict=verdict,
            runs=tuple(folder.run_id for folder, _ in runs),
            alarms=found.alarms if found is not None else (),
            lost=found.lost if found is not None else None,
            won=found.won if found is not None else None,
            loss_p=found.loss_p if found is not None else None,
            changed_answers=found.answers.changed
            if found is not None and found.answers is not None
            else None,
            slower=found.speed.slower if found is not None and found.speed is not None else None,
            why=why,
        )

    def _step(self, found: Bisection) -> bool | None:
        """Whether the last good and the first bad build differ by themselves in what was looked for."""
        if found.last_good is None or found.first_bad is None:
            return None
        both = [self._runs.get(found.last_good), self._runs.get(found.first_bad)]
        if both[0] is None or both[1] is None:
            return None
        result = self._look(both[0], both[1])
        judged = {Alarm.SCORE}
        judged |= {Alarm.ANSWERS} if result.answers is not None and len(both[1]) > 1 else set()
        judged |= {Alarm.SPEED} if result.speed is not None and len(both[1]) > 1 else set()
        if not self._wanted & judged:
            return None
        return bool(self._wanted & set(result.alarms))

    def _name(self, position: int) -> str:
        build = self._order.builds[position]
        return f"{build.version or 'version unknown'}, {build.path}"


def _untested(build: Build) -> JudgedBuild:
    return JudgedBuild(path=str(build.path), version=build.version)
