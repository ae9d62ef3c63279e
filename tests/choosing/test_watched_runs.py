"""What a look takes from runs: the same samples of each, and only speeds that may be compared."""

from __future__ import annotations

import msgspec
import pytest

from choosing.watch_report import State, looks_of_last_year, make_report, observed_flips
from choosing.watch_text import print_report
from choosing.watched_runs import watched
from results.errors import NotComparable, ResultsError
from results.records import Incident
from results.stats.sentinel import ASSUMED_FLIPS, Alarm, level_per_test, look
from results.store.watch_folder import WatchFolder, all_watches
from results.telemetry import TelemetrySummary
from results.watch import PastLook, Watch
from tests.results.recorded_runs import F, P, X, record_run

LEVEL = level_per_test()


def run(results, outcomes, **facts):
    folder = record_run(results, outcomes, **facts)
    return folder, folder.read_record()


def test_samples_that_a_run_lost_or_does_not_have_count_for_none(tmp_path):
    baseline = run(tmp_path, [P] * 100)
    found = watched([baseline], [run(tmp_path, [X, F, *[P] * 90])])
    assert (len(found.baseline[0].passed), found.left_out) == (91, 9)
    assert sum(found.new[0].passed) == 90


@pytest.mark.parametrize(
    ("outcomes", "facts", "words"),
    [
        ([X] * 3 + [P] * 17, {}, "lost 3 of 20"),
        ([[P, F]] * 20, {}, "several completions"),
        ([P] * 20, {"settings": {"temperature": 0.7}}, "temperature"),
    ],
)
def test_runs_that_cannot_be_compared_are_neither_good_nor_bad(tmp_path, outcomes, facts, words):
    with pytest.raises(NotComparable, match=words) as error:
        watched([run(tmp_path, [P] * 20)], [run(tmp_path, outcomes, **facts)])
    assert error.value.hint


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"telemetry": TelemetrySummary(not_comparable=("the card was hot",))}, "the card was hot"),
        ({"incidents": (Incident(time="", what="died"),)}, "restarted"),
        ({"host": {"hostname": "other"}}, "another machine"),
        ({"host": {"gpus": [{"name": "Other"}]}}, "another machine or card"),
    ],
)
def test_a_disturbed_or_foreign_speed_gives_no_alarm(tmp_path, facts, words):
    """The slow run itself would alarm."""
    fast = [run(tmp_path, [P]), run(tmp_path, [P])]
    slow = [msgspec.structs.replace(fast[0][1].score, generate_s=20.0)] * 2
    disturbed = watched(fast, [run(tmp_path, [P], score=each, **facts) for each in slow])
    assert look(disturbed.baseline, disturbed.new, level=LEVEL).alarms == ()
    assert words in disturbed.notes[0]
    quiet = watched(fast, [run(tmp_path, [P], score=each) for each in slow])
    assert look(quiet.baseline, quiet.new, level=LEVEL).alarms == (Alarm.SPEED,)


def test_a_driver_is_what_is_watched_and_not_another_card(tmp_path):
    cards = [{"gpus": [{"name": "Card", "driver": driver}]} for driver in ("570", "580")]
    runs = [run(tmp_path, [P], host=host) for host in cards]
    assert watched(runs[:1], runs[1:]).notes == ()


def report(tmp_path, baseline, new, **facts):
    runs = [[run(tmp_path, outcomes) for outcomes in side] for side in (baseline, new)]
    figures = watched(*runs)
    found = look(figures.baseline, figures.new, level=LEVEL)
    watch = Watch(watch_id="w", settings={}, baseline=())
    options = {"level": LEVEL, "looks_a_year": 365, "drop": 0.1, "alarm_on": frozenset(Alarm), **facts}
    return make_report(State.LOOKED, watch, *runs, found, **options)


def test_a_report_says_what_is_worse_and_what_could_not_be_seen(tmp_path, capsys):
    found = report(tmp_path, [[P] * 100], [[F] * 30 + [P] * 70])
    assert (found.scores, found.lost, found.alarms) == ((100.0, 70.0), 30, (Alarm.SCORE,))
    print_report(found)
    shown = capsys.readouterr().out
    assert "ALARM" in shown
    assert "single run" in shown
    assert "10 points take 323 samples" in shown
    assert "assumed" in shown
    assert "at most 5 % in a year of 365 looks" in shown


def test_a_change_that_nobody_wants_to_be_alarmed_of_is_still_told(tmp_path, capsys):
    found = report(tmp_path, [[P] * 100], [[F] * 30 + [P] * 70], alarm_on=frozenset({Alarm.SPEED}))
    assert (found.alarms, found.changes) == ((), (Alarm.SCORE,))
    print_report(found)
    assert "no alarm was asked for" in capsys.readouterr().out


def test_flips_and_looks_are_counted_from_what_was_seen():
    def past(day, **facts):
        return PastLook(timestamp=f"{day}T00:00:00+00:00", runs=(day,), **facts)

    none = Watch(watch_id="w", settings={}, baseline=())
    assert observed_flips(none) == (ASSUMED_FLIPS, False)
    looks = (past("2025-01-01"), past("2026-01-02", flipped=8, samples=98), past("2026-12-31"))
    some = msgspec.structs.replace(none, looks=looks)
    assert observed_flips(some) == (0.09, True)
    assert looks_of_last_year(some) == 2
    loud = msgspec.structs.replace(
        none, looks=(past("2026-01-02", flipped=50, samples=98, alarms=("score",)),)
    )
    assert observed_flips(loud) == (ASSUMED_FLIPS, False)


def test_a_watch_is_on_disk_whole_and_has_one_process(tmp_path):
    folder = WatchFolder.of(tmp_path, "human_eval-x-1234")
    assert folder.read() is None
    watch = Watch(watch_id=folder.watch_id, settings={"limit": 3}, baseline=("a", "b"))
    with folder.claim():
        folder.write(watch)
        with pytest.raises(ResultsError, match="another process"), folder.claim():
            pass
    assert folder.read() == watch
    assert all_watches(tmp_path) == (watch,)
    (folder.path / "watch.json").write_text('{"schema_version": 99}')
    with pytest.raises(ResultsError, match="newer"):
        folder.read()
    assert all_watches(tmp_path) == ()
