"""`leaderboard` and `report` of a real sweep, as a user types them."""

from __future__ import annotations

import csv
import io

import pyarrow.parquet as pq
import pytest

from tests.command_line import bench_runner, command_server
from tests.results.recorded_runs import P, record_run
from tests.servers.gguf_file import STRING, gguf

pytestmark = pytest.mark.slow

WRONG = {"good-Q8_0": 0.0, "near-Q4_K_M": 0.05, "bad-Q2_K": 0.8}


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    """Three models of different strength and a broken one, raced by nobody: the results folder, and how it ended."""
    folder = tmp_path_factory.mktemp("sweep")
    (folder / "tmp").mkdir()
    for name in WRONG:
        (folder / f"{name}.gguf").write_bytes(gguf({"general.name": (STRING, name)}))
    (folder / "broken.gguf").write_bytes(b"<html>not found</html>")
    shares = [word for name, share in WRONG.items() for word in ("--wrong-if", f"{name}.gguf={share}")]
    option, command = command_server("canonical_server.py", "--salt", "{model}", *shares)
    done = bench_runner(
        "sweep", folder / "*.gguf", option, command.replace("'{model}'", "{model}"), "--benchmark", "human_eval",
        "--limit", 40, "--results-dir", folder / "r", env={"TMPDIR": str(folder / "tmp")},
    )  # fmt: skip
    assert done.code == 7, done.err
    return folder / "r", done


def cells(text):
    return [
        dict(zip(*pair, strict=True)) for pair in _pairs([line.split("\t") for line in text.splitlines()])
    ]


def _pairs(lines):
    return [(lines[0], line) for line in lines[1:]]


def test_a_sweep_ends_with_the_table_that_leaderboard_prints(sweep):
    results, done = sweep
    rows = {row["model"]: row for row in cells(done.out)}
    assert [row["against_best"] for row in rows.values()] == ["best", "not distinguishable", "worse"]
    assert float(rows["bad-Q2_K"]["adjusted_p"]) < 0.001
    assert "failed: broken" in done.err
    assert "bench_runner.py report " in done.err
    again = bench_runner("leaderboard", "--sweep", "last", "--results-dir", results)
    assert (again.code, again.out) == (0, done.out)
    assert again.err == "left out: 1 failed\n"


def test_leaderboard_chooses_and_groups(sweep):
    results, _ = sweep
    failed = cells(bench_runner("leaderboard", "--status", "failed", "--results-dir", results).out)
    assert [(row["model"], row["against_best"], row["note"]) for row in failed] == [
        ("broken.gguf", "", "failed")
    ]
    grouped = bench_runner("leaderboard", "--model", "*-Q*", "--group-by", "model", "--results-dir", results)
    assert [row["table"] for row in cells(grouped.out)] == [
        "human_eval, bad", "human_eval, good", "human_eval, near",
    ]  # fmt: skip
    nothing = bench_runner("leaderboard", "--benchmark", "lcb", "--results-dir", results)
    assert (nothing.code, nothing.err) == (0, "no such runs; left out: none\n")
    refused = bench_runner("leaderboard", "--since", "yesterday", "--results-dir", results)
    assert refused.code == 2
    assert "--since 'yesterday' is not a time" in refused.err


def test_a_report_is_two_files_and_says_the_conclusion(sweep, tmp_path):
    results, _ = sweep
    done = bench_runner("report", "last", "--results-dir", results)
    assert (done.code, done.err) == (0, "")
    assert "good-Q8_0 has the highest score: 100.0 of 100" in done.out
    page, text = (next(results.glob(f"sweeps/*/report.{kind}")) for kind in ("html", "md"))
    assert done.out.splitlines()[-2:] == [str(text), str(page)]
    assert "Not distinguishable from it" in text.read_text()
    assert page.read_text().count("<svg") >= 2, "the plots, and telemetry"
    there = bench_runner("report", "last", "--output", tmp_path / "new", "--parquet", tmp_path / "t.parquet",
                         "--csv", "-", "--results-dir", results)  # fmt: skip
    assert there.code == 0, there.err
    rows = [*csv.DictReader(io.StringIO(there.out))]
    assert [row["model"] for row in rows] == pq.read_table(tmp_path / "t.parquet").column("model").to_pylist()
    assert [row["model_family"] for row in rows] == ["good", "near", "bad"]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["report.html", "report.md"]


def test_any_runs_have_a_report(sweep, tmp_path):
    """A shell loop ends with one too: of the newest runs of a benchmark, of two that are named, of a single one."""
    results, _ = sweep
    whole = bench_runner("report", "--benchmark", "human_eval", "--results-dir", results)
    assert whole.code == 0, whole.err
    assert whole.err == "left out: 1 failed\n"
    assert whole.out.splitlines()[-2:] == [str(results / "report.md"), str(results / "report.html")]
    two = bench_runner("report", "Q8_0", "Q2_K", "--output", tmp_path, "--csv", "-", "--results-dir", results)
    assert [row["model"] for row in csv.DictReader(io.StringIO(two.out))] == ["good-Q8_0", "bad-Q2_K"]
    assert (tmp_path / "report.md").read_text().startswith("# human_eval on 2 GGUFs, ")
    (run,) = results.glob("*near-Q4_K_M*")
    one = bench_runner("report", run.name, "--results-dir", results)
    assert (one.code, one.out.splitlines()[-1]) == (0, str(run / "report.html"))
    for words in (["last", "--benchmark", "human_eval"], ["--benchmark", "lcb"], ["--since", "yesterday"]):
        assert bench_runner("report", *words, "--results-dir", results).code == 2


def test_what_is_not_there_is_bad_usage(sweep):
    results, _ = sweep
    done = bench_runner("report", "nonsense", "--results-dir", results)
    assert done.code == 2
    assert "there is no sweep 'nonsense', and there is no run 'nonsense'" in done.err


def test_a_name_of_several_runs_lists_those_runs(tmp_path):
    """Where several are named, runs are meant: ids of sweeps would be no help."""
    runs = [record_run(tmp_path, [P], model="a-Q8_0") for _ in range(2)]
    done = bench_runner("report", "Q8_0", "last", "--results-dir", tmp_path)
    assert done.code == 2
    assert "error: 'Q8_0' matches 2 runs\n" in done.err
    assert all(run.run_id in done.err for run in runs)
