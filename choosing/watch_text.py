"""What `watch-build` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from choosing.bisection import Verdict
from choosing.watch_report import State
from results.stats.sentinel import YEAR_ERROR, Alarm, fewest_changed
from results.views.terminal import Fact, print_table, say, say_facts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from choosing.build_search import JudgedBuild, SearchReport
    from choosing.watch_report import WatchReport

NAME_WIDTH = 12


def print_report(report: WatchReport) -> None:
    """A look: the runs, what each test says, and what it can't see."""
    say_facts(_facts(report), {"ALARM": "red"}, width=NAME_WIDTH)


def _facts(report: WatchReport) -> Iterator[Fact]:
    yield Fact("watch", f"{report.benchmark}, {report.model}, {_count(report.samples, 'sample')}")
    yield Fact("baseline", _runs(report.baseline, report.baseline_build))
    if report.state is State.LOOKED:
        yield Fact("now", _runs(report.new, report.new_build))
        yield Fact("score", _score(report))
        yield Fact("answers", _answers(report))
        yield Fact("speed", _speed(report))
        first = "what differs"
        for difference in report.differences:
            yield Fact(first, difference)
            first = ""
    if report.left_out:
        yield Fact("left out", f"{_count(report.left_out, 'sample')} that a run lost or doesn't have")
    for note in report.notes:
        yield Fact("note", note)
    if len(report.baseline) < 2:
        yield Fact(
            "note", "the baseline has a single run, so changed answers can't be told from its own noise"
        )
    yield Fact("can see", _can_see(report))
    yield Fact("false alarms", _false_alarms(report))
    if report.changes:
        yield Fact("changed", f"{_named(report.changes)}: real, but no alarm was asked for", "yellow")
    if report.undecided and not report.alarms:
        yield Fact("not decided", f"{_named(report.undecided)}: a second run would decide", "yellow")
    yield _verdict(report)


def _verdict(report: WatchReport) -> Fact:
    if report.state is State.RECORDED:
        return Fact(
            "recorded", "today's build is the baseline; the same command looks at the next one", "green"
        )
    if report.state is State.UNCHANGED:
        return Fact("unchanged", "neither build, driver nor model has changed since the baseline", "green")
    if report.alarms:
        return Fact("ALARM", f"worse than the baseline: {_named(report.alarms)}", "red")
    return Fact("no alarm", "nothing is shown to be worse than the baseline", "green")


def _score(report: WatchReport) -> str:
    was, now = report.scores or (0.0, 0.0)
    flips = f"{report.lost} lost, {report.won} won"
    return f"{was:.1f} and now {now:.1f} of 100; {flips}, p = {p_text(report.loss_p)}"


def _answers(report: WatchReport) -> str:
    found = report.answers
    if found is None:
        return "not judged"
    if report.samples < (fewest := fewest_changed(report.level)):
        return f"not judged: {_count(report.samples, 'sample')} can't show a change, {fewest} might"
    own = f"the baseline's two runs differ on {found.own}"
    build = f"{found.changed} changed with the build"
    return f"{build}, of {found.telling} that tell; {own} of {found.samples}; p = {p_text(found.p_value)}"


def _speed(report: WatchReport) -> str:
    found = report.speed
    if found is None:
        return "not judged"
    direction = "slower" if found.slower > 0 else "faster"
    size = f"{100 * abs(found.slower):.1f} % {direction}"
    visible = f"{100 * found.visible:.0f} % would be seen"
    return f"{size}, p = {p_text(found.p_value)}; with so few runs {visible}"


def _can_see(report: WatchReport) -> str:
    flips = f"if {100 * report.flips:.1f} % of the verdicts flip besides ({'seen' if report.flips_seen else 'assumed'})"
    visible = (
        "no drop of the score at all"
        if report.visible_drop is None
        else f"a drop of {100 * report.visible_drop:.1f} points in four of five cases, {flips}"
    )
    if report.visible_drop is not None and report.visible_drop <= report.drop + 0.001:
        return visible
    return f"{visible}; {100 * report.drop:g} points take {report.needed:,} samples"


def _false_alarms(report: WatchReport) -> str:
    text = f"at most {100 * YEAR_ERROR:g} % in a year of {report.looks_a_year} looks"
    if report.looks > report.looks_a_year:
        return f"{text}; there were {report.looks} in the last year, so more: raise --looks-per-year"
    return f"{text} ({report.looks} so far)"


def print_search(report: SearchReport) -> None:
    """A table of the builds, and which is the first bad one."""
    say_facts(
        [
            Fact("watch", f"{report.benchmark}, {report.model}, {_count(report.samples, 'sample')}"),
            Fact("baseline", ", ".join(report.baseline)),
            Fact("order", f"by {report.order}"),
        ],
        width=NAME_WIDTH,
    )
    print_table(
        ("build", "verdict", "lost", "won", "slower", "run", "path"),
        [_row(build) for build in report.builds],
        numbers=("lost", "won", "slower"),
        styles=[_STYLES.get(build.verdict) for build in report.builds],
        optional=("slower", "run"),
        all_shown_by="--json",
    )
    for build in report.builds:
        if build.why:
            say(f"skipped: {_name(build)}: {build.why}")
    say_facts(_turn(report), {"ALARM": "red"}, width=NAME_WIDTH)


_STYLES = {Verdict.GOOD: "green", Verdict.BAD: "red", Verdict.SKIPPED: "yellow", None: None}


def _turn(report: SearchReport) -> Iterator[Fact]:
    for position in report.out_of_order:
        yield Fact(
            "not in order",
            f"{_name(report.builds[position])} is bad too, and a later one is good: there was an earlier change, "
            "which was undone",
            "yellow",
        )
    if report.first_bad is None:
        newest = report.builds[-1]
        if newest.verdict is Verdict.SKIPPED:
            yield Fact(
                "not decided", "the newest build can't be tested, and none before it is worse", "yellow"
            )
            return
        yield Fact(
            "no alarm", f"{_name(newest)} is not shown to be worse; what is between was not searched", "green"
        )
        return
    bad = report.builds[report.first_bad]
    if report.between:
        names = ", ".join(_name(report.builds[position]) for position in report.between)
        yield Fact("not tested", f"the first bad one may also be {names}", "yellow")
    if report.last_good is None:
        yield Fact("last good", "none: the oldest build is bad already", "yellow")
    else:
        yield Fact("last good", _name(report.builds[report.last_good]))
    if report.step is False:
        yield Fact(
            "in steps",
            "the first bad build is not shown to be worse than the last good one by itself: the loss may have come in "
            "several steps, or the turn lie a little earlier or later",
            "yellow",
        )
    yield Fact("ALARM", f"first bad: {_name(bad)}: {_named(report.alarms)}", "red")


def _row(build: JudgedBuild) -> tuple[str, ...]:
    return (
        build.version or "?",
        str(build.verdict or "not needed"),
        "" if build.lost is None else str(build.lost),
        "" if build.won is None else str(build.won),
        "" if build.slower is None else f"{100 * build.slower:.1f} %",
        ", ".join(build.runs),
        build.path,
    )


def _name(build: JudgedBuild) -> str:
    return f"{build.version or 'version unknown'} ({build.path})"


def _runs(ids: tuple[str, ...], build: str) -> str:
    return ", ".join(ids) + (f"\n{build}" if build else "")


def _named(alarms: tuple[Alarm, ...]) -> str:
    return " and ".join(alarms)


def p_text(value: float) -> str:
    """A p-value that may be far below what tables usually show."""
    return f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
