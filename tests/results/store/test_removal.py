"""A deleted run is gone from everywhere, a running one stays, and kill -9 leaves each run whole or gone."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time

import pytest

from results.errors import ResultsError
from results.store.removal import TRASH, delete_runs, empty_trash
from results.store.run_folder import all_folders
from results.store.run_log import RunLog
from results.store.runs import Runs
from results.views.report.contents import sweep_report
from sweeps.status import print_status
from tests.command_line import ROOT
from tests.results.recorded_runs import begin_sweep, place, record_run

DELETING = """
import sys
from pathlib import Path
from results.store.removal import delete_runs
from results.store.run_folder import all_folders
folder = Path(sys.argv[1])
print("began", flush=True)
for run in all_folders(folder):
    delete_runs(folder, [run], warn=print)
"""


def logged(folder):
    return sorted(
        run["run_id"] for run in json.loads((folder / "benchmark_results.json").read_text())["runs"]
    )


def recorded(folder, number):
    runs = [record_run(folder) for _ in range(number)]
    for run in runs:
        RunLog(folder / "benchmark_results.json", warn=str).append(run.read_record(), replace=True)
    return runs


def test_a_deleted_run_is_gone_from_the_folders_and_the_log(tmp_path):
    first, second, third = recorded(tmp_path, 3)
    freed = delete_runs(tmp_path, [first, third], warn=pytest.fail)
    assert freed > 0
    assert all_folders(tmp_path) == (second,)
    assert logged(tmp_path) == [second.run_id]
    assert [*(tmp_path / TRASH).iterdir()] == []


def test_a_run_in_progress_stays_and_so_do_the_others(tmp_path):
    first, second = recorded(tmp_path, 2)
    with second.claim(), pytest.raises(ResultsError, match="still running, so nothing was deleted"):
        delete_runs(tmp_path, [first, second], warn=pytest.fail)
    assert logged(tmp_path) == [first.run_id, second.run_id]
    assert all_folders(tmp_path) == (first, second)


def test_a_link_to_a_folder_goes_and_the_folder_stays(tmp_path):
    (run,) = recorded(tmp_path / "r", 1)
    run.path.rename(tmp_path / "elsewhere")
    run.path.symlink_to(tmp_path / "elsewhere")
    delete_runs(tmp_path / "r", [run], warn=pytest.fail)
    assert (all_folders(tmp_path / "r"), logged(tmp_path / "r")) == ((), [])
    assert (tmp_path / "elsewhere" / "run.json").exists()


def test_a_sweep_says_that_its_run_is_gone(tmp_path, capsys):
    sweep = begin_sweep(tmp_path, ["kept", "gone", "late"])
    for name in ("kept", "gone"):
        run = record_run(tmp_path, model=name, sweep=place(sweep, name))
    delete_runs(tmp_path, [run], warn=str)
    print_status(sweep, warn=pytest.fail)
    assert [line.split("\t")[:2] for line in capsys.readouterr().out.splitlines()[2:]] == [
        ["kept", "succeeded"], ["gone", "deleted"], ["late", "waiting"],
    ]  # fmt: skip
    report = sweep_report(sweep, warn=pytest.fail)
    assert (report.waiting, [(each.label, each.status) for each in report.failures]) == (
        ("late",), [("gone", "deleted")],
    )  # fmt: skip
    record_run(tmp_path, model="gone", sweep=place(sweep, "gone"))  # it was run again
    assert sweep_report(sweep, warn=pytest.fail).failures == ()


def test_a_run_of_a_running_sweep_stays(tmp_path):
    sweep = begin_sweep(tmp_path, ["a"])
    run = record_run(tmp_path, sweep=place(sweep, "a"))
    with sweep.claim(), pytest.raises(ResultsError, match="belongs to the sweep"):
        delete_runs(tmp_path, [run], warn=pytest.fail)
    assert run.run_json.exists()


def test_what_a_killed_deletion_left_is_finished_by_the_next_run(tmp_path):
    first, second = recorded(tmp_path, 2)
    (tmp_path / TRASH).mkdir()
    first.path.rename(tmp_path / TRASH / first.run_id)
    (tmp_path / ".unlogged").mkdir()
    (tmp_path / ".unlogged" / first.run_id).touch()
    Runs(tmp_path, pytest.fail).check()
    assert logged(tmp_path) == [second.run_id]
    assert [*(tmp_path / TRASH).iterdir()] == [*(tmp_path / ".unlogged").iterdir()] == []


def test_kill_9_leaves_each_run_whole_or_gone(tmp_path):
    draw = random.Random(7)
    recorded(tmp_path, 60)
    for _ in range(8):
        with subprocess.Popen(
            [sys.executable, "-c", DELETING, tmp_path], cwd=ROOT, stdout=subprocess.PIPE, text=True
        ) as process:
            process.stdout.readline()
            time.sleep(draw.uniform(0, 0.05))
            process.kill()
        empty_trash(tmp_path, warn=pytest.fail)
        there = all_folders(tmp_path)
        assert logged(tmp_path) == [run.run_id for run in there]
        assert all(run.completions.exists() and run.read_record() for run in there)
        assert [*(tmp_path / TRASH).glob("*")] == []
    assert len(there) < 60
