"""What is read of runs from their folders: rows, pages, samples, problems, tags; and nothing through a link."""

from __future__ import annotations

import json

import pytest

from results.compare.cached_tables import CachedTables
from results.compare.leaderboard import make_tables
from results.compare.run_choice import Choice, choose_runs
from results.errors import UsageError
from results.records import Outcome, RunStatus
from results.store.reading.folder_run_store import FolderRunStore
from results.store.run_store import GridOrder, GridQuery, RunOrder, RunQuery, SampleQuery
from tests.results.recorded_runs import F, P, X, record_run


def test_runs_are_filtered_ordered_and_paged(tmp_path):
    ids = [
        record_run(tmp_path, [P] * good + [F] * (4 - good), model=f"M{good}-Q4_0").run_id
        for good in (1, 3, 2)
    ]
    store = FolderRunStore(tmp_path)
    assert [row.run_id for row in store.runs(RunQuery()).rows] == ids[::-1]
    best = store.runs(RunQuery(order=RunOrder.SCORE, limit=2))
    assert [row.score for row in best.rows] == [75.0, 50.0]
    rest = store.runs(RunQuery(order=RunOrder.SCORE, limit=2, cursor=best.next_cursor))
    assert ([row.score for row in rest.rows], rest.total, rest.next_cursor) == ([25.0], 3, "")
    assert [row.model for row in store.runs(RunQuery(model="*m3*")).rows] == ["M3-Q4_0"]
    assert store.runs(RunQuery(statuses=(RunStatus.FAILED,))).total == 0
    assert store.row(ids[0]).family == "M1"
    with pytest.raises(UsageError):
        store.runs(RunQuery(cursor="-1"))


def test_problems_say_which_run_solved_them(tmp_path):
    one, other = (record_run(tmp_path, each).run_id for each in ([P, P, F, X], [P, F, F, P]))
    store = FolderRunStore(tmp_path)
    page = store.grid(GridQuery(run_ids=(one, other, "unknown")))
    assert [row.run_id for row in page.runs] == [one, other]
    assert [row.task_id for row in page.rows][:2] == ["HumanEval/1", "HumanEval/3"]
    by_task = store.grid(GridQuery(run_ids=(one,), order=GridOrder.TASK, page=2, per_page=3))
    assert [(row.task_id, row.cells[0].outcome) for row in by_task.rows] == [("HumanEval/3", X)]
    assert [task.task_id for task in store.hardest("human_eval", 2)] == ["HumanEval/2", "HumanEval/1"]
    assert [(task.task_id, task.judged) for task in store.flipped("human_eval")] == [("HumanEval/1", 2)]
    lost = store.samples(one, SampleQuery(outcome=Outcome.INFRASTRUCTURE_ERROR))
    assert ([row.task_id for row in lost.rows], lost.total) == (["HumanEval/3"], 1)
    assert store.sample(one, "HumanEval/2").outcome is F
    assert store.sample(one, "HumanEval/9") is None


def test_what_is_no_run_of_its_own_is_left_out_with_the_reason(tmp_path):
    results, outside = tmp_path / "results", tmp_path / "outside"
    good = record_run(results)
    far = record_run(outside)
    (results / far.run_id).symlink_to(far.path)
    (results / "copied").mkdir()
    (results / "copied/run.json").write_bytes(good.run_json.read_bytes())
    (results / "linked").mkdir()
    (results / "linked/run.json").symlink_to(far.run_json)
    (results / "newer").mkdir()
    (results / "newer/run.json").write_text(json.dumps({"schema_version": 99, "run_id": "newer"}))
    (results / "broken").mkdir()
    (results / "broken/run.json").write_text("{")
    store = FolderRunStore(results)
    assert [row.run_id for row in store.runs(RunQuery()).rows] == [good.run_id]
    assert sorted(store.skipped()) == sorted([far.run_id, "copied", "linked", "newer", "broken"])
    for name in (far.run_id, "../outside/" + far.run_id, "..", ".", "", "a\0b", "x" * 300, "copied"):
        assert store.folder(name) is None
        assert store.record(name) is None
        assert not store.verdicts(name)
        assert store.samples(name, SampleQuery()).total == 0


def test_answers_behind_a_link_are_not_read(tmp_path):
    run = record_run(tmp_path / "results", [P, F])
    run.completions.rename(tmp_path / "elsewhere")
    run.completions.symlink_to(tmp_path / "elsewhere")
    store = FolderRunStore(tmp_path / "results")
    assert not store.verdicts(run.run_id)
    assert store.samples(run.run_id, SampleQuery()).total == 0


def test_the_version_changes_with_the_runs(tmp_path):
    run = record_run(tmp_path, [P, F])
    store = FolderRunStore(tmp_path)
    seen = [store.version()]
    assert store.version() == seen[0]
    record_run(tmp_path)
    seen.append(store.version())
    with run.completions.open("ab") as file:
        file.write(b'{"task_id": "HumanEval/9", "outcome": "failed"}\n')
    seen.append(store.version())
    assert len(set(seen)) == 3


def test_tables_from_the_store_are_those_from_the_folders(tmp_path):
    for good in (12, 9, 3):
        record_run(tmp_path, [P] * good + [F] * (12 - good), model=f"M{good}")
    chosen = choose_runs(tmp_path, Choice(), warn=pytest.fail)
    cached = CachedTables(FolderRunStore(tmp_path))
    expected = make_tables(chosen.runs, warn=pytest.fail)
    assert [*cached.tables().tables] == expected
    assert cached.tables() is cached.tables()
    with pytest.raises(UsageError):  # no file is read for a name
        cached.tables(Choice(benchmarks=("/etc/x.yaml",)))
    record_run(tmp_path, [P] * 12, model="M12b")
    assert len(cached.tables().tables[0].rows) == 4
