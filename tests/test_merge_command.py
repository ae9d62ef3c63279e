"""Runs travel in a file from one results folder to another, as a user does it, and gate there."""

from __future__ import annotations

import zipfile

import pytest
from click.testing import CliRunner

from bench_runner import cli
from results.store.remarks import RunRemarks
from results.store.run_folder import all_folders
from tests.command_line import bench_runner
from tests.results.recorded_runs import F, P, record_run


def typed(*words):
    done = CliRunner().invoke(cli, [*map(str, words)])
    assert done.exit_code in {0, 8}, done.exception
    return done


def test_a_baseline_is_kept_as_a_file_and_gates_elsewhere(tmp_path):
    home, ci, file = tmp_path / "home", tmp_path / "ci", tmp_path / "baseline.zip"
    RunRemarks(home, str).label(record_run(home, [P] * 50, model="Good"), "baseline")
    packed = typed("export", "baseline", "--archive", file, "--results-dir", home)
    assert f"{file}: 1 run with a report, " in packed.output
    with zipfile.ZipFile(file) as archive:
        page = archive.read("report.html").decode()
    assert "<!doctype html>" in page
    assert "Good" in page
    assert typed("merge", file, "--results-dir", ci).output.endswith("took 1 run\n")
    assert typed("merge", file, "--quiet", "--results-dir", ci).output == "took 0 runs; 1 here already\n"
    record_run(ci, [F] * 10 + [P] * 40, model="Worse")
    gate = typed("compare", "baseline", "last", "--fail-if-worse", "--results-dir", ci)
    assert (gate.exit_code, "gate             FAILED" in gate.output) == (8, True)
    record_run(ci, [P] * 50, model="AsGood")
    assert typed("compare", "baseline", "AsGood", "--fail-if-worse", "8", "--results-dir", ci).exit_code == 0


def test_a_damaged_file_takes_nothing_and_says_why(tmp_path):
    record_run(tmp_path / "r")
    typed("export", "--archive", tmp_path / "a.zip", "--results-dir", tmp_path / "r")
    data = (tmp_path / "a.zip").read_bytes()
    (tmp_path / "a.zip").write_bytes(data[: len(data) // 2])
    done = bench_runner("merge", tmp_path / "a.zip", "--results-dir", tmp_path / "to")
    assert done.code == 6
    assert done.err.startswith(f"error: {tmp_path / 'a.zip'} is damaged")
    assert "Traceback" not in done.err
    assert all_folders(tmp_path / "to") == ()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("export", "--archive", "x.tar"), "must end in .zip"),
        (("export", "last", "--archive", "no/such/folder/x.zip"), "cannot write no/such/folder/x.zip"),
    ],
)
def test_what_cannot_be_written_is_told(tmp_path, words, said):
    record_run(tmp_path)
    done = bench_runner(*words, "--results-dir", tmp_path)
    assert (done.code in {2, 6}, said in done.err, "Traceback" in done.err) == (True, True, False)
