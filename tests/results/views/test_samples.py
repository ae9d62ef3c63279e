"""The table of completions holds what the runs hold, harmlessly, and the notebook's examples read it."""

from __future__ import annotations

import csv
import io
import re

import msgspec
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from bench_runner import cli
from results.plain_text import csv_cell
from results.records import Completion, Cut, Loss, Outcome
from results.store.remarks import RunRemarks
from results.views.samples import SAMPLE_COLUMNS, samples_csv_text, write_samples_parquet
from tests.command_line import ROOT
from tests.results.recorded_runs import F, P, record_run

PAGE = (ROOT / "docs" / "notebook.md").read_text()
HOSTILE = Completion(
    task_id="=HYPERLINK(1)", index=1, outcome=Outcome.TRUNCATED, detail="+cmd|' /C calc'!A0\x1b[31m", cut=Cut.LENGTH,
    prompt_tokens=7, completion_tokens=9, request_s=0.1, tags={"difficulty": "hard", "a": "b"}, metrics={"credit": 0.5},
)  # fmt: skip
LOST = Completion(task_id="t/1", outcome=Outcome.INFRASTRUCTURE_ERROR, loss=Loss.REQUEST_FAILED)


def costly(folder):
    """As a server that counts would have it; an empty column has no type in CSV."""
    lines = [
        msgspec.json.decode(line, type=Completion) for line in folder.completions.read_bytes().splitlines()
    ]
    costs = [msgspec.structs.replace(line, completion_tokens=10, request_s=0.5) for line in lines]
    folder.completions.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in costs))


@pytest.fixture
def run(tmp_path):
    folder = record_run(tmp_path / "r", [P, F], model="Big-Q8_0")
    with folder.completions.open("ab") as file:
        for each in (HOSTILE, LOST):
            file.write(msgspec.json.encode(each) + b"\n")
        file.write(b'{"task_id": "torn')
    RunRemarks(tmp_path / "r", str).label(folder, "baseline")
    return folder, folder.read_record()


def test_csv_has_every_completion_and_no_formula(run):
    text = samples_csv_text([run])
    rows = [*csv.DictReader(io.StringIO(text))]
    assert [*rows[0]] == [*SAMPLE_COLUMNS]
    assert [row["outcome"] for row in rows] == ["passed", "failed", "truncated", "infrastructure_error"]
    hostile = rows[2]
    assert hostile["task_id"] == "'=HYPERLINK(1)"
    assert hostile["detail"] == "'+cmd|' /C calc'!A0\\u001b[31m"
    assert (hostile["passed"], hostile["difficulty"], hostile["completion_index"]) == ("false", "hard", "1")
    assert (hostile["tags_json"], hostile["metrics_json"]) == (
        '{"a":"b","difficulty":"hard"}',
        '{"credit":0.5}',
    )
    assert (rows[0]["quantization"], rows[0]["label"], rows[3]["loss"]) == (
        "Q8_0",
        "baseline",
        "request_failed",
    )
    assert "\x1b" not in text


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("x;=HYPERLINK(1)", "x;'=HYPERLINK(1)"),
        ('x; "=HYPERLINK(1)', "x; \"'=HYPERLINK(1)"),
        ("a\t\t+b|@c\n-d", "a\t\t'+b|'@c\n'-d"),
        (";=1", ";'=1"),
        ("a - b; c = d, e@f", "a - b; c = d, e@f"),
    ],
)
def test_no_text_has_a_formula_where_another_sign_than_a_comma_parts_the_columns(text, written):
    assert csv_cell(text) == written


def test_a_text_of_blanks_alone_is_looked_at_once():
    """Where each is looked at again, this takes longer than a test may."""
    assert csv_cell(";" + " " * 1_000_000 + "x;=1").endswith("x;'=1")


def test_parquet_has_the_same_with_types(run, tmp_path):
    write_samples_parquet(tmp_path / "s.parquet", [run, run])
    table = pq.read_table(tmp_path / "s.parquet")
    assert table.num_rows == 8
    assert table["task_id"][2].as_py() == "=HYPERLINK(1)"
    assert (table["passed"][0].as_py(), table["request_s"][2].as_py(), table["cut"][2].as_py()) == (
        True,
        0.1,
        "length",
    )


@pytest.mark.parametrize("file", ["samples.parquet", "samples.csv"])
@pytest.mark.parametrize(
    "code", re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL), ids=["pandas", "polars"]
)
def test_the_examples_of_the_page_work(tmp_path, monkeypatch, capsys, file, code):
    for model, outcomes in (("Big-Q8_0", [P, P, F]), ("Big-Q4_0", [P, F, F])):
        costly(record_run(tmp_path / "r", outcomes, model=model))
    archived = record_run(tmp_path / "r", [F], model="Old")
    RunRemarks(tmp_path / "r", str).archive([archived], archived=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENCH_RESULTS_DIR", "r")
    done = CliRunner().invoke(cli, ["export", "--per-sample", file], catch_exceptions=False)
    assert done.output == f"{file}: the completions of 2 runs\n"
    if file.endswith(".csv"):
        code = re.sub(r'read_parquet\("samples.parquet"\)', 'read_csv("samples.csv")', code)
    found = {}
    exec(code, found)
    shown = capsys.readouterr().out
    assert "Old" not in shown
    if "hardest" in found:
        assert found["hardest"] == ["HumanEval/2"]
        assert found["solved"].mean().round(2).to_dict() == {"Big-Q4_0": 0.33, "Big-Q8_0": 0.67}
        assert isinstance(found["samples"], pd.DataFrame)
    else:
        assert found["flips"]["task_id"].to_list() == ["HumanEval/1"]
        assert isinstance(found["samples"], pl.DataFrame)


def test_what_cannot_be_written_is_refused(tmp_path):
    for words, said in (
        (["--per-sample", "x.xlsx"], "must end in .csv or .parquet"),
        ([], "nothing to export"),
        (["--per-sample", "x.csv"], "no run has succeeded"),
        (["nonsense", "--per-sample", "x.csv"], "there is no run 'nonsense'"),
    ):
        done = CliRunner().invoke(cli, ["export", *words, "--results-dir", str(tmp_path)])
        assert said in done.exception.message
