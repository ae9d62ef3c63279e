"""What `list` and `leaderboard` show on a terminal, and what they give to other programs."""

from __future__ import annotations

import json
import sys

import pytest

from results.compare.leaderboard import make_tables
from results.plain_text import uncoloured
from results.records import Metric, RunStatus, Score
from results.store.run_folder import RunFolder, all_records
from results.store.sweep_folder import ManifestText, PlanEntry, Sweep, SweepFolder
from results.sweep_place import SweepPlace
from results.views.leaderboard_text import print_tables
from results.views.run_text import print_list
from sweeps.status import print_status
from tests.command_line import bench_runner
from tests.results.conftest import a_record

IDS = [
    "20261120T080000Z-gsm8k-Some-long-name-of-a-7B-Q4_K_M-1a2b",
    "20261121T080000Z-gsm8k-Some-long-name-of-a-7B-Q8_0-3c4d",
]


@pytest.fixture
def results(tmp_path):
    score = Score(
        score=50.0, samples=10, completions=10, metrics={"pass@1": Metric(value=0.5, low=0.2, high=0.8)}
    )
    for run_id in IDS:
        (tmp_path / run_id).mkdir()
        model = run_id.split("-", 2)[2].rpartition("-")[0]
        RunFolder(tmp_path / run_id).write_record(
            a_record(run_id, benchmark="gsm8k", model=model, score=score, config={"benchmark": "gsm8k"})
        )
    return tmp_path


def listed(results, *, wide):
    print_list([(record.status, record) for _, record in all_records(results, warn=pytest.fail)], wide=wide)


def ranked(results, *, wide=False):
    tables = make_tables(all_records(results, warn=pytest.fail), warn=pytest.fail)
    print_tables(tables, known=IDS, wide=wide)


@pytest.mark.parametrize("show", [listed, ranked])
def test_ids_are_short_on_a_terminal_and_whole_when_wide(results, monkeypatch, capsys, show):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    show(results, wide=False)
    lines = uncoloured(capsys.readouterr().out).splitlines()
    assert max(map(len, lines)) <= 80
    words = " ".join(lines).split()
    assert {"20261120T080000Z", "20261121T080000Z"} <= {*words}
    show(results, wide=True)
    words = " ".join(uncoloured(capsys.readouterr().out).splitlines()).split()
    assert {*IDS, "Some-long-name-of-a-7B-Q4_K_M"} <= {*words}


def test_for_other_programs_ids_are_whole(results):
    """And a run whose harness is dead isn't said to have started."""
    started = a_record(IDS[1], status=RunStatus.STARTED)
    RunFolder(results / IDS[1]).write_record(started)
    lines = bench_runner("list", "--results-dir", results).out.splitlines()
    assert [line.split("\t")[0] for line in lines] == ["run", *IDS]
    records = [
        json.loads(line) for line in bench_runner("list", "--json", "--results-dir", results).out.splitlines()
    ]
    assert [(record["run_id"], record["status"]) for record in records] == [
        (IDS[0], "succeeded"), (IDS[1], "interrupted"),
    ]  # fmt: skip
    done = bench_runner("leaderboard", "--json", "--results-dir", results)
    assert [(row["run_id"], row["score_percent"]) for row in map(json.loads, done.out.splitlines())] == [
        (IDS[0], 50.0)
    ]
    refused = bench_runner("leaderboard", "--json", "--csv", "-", "--results-dir", results)
    assert (refused.code, refused.out) == (2, "")


def test_a_sweeps_runs_have_short_ids_on_a_terminal(results, monkeypatch, capsys):
    place = SweepPlace(sweep_id="s", fingerprint="f", label="Some-long-name-of-a-7B-Q4_K_M gsm8k", nonce="")
    RunFolder(results / IDS[0]).write_record(a_record(IDS[0], sweep=place))
    folder = SweepFolder(results / "sweeps" / "s")
    folder.path.mkdir(parents=True)
    waiting = PlanEntry(label="waits", benchmark="gsm8k", model="m", group="g", fingerprint="other")
    planned = PlanEntry(label=place.label, benchmark="gsm8k", model="m", group="g", fingerprint="f")
    text = ManifestText(text="", form="yaml", name="s", folder="/")
    folder.write(Sweep(sweep_id="s", created="", nonce="", manifest=text, runs=(planned, waiting)))
    print_status(folder, warn=pytest.fail)
    assert IDS[0] in capsys.readouterr().out
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    print_status(folder, warn=pytest.fail)
    words = uncoloured(capsys.readouterr().out).split()
    assert "20261120T080000Z" in words
    assert IDS[0] not in words
