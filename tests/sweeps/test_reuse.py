"""What has been run is not run again without need, and never stands for something else."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.command_line import bench_runner, logged
from tests.sweep_runs import models, own_devices, server, status, sweep

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_devices")]
__all__ = ["own_devices"]


def run(results, model, *words):
    return bench_runner(
        "run", "--benchmark", "human_eval", "--model", model, *words, "--results-dir", results
    )


def ids(results) -> list[str]:
    return [record["run_id"] for record in logged(results)]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run of `a` by `run`, in a folder that tests copy."""
    folder = tmp_path_factory.mktemp("finished")
    (model,) = models(folder / "m", "a")
    done = run(folder / "r", model, *server(), "--limit", 2)
    assert done.code == 0, done.err
    return folder


@pytest.fixture
def there(finished, tmp_path):
    """Its results and its model's folder; the run itself is not to be repeated."""
    shutil.copytree(finished / "r", tmp_path / "r")
    shutil.copytree(finished / "m", tmp_path / "m")
    return tmp_path / "r", tmp_path / "m"


@pytest.mark.servers
def test_a_sweep_refers_to_what_is_finished_and_runs_the_rest(there):
    results, folder = there
    (earlier,) = ids(results)
    words = [*models(folder, "a", "b"), *server(), "--limit", 2]
    planned = sweep(results, *words, "--dry-run")
    assert f"run 1 is reused: {earlier}" in planned.out, planned.out
    assert "1 runs on 1 servers, 1 finished earlier" in planned.out
    done = sweep(results, *words)
    assert done.code == 0, done.err
    assert f"reused: a human_eval: run {earlier}" in done.err
    assert "--fresh" in done.err
    first, second = ids(results)
    assert first == earlier
    assert status(results) == {"a human_eval": "succeeded", "b human_eval": "succeeded"}
    listed = bench_runner("leaderboard", "--sweep", "last", "--json", "--results-dir", results)
    assert first in listed.out
    assert second in listed.out
    page = bench_runner("report", "last", "--results-dir", results)
    assert page.code == 0, page.err
    assert "2 planned runs, 2 succeeded" in next(results.glob("sweeps/*/report.md")).read_text()
    before = (results / earlier / "run.json").read_bytes()
    again = sweep(results, *words)
    assert again.code == 0, again.err
    assert "2 finished runs would only be repeated" in again.err
    assert ids(results) == [first, second]
    assert (results / earlier / "run.json").read_bytes() == before
    resumed = bench_runner("sweep", "--resume", "last", "--results-dir", results)
    assert resumed.code == 0, resumed.err
    assert ids(results) == [first, second], "what is referred to counts as done"
    bench_runner("delete", earlier, "--yes", "--results-dir", results)
    assert status(results)["a human_eval"] == "deleted"
    fresh = sweep(results, *words, "--fresh")
    assert fresh.code == 0, fresh.err
    assert "reused" not in fresh.err
    assert len(ids(results)) == 3


def test_a_shell_loop_that_is_given_again_runs_only_what_is_missing(there):
    results, folder = there
    (earlier,) = ids(results)
    again = run(results, folder / "a.gguf", *server(), "--limit", 2, "--reuse")
    assert again.code == 0, again.err
    assert earlier in again.err
    assert "score" in again.out
    assert ids(results) == [earlier]
    as_json = run(results, folder / "a.gguf", *server(), "--limit", 2, "--reuse", "--json")
    assert json.loads(as_json.out)["run_id"] == earlier
    anew = run(results, folder / "a.gguf", *server(), "--limit", 2)
    assert anew.code == 0, anew.err
    assert len(ids(results)) == 2, "`run` always runs unless it is told otherwise"


def changed(results, **fields):
    """The one run's record with other fields, as a run elsewhere or of another version would have."""
    (path,) = results.glob("*/run.json")
    record = json.loads(path.read_text())
    for name, value in fields.items():
        record[name] = {**record[name], **value} if isinstance(value, dict) else value
    path.write_text(json.dumps(record))


@pytest.mark.parametrize(
    "fields",
    [
        {"harness": {"commit": "0" * 40}},
        {"host": {"hostname": "another"}},
        {"config": {"judging_version": 1}},
        {"remarks": {"archived": True}},
        {"status": "interrupted"},
        {"server": {"program_changed_s": 1.0}},  # the server's program is newer
        {"fingerprint": "0" * 32},
    ],
)
def test_what_differs_in_anything_is_run(there, fields):
    results, folder = there
    changed(results, **fields)
    planned = sweep(results, folder / "a.gguf", *server(), "--limit", 2, "--dry-run")
    assert planned.code == 0, planned.out
    assert "reused" not in planned.out


def test_a_damaged_run_and_one_with_other_settings_are_not_reused(there):
    results, folder = there
    other = sweep(results, folder / "a.gguf", *server(), "--limit", 1, "--dry-run")
    assert "reused" not in other.out
    (path,) = results.glob("*/completions.jsonl")
    path.write_bytes(path.read_bytes()[:-40])
    damaged = sweep(results, folder / "a.gguf", *server(), "--limit", 2, "--dry-run")
    assert "reused" not in damaged.out
    next(results.glob("*/run.json")).write_text("{")
    assert sweep(results, folder / "a.gguf", *server(), "--limit", 2, "--dry-run").code == 0


def test_a_race_that_is_given_again_asks_nobody(tmp_path):
    results = tmp_path / "r"
    words = [*models(tmp_path / "m", "a", "b"), *server(), "--limit", 30, "--race"]
    first = sweep(results, *words)
    assert first.code == 0, first.err
    files = {path: path.read_bytes() for path in results.glob("*/run.json")}
    again = sweep(results, *words)
    assert again.code == 0, again.err
    assert {path: path.read_bytes() for path in results.glob("*/run.json")} == files
    ends = [[line for line in done.err.splitlines() if line.startswith("race: ")] for done in (first, again)]
    assert ends[0] == ends[1] != []
