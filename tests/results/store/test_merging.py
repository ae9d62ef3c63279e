"""Runs of another folder are taken whole or not at all, once, and never in place of another."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time

import msgspec
import pytest

from results.errors import NewerRecord, ResultsError, UsageError
from results.records import RunStatus
from results.store.merging import merge
from results.store.remarks import RunRemarks
from results.store.run_folder import all_folders
from results.store.runs import Runs
from results.store.sweep_folder import all_sweeps
from tests.command_line import ROOT
from tests.results.conftest import a_record
from tests.results.recorded_runs import F, P, begin_sweep, place, record_run

MERGING = """
import sys
from pathlib import Path
from results.store.merging import merge
print("began", flush=True)
merge(Path(sys.argv[1]), [Path(sys.argv[2])], warn=print)
"""


def logged(folder):
    return sorted(
        run["run_id"] for run in json.loads((folder / "benchmark_results.json").read_text())["runs"]
    )


def ids(folder):
    return [run.run_id for run in all_folders(folder)]


@pytest.fixture
def there(tmp_path):
    return tmp_path / "there"


@pytest.fixture
def here(tmp_path):
    return tmp_path / "here"


def test_runs_are_taken_with_all_their_files_and_only_once(here, there):
    runs = [record_run(there), record_run(there)]
    (runs[0].path / "server.log").write_text("log")
    (runs[0].path / "out").mkdir()
    (runs[0].path / "out" / "x.json").write_text("{}")
    mine = record_run(here)
    merged = merge(here, [there], warn=str)
    assert merged.taken == tuple(run.run_id for run in runs)
    assert ids(here) == sorted([mine.run_id, *merged.taken]) == logged(here)
    assert (here / runs[0].run_id / "out" / "x.json").read_text() == "{}"
    assert (here / runs[0].run_id / "server.log").read_text() == "log"
    again = merge(here, [there, runs[0].path], warn=str)
    assert (again.taken, len(again.same)) == ((), 3)
    assert len(logged(here)) == 3


def test_what_was_said_of_a_run_makes_it_no_other(here, there):
    run = record_run(there)
    merge(here, [there], warn=str)
    RunRemarks(there, str).note(run, "looked at again")
    assert merge(here, [there], warn=str).same == (run.run_id,)


def test_another_run_of_the_same_id_is_kept_apart_always_under_the_same_new_id(here, there):
    run = record_run(there, [P, F])
    merge(here, [there], warn=str)
    run.write_record(msgspec.structs.replace(run.read_record(), resumed=1))
    merged = merge(here, [there], warn=str)
    (new_id,) = merged.taken
    assert merged.new_ids == {new_id: run.run_id}
    assert new_id.rpartition("-")[0] == run.run_id.rpartition("-")[0]
    record = next(each for each in all_folders(here) if each.run_id == new_id).read_record()
    assert (record.run_id, record.merged_from, record.resumed) == (new_id, run.run_id, 1)
    assert merge(here, [there], warn=str).taken == ()
    assert logged(here) == sorted([run.run_id, new_id])


def test_a_label_that_is_in_use_stays_where_it_is(here, there):
    mine, theirs = record_run(here), record_run(there)
    RunRemarks(here, str).label(mine, "baseline")
    RunRemarks(there, str).label(theirs, "baseline")
    merged = merge(here, [there], warn=str)
    assert merged.unlabelled == {theirs.run_id: "baseline"}
    assert [run.facts().label for run in all_folders(here)] == ["baseline", ""]


def test_a_run_that_was_cut_off_comes_as_interrupted(here, there):
    run = record_run(there, status=RunStatus.STARTED)
    run.completions.write_bytes(run.completions.read_bytes() + b'{"torn')
    merge(here, [there], warn=str)
    (taken,) = all_folders(here)
    assert taken.read_record().status is RunStatus.INTERRUPTED
    assert run.read_record().status is RunStatus.STARTED


def test_a_run_in_progress_is_refused(here, there):
    record_run(there)
    run = record_run(there)
    with run.claim(), pytest.raises(ResultsError, match="still running, so nothing was taken"):
        merge(here, [there], warn=str)
    assert ids(here) == []


def _torn(run):
    run.completions.write_bytes(run.completions.read_bytes()[:-5])


def _cut(run):
    run.completions.write_bytes(run.completions.read_bytes().split(b"\n")[0] + b"\n")


def _contradicting(run):
    run.completions.write_bytes(run.completions.read_bytes().replace(b'"passed":true', b'"passed":false'))


def _renamed(run):
    run.path.rename(run.path.with_name("my-best-run"))


def _exchanged(run):
    run.write_record(a_record("20260101T000000Z-a-b-0000"))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (_torn, "lines of completions.jsonl can't be read"),
        (_cut, "has 1 completions, its record 2"),
        (_contradicting, "says both"),
        (_renamed, "name is not that of a run"),
        (_exchanged, "its record is that of"),
        (lambda run: run.run_json.write_text("{"), "is not a run record"),
        (lambda run: (run.path / "settings.json").write_text("{"), "settings.json can't be read"),
    ],
)
def test_what_is_damaged_is_refused_with_everything_else(here, there, damage, said):
    record_run(there)
    damage(record_run(there, [P, F]))
    with pytest.raises(ResultsError, match=said) as refused:
        merge(here, [there], warn=str)
    assert "so nothing was taken" in refused.value.message
    assert ids(here) == []


def test_a_newer_record_is_refused(here, there):
    run = record_run(there)
    run.run_json.write_bytes(run.run_json.read_bytes().replace(b'"schema_version":1', b'"schema_version":99'))
    with pytest.raises(NewerRecord):
        merge(here, [there], warn=str)
    assert ids(here) == []


def test_links_and_special_files_stay_where_they_are(here, there, tmp_path):
    run = record_run(there)
    (tmp_path / "private").write_text("private")
    (run.path / "link").symlink_to(tmp_path / "private")
    (run.path / "folder").symlink_to(tmp_path)
    os.mkfifo(run.path / "fifo")
    merge(here, [there], warn=str)
    assert sorted(path.name for path in (here / run.run_id).iterdir()) == [
        "completions.jsonl", "harness.lock", "run.json", "settings.json",
    ]  # fmt: skip


def test_the_plans_of_sweeps_come_too(here, there):
    sweep = begin_sweep(there, ["a"])
    record_run(there, sweep=place(sweep, "a"))
    assert merge(here, [there], warn=str).sweeps == (sweep.sweep_id,)
    (found,) = all_sweeps(here)
    assert [each is not None for _, each in found.planned(warn=pytest.fail)] == [True]


def test_a_folder_without_runs_is_a_mistake(here, there):
    there.mkdir()
    with pytest.raises(UsageError, match="has no runs"):
        merge(here, [there], warn=str)
    (there / "x").write_text("x")
    with pytest.raises(UsageError, match="neither a folder nor an archive"):
        merge(here, [there / "x"], warn=str)


def test_kill_9_takes_whole_runs_only(here, there):
    for _ in range(20):
        record_run(there, [P, F])
    draw = random.Random(5)
    for _ in range(8):
        with subprocess.Popen(
            [sys.executable, "-c", MERGING, here, there], cwd=ROOT, stdout=subprocess.PIPE, text=True
        ) as process:
            process.stdout.readline()
            time.sleep(draw.uniform(0.05, 0.4))
            process.kill()
        Runs(here, str).check()
        assert logged(here) == ids(here)
        for run in all_folders(here):
            assert run.completions.read_bytes() == (there / run.run_id / "completions.jsonl").read_bytes()
    merge(here, [there], warn=str)
    assert ids(here) == ids(there)
    assert [*(here / ".merging").iterdir()] == [*(here / ".unlogged").iterdir()] == []
