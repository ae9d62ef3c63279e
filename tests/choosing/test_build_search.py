"""A search for the first bad build, over builds with finished runs: what is run besides, and what is skipped."""

from __future__ import annotations

import pytest

from choosing.asked_runs import RunSource
from choosing.build_search import BuildSearch
from choosing.builds import Build, BuildOrder
from choosing.watch_build import BuildWatch, WatchRequest
from commands.setting_options import asked_by_options
from processes.signals import Interruptions
from results.records import Results, Score
from results.stats.sentinel import Alarm
from results.store.run_folder import all_records
from runner.display import Lines
from tests.choosing.reusable_runs import reusable_run
from tests.results.recorded_runs import F, P
from tests.sweep_runs import models, own_devices

pytestmark = pytest.mark.usefixtures("own_devices")
__all__ = ["own_devices"]

GOOD, BAD = [P] * 40, [F] * 40


class Builds:
    """Programs that print their help, and fail if they are started."""

    def __init__(self, folder, count, **given):
        self.results = folder / "r"
        (model,) = models(folder / "m", "a")
        self.asked = asked_by_options(
            {"benchmark": "human_eval", "model": str(model), "limit": "40", "shuffle": "0", **given}
        )
        self.paths = [folder / f"b{number}" for number in range(count)]
        for path in self.paths:
            self.write(path, "--spec-type")

    @staticmethod
    def write(path, options):
        path.write_text(f'#!/bin/sh\n[ "$1" = --help ] && {{ echo "{options}"; exit 0; }}\nexit 3\n')
        path.chmod(0o700)

    def record(self, position, outcomes, **facts):
        asked = self.asked.but(server_binary=str(self.paths[position]))
        return reusable_run(self.results, asked, outcomes, **facts)

    def search(self, **request):
        options = {"drop": 0.1, "looks_a_year": 365, "min_slowdown": 0.05, **request}
        source = RunSource(
            name="watch-build", results_dir=self.results, display=Lines(), held=Interruptions().held
        )
        watch = BuildWatch(WatchRequest(asked=self.asked, **options), source)
        builds = tuple(Build(path=path, version="") for path in self.paths)
        return BuildSearch(watch, BuildOrder(builds=builds, by="their paths")).search()

    @property
    def runs(self):
        return len(all_records(self.results, warn=pytest.fail))


def test_a_build_that_does_not_know_an_option_is_skipped(tmp_path):
    builds = Builds(tmp_path, 3, spec_type="ngram-simple")
    for outcomes in (GOOD, GOOD):
        builds.record(0, outcomes)
    builds.record(2, BAD)
    builds.write(builds.paths[1], "--draft-max")
    found = builds.search()
    assert (found.last_good, found.first_bad, found.between) == (0, 2, (1,))
    assert "--spec-type" in found.builds[1].why


def slow():
    """Half as fast as other recorded runs."""
    return {
        "score": Score(score=100.0, samples=40, completions=40, completion_tokens=1000, generate_s=20.0),
        "results": Results(score=100.0, time_taken=20.0),
    }


def test_nothing_is_run_of_a_build_that_the_search_does_not_need(tmp_path):
    """A suspicious finished run of it would take a second run to decide."""
    builds = Builds(tmp_path, 5)
    for position in (0, 0, 2, 3):
        builds.record(position, GOOD)
    builds.record(1, GOOD, **slow())
    builds.record(4, GOOD, **slow())
    builds.record(4, GOOD, **slow())
    before = builds.runs
    found = builds.search(alarm_on=frozenset({Alarm.SPEED}))
    assert (found.last_good, found.first_bad) == (3, 4)
    assert (found.builds[1].verdict, builds.runs) == (None, before)


def test_finished_runs_of_a_build_are_judged_in_the_order_in_which_they_were_made(tmp_path):
    """The first one decides the score, also when a search that was interrupted goes on."""
    builds = Builds(tmp_path, 2)
    for position, outcomes in ((0, GOOD), (0, GOOD), (1, BAD), (1, GOOD)):
        builds.record(position, outcomes)
    found = builds.search()
    assert (found.first_bad, found.alarms) == (1, (Alarm.SCORE,))
