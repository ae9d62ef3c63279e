"""`label`, `note`, `archive` and `list`, as a user types them."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from bench_runner import cli
from tests.results.recorded_runs import record_run
from tests.test_completion import completed


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_RESULTS_DIR", str(tmp_path / "r"))

    def typed(*words):
        done = CliRunner().invoke(cli, [*words], catch_exceptions=True)
        return done.exception.message if hasattr(done.exception, "message") else done.output

    return typed


def test_a_day_of_labels(run, tmp_path):
    first, second = (record_run(tmp_path / "r", model=name) for name in ("Big-Q8_0", "Big-Q4_0"))
    assert "is now 'baseline'" in run("label", "Q8_0", "baseline")
    assert run("label", "baseline") == "baseline\n"
    assert "has the label 'baseline' already" in run("label", "last", "baseline")
    assert run("note", "baseline", "with\x1b[31m colours").endswith("with\\u001b[31m colours\n")
    assert "noted           with\\u001b[31m colours" in run("show", "baseline")
    assert "is archived" in run("archive", "*Q4_0", "baseline")
    assert "archived already" in run("archive", "baseline")
    assert run("list").splitlines()[1:] == ["2 archived: see list --archived"]
    assert [line.split("\t")[0] for line in run("list", "--archived").splitlines()[1:]] == [
        first.run_id,
        second.run_id,
    ]
    assert "archived\tbaseline" in run("list", "--archived")
    assert "is shown again" in run("archive", "--undo", "*")
    assert json.loads(run("list", "--json").splitlines()[0])["remarks"]["label"] == "baseline"
    assert "no run fits 'x*'" in run("archive", "x*")
    assert completed("label", typed="base") == [("plain", "baseline", "Big-Q8_0")]
    assert [item[1] for item in completed("archive", "baseline")] == ["baseline", second.run_id, first.run_id]
