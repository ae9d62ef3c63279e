"""What came of a look at a build: the facts that are printed, and that --json gives."""

from __future__ import annotations

import datetime as dt
import enum
from typing import TYPE_CHECKING

import msgspec

from choosing.watched_runs import watched
from results.compare.comparability import what_differs
from results.stats.sentinel import (
    ASSUMED_FLIPS,
    LOOKS_A_YEAR,
    Alarm,
    ChangedCount,
    Look,
    Slowdown,
    samples_for_drop,
    smallest_drop,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from results.records import RunRecord
    from results.store.run_folder import RunFolder
    from results.watch import Watch

    Run = tuple[RunFolder, RunRecord]

_YEAR = dt.timedelta(days=365)


class State(enum.StrEnum):
    """What today's build is."""

    RECORDED = "recorded"  # the baseline from now on
    UNCHANGED = "unchanged"  # still that of the baseline
    LOOKED = "looked"  # another one, which was judged


class WatchReport(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a look. Shares are from 0 to 1.

    baseline, new: ids of runs. scores: in percent, of the first run of each. lost, won: samples that only the first run
    of the baseline, or only the first new one passed. level: of each test. alarms: what is worse, of what the user
    wants to be alarmed of; changes: the others. undecided: what only a second new run can decide. drop: what the user
    wants to see. flips: share of verdicts that another build flips besides; flips_seen: whether that was observed.
    visible_drop: the smallest drop that so many samples show in four of five cases; needed: number of samples for
    `drop`. looks: of the last year. differences: what else differs between the first runs.
    """

    state: State
    watch_id: str
    benchmark: str
    model: str
    baseline: tuple[str, ...]
    new: tuple[str, ...] = ()
    baseline_build: str = ""
    new_build: str = ""
    scores: tuple[float, float] | None = None
    samples: int
    left_out: int = 0
    lost: int = 0
    won: int = 0
    loss_p: float = 1.0
    level: float
    looks_a_year: int = LOOKS_A_YEAR
    answers: ChangedCount | None = None
    speed: Slowdown | None = None
    alarms: tuple[Alarm, ...] = ()
    changes: tuple[Alarm, ...] = ()
    undecided: tuple[Alarm, ...] = ()
    drop: float
    flips: float
    flips_seen: bool
    visible_drop: float | None = None
    needed: int
    looks: int = 0
    differences: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def make_report(
    state: State,
    watch: Watch,
    baseline: Sequence[Run],
    new: Sequence[Run] = (),
    found: Look | None = None,
    *,
    level: float,
    looks_a_year: int,
    drop: float,
    alarm_on: frozenset[Alarm],
) -> WatchReport:
    """new, found: the runs that were judged, and the verdict. Raises NotComparable, ResultsError."""
    figures = watched(baseline, new)
    samples = len(figures.baseline[0].passed)
    flips, seen = observed_flips(watch)
    judged = {}
    if found is not None:
        one, other = (100 * sum(each.passed) / samples for each in (figures.baseline[0], figures.new[0]))
        judged = {
            "scores": (one, other),
            "lost": found.lost,
            "won": found.won,
            "loss_p": found.loss_p,
            "answers": found.answers,
            "speed": found.speed,
            "alarms": tuple(each for each in found.alarms if each in alarm_on),
            "changes": tuple(each for each in found.alarms if each not in alarm_on),
            "undecided": found.suspicious,
            "differences": tuple(map(str, what_differs(baseline[0][1], new[0][1]))),
        }
    return WatchReport(
        state=state,
        watch_id=watch.watch_id,
        benchmark=baseline[0][1].benchmark,
        model=baseline[0][1].model,
        baseline=tuple(folder.run_id for folder, _ in baseline),
        new=tuple(folder.run_id for folder, _ in new),
        baseline_build=build_text(baseline[0][1]),
        new_build=build_text(new[0][1]) if new else "",
        samples=samples,
        left_out=figures.left_out,
        level=level,
        looks_a_year=looks_a_year,
        drop=drop,
        flips=flips,
        flips_seen=seen,
        visible_drop=smallest_drop(samples, flips, level),
        needed=samples_for_drop(drop, flips, level),
        looks=looks_of_last_year(watch),
        notes=figures.notes,
        **judged,  # type: ignore[arg-type]
    )


def observed_flips(watch: Watch) -> tuple[float, bool]:
    """The share of verdicts that another build flips, and whether it was seen. Looks with an alarm don't count."""
    quiet = [past for past in watch.looks if not past.alarms]
    samples = sum(past.samples for past in quiet)
    if not samples:
        return ASSUMED_FLIPS, False
    return (sum(past.flipped for past in quiet) + 1) / (samples + 2), True


def looks_of_last_year(watch: Watch) -> int:
    """How many looks there were in the 365 days up to the last one, with that one."""
    times = [dt.datetime.fromisoformat(past.timestamp) for past in watch.looks]
    return sum(max(times) - time < _YEAR for time in times)


def build_text(record: RunRecord) -> str:
    """What the server said of its build, and which program it is."""
    server = record.server
    if server is None:
        return ""
    told = str(server.effective.get("build") or "")
    return " ".join(filter(None, (told, server.command[0] if server.command else server.url)))
