"""A look at a build that was looked at before: by the same runs, and by those that are left if some were deleted."""

from __future__ import annotations

import shutil
import sys

import pytest

from choosing.asked_runs import RunSource
from choosing.watch_build import BuildWatch, WatchRequest
from commands.setting_options import asked_by_options
from processes.signals import Interruptions
from results.watch import PastLook, Watch
from runner.display import Lines
from tests.choosing.reusable_runs import reusable_run
from tests.results.recorded_runs import F, P
from tests.sweep_runs import models, own_devices

pytestmark = pytest.mark.usefixtures("own_devices")
__all__ = ["own_devices"]


@pytest.fixture
def watched(tmp_path):
    """A watch whose server would fail if it were started."""
    (model,) = models(tmp_path / "m", "a")
    command = f"{sys.executable} -c exit(3) {{port}}"
    asked = asked_by_options({"benchmark": "human_eval", "model": str(model), "server_command": command})
    request = WatchRequest(asked=asked, drop=0.1, looks_a_year=365, min_slowdown=0.05)
    source = RunSource(
        name="watch-build", results_dir=tmp_path / "r", display=Lines(), held=Interruptions().held
    )
    return BuildWatch(request, source)


def looked_before(watched, *outcomes):
    """Record a baseline, and a look at today's build with a run of each of these outcomes."""
    asked, results = watched.request.asked, watched.source.results_dir
    baseline = [reusable_run(results, asked, [P] * 40, before_its_build=True) for _ in range(2)]
    looked_at = [reusable_run(results, asked, each) for each in outcomes]
    with watched.folder.claim():
        watched.folder.write(
            Watch(
                watch_id=watched.folder.watch_id,
                settings=asked.written(),
                baseline=tuple(folder.run_id for folder in baseline),
                looks=(
                    PastLook(
                        timestamp="2026-11-25T00:00:00+00:00",
                        runs=tuple(folder.run_id for folder in looked_at),
                    ),
                ),
            )
        )
    return looked_at


def test_a_deleted_run_of_an_earlier_look_does_not_end_each_later_look(watched, capfd):
    first, second = looked_before(watched, [P] * 40, [F] * 40)
    shutil.rmtree(first.path)
    report = watched.look()
    assert report.new == (second.run_id,), "nothing was run again"
    assert report.alarms == ("score",)
    assert first.run_id in capfd.readouterr().err
    assert [past.runs for past in watched.folder.read().looks] == [(second.run_id,)], "it is one look"
    assert watched.look().alarms == report.alarms


def test_the_runs_of_an_earlier_look_are_judged_again_in_their_order(watched):
    first, second = looked_before(watched, [F] * 40, [P] * 40)
    report = watched.look()
    assert report.new == (first.run_id, second.run_id)
    assert report.alarms == ("score",)
