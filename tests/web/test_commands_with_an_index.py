"""With an index, without one, with an old one and with a damaged one, commands print the same, byte for byte."""

from __future__ import annotations

import json
import shutil

import pytest
from click.testing import CliRunner

from bench_runner import cli
from results.store.index.opening import open_run_store
from results.store.reading.fresh import fresh_index
from results.store.sql import INDEX_NAME
from tests.benchmarks.made_runs import made_runs

pytestmark = pytest.mark.web
COMMANDS = (
    ("list", "--wide"),
    ("list", "--json"),
    ("leaderboard", "--wide"),
    ("leaderboard", "--json", "--group-by", "model"),
    ("leaderboard", "--csv", "-", "--all", "--sort", "joules", "--status", "any"),
    ("compare", "last", "last~2"),
    ("report", "--csv", "-"),
)


def printed(results_dir, output) -> list[str]:
    found = []
    for words in COMMANDS:
        extra = ("--output", str(output)) if words[0] == "report" else ()
        result = CliRunner().invoke(cli, [*words, *extra, "--results-dir", str(results_dir)])
        found.append(f"{result.exit_code} {result.output}")
    return [*found, (output / "report.md").read_text(), (output / "report.html").read_text()]


def test_commands_print_the_same_with_an_index_and_without(tmp_path):
    results, output = tmp_path / "results", tmp_path / "report"
    ids = made_runs(results, runs=10, samples=40, benchmarks=("human_eval", "mbpp"))
    without = printed(results, output)
    assert all(each.startswith("0 ") for each in without[: len(COMMANDS)])

    store = open_run_store(results)
    store.refresh()
    with store.database.engine.begin() as connection:  # so that it is worth opening
        connection.exec_driver_sql("CREATE TABLE padding AS SELECT zeroblob(3000000)")
    store.database.dispose()
    with fresh_index(results) as index:
        assert index is not None
    for _ in range(2):  # the tests between runs are kept from the first time on
        assert printed(results, output) == without

    with (results / ids[-1] / "completions.jsonl").open("ab") as file:
        file.write(b'{"task_id":"HumanEval/1","outcome":"no_answer"}\n')
    record = json.loads((results / ids[3] / "run.json").read_bytes())
    (results / ids[3] / "run.json").write_text(json.dumps(record | {"remarks": {"label": "third"}}))
    shutil.rmtree(results / ids[5])
    changed = printed(results, output)
    (results / INDEX_NAME).rename(tmp_path / "aside")
    assert printed(results, output) == changed != without

    (results / INDEX_NAME).write_bytes(b"\xff" * (3 << 20))
    assert printed(results, output) == changed
    (results / ids[0] / "run.json").write_text("{")
    warned = printed(results, output)
    (results / INDEX_NAME).unlink()
    assert printed(results, output) == warned != changed
