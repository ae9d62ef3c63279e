"""The run log stays one valid JSON document, in the documented layout, and answers questions."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING

import pytest
from tinydb import where

from results.errors import NewerRecord, ResultsError, UsageError
from results.records import Results, Score
from results.store.run_log import RunLog
from tests.results.conftest import a_record

if TYPE_CHECKING:
    from pathlib import Path


def ids(log: RunLog) -> list[str]:
    return [record.run_id for record in log.runs()]


def test_the_file_is_one_json_document_with_a_record_a_line(log):
    """Other tools read the log: its shape is a promise."""
    for number in range(3):
        log.append(a_record(f"run-{number}"))
    text = log.path.read_text()
    assert [run["run_id"] for run in json.loads(text)["runs"]] == ["run-0", "run-1", "run-2"]
    first, *records, last = text.splitlines()
    assert (first, last, text[-1]) == ('{"runs": [', "]}", "\n")
    assert [json.loads(line.rstrip(",")) for line in records] == json.loads(text)["runs"]
    assert log.runs()[1] == a_record("run-1")
    assert log.warnings == []


def test_looking_at_a_log_that_does_not_exist_makes_nothing(log):
    assert log.runs() == ()
    assert not log.path.parent.exists()


def test_check_makes_an_empty_valid_log(log):
    log.check()
    assert json.loads(log.path.read_text()) == {"runs": []}
    log.append(a_record("a"))
    assert ids(log) == ["a"]


def test_a_resumed_run_replaces_its_line_and_keeps_its_place(log):
    for name in ("a", "b", "c"):
        log.append(a_record(name))
    log.append(a_record("b", resumed=1), replace=True)
    assert [(record.run_id, record.resumed) for record in log.runs()] == [("a", 0), ("b", 1), ("c", 0)]
    log.append(a_record("d", resumed=1), replace=True)
    assert ids(log) == ["a", "b", "c", "d"]


def test_a_run_is_found_by_the_beginning_of_its_id(log):
    for name in ("20261121-aa-1", "20261121-aa-2", "20261122-bb-1"):
        log.append(a_record(name))
    assert log.get("20261122").run_id == log.get("last").run_id == "20261122-bb-1"
    assert log.get("20261121-aa-1").run_id == "20261121-aa-1"
    with pytest.raises(UsageError, match="matches 2 runs") as ambiguous:
        log.get("20261121")
    assert "20261121-aa-2\n20261121-aa-1" in ambiguous.value.hint
    with pytest.raises(UsageError, match="no run '20261123-bb-1'") as unknown:
        log.get("20261123-bb-1")
    assert "did you mean 20261122-bb-1" in unknown.value.hint
    with pytest.raises(UsageError):
        log.get("")


def test_tinydb_queries_and_updates(log):
    """The log is a TinyDB table; an update keeps the layout, so that the next run is added cheaply."""
    log.append(a_record("a", results=Results(score=10.0)))
    log.append(a_record("b", results=Results(score=90.0)))
    table = log.table()
    assert [run["run_id"] for run in table.search(where("results")["score"] > 50)] == ["b"]
    table.update({"note": "kept"}, where("run_id") == "a")
    log.append(a_record("c"))
    log.append(a_record("b", resumed=1), replace=True)
    assert [run.get("note") for run in log.table().all()] == ["kept", None, None]
    assert ids(log) == ["a", "b", "c"]
    log.table().remove(where("run_id") == "a")
    assert ids(log) == ["b", "c"]


def test_a_tinydb_update_never_drops_a_run_that_was_added_meanwhile(log):
    log.append(a_record("a"))

    def add_another(run):
        run["note"] = "x"
        RunLog(log.path).append(a_record("b"))

    with pytest.raises(ResultsError, match="changed meanwhile"):
        log.table().update(add_another)
    assert ids(log) == ["a", "b"]


def test_tinydb_refuses_what_is_no_record(log):
    log.append(a_record("a"))
    with pytest.raises(ResultsError, match="only accepts records of runs"):
        log.table().insert({"name": "not a run"})
    assert ids(log) == ["a"]


def test_a_newer_schema_is_an_error_and_changes_nothing(log):
    """Somebody's newer program wrote there: neither reading nor a repair may drop its record."""
    log.append(a_record("a"))
    log.append(a_record("b", schema_version=1))
    newer = log.path.read_bytes().replace(
        b'"schema_version":1,"run_id":"b"', b'"schema_version":2,"run_id":"b"'
    )
    for content in (newer, newer[:-2]):
        log.path.write_bytes(content)
        with pytest.raises(NewerRecord, match="newer bench_runner") as error:
            log.runs()
        assert error.value.hint == "update bench_runner"
        assert log.path.read_bytes() == content
    with pytest.raises(NewerRecord):
        log.append(a_record("c"))
    assert sorted(path.name for path in log.path.parent.iterdir()) == [
        "benchmark_results.json",
        "benchmark_results.json.lock",
    ]


def test_an_older_record_without_the_later_fields_is_read(log):
    log.path.parent.mkdir()
    log.path.write_text(
        '{"runs": [{"run_id": "old", "timestamp": "2025-02-16T18:15:08+00:00", "status": "succeeded",'
        ' "benchmark": "human_eval", "model": "m", "config": {}, "results": {"score": 89.0}}]}'
    )
    log.append(a_record("new"))
    assert ids(log) == ["old", "new"]
    assert log.warnings == []


@pytest.mark.parametrize("indent", [None, 2])
def test_a_log_that_an_editor_laid_out_anew_is_whole(log, indent):
    """`jq . log` is no damage: nothing is set aside, and the layout comes back with the next run."""
    for name in ("a", "b"):
        log.append(a_record(name))
    log.path.write_text(json.dumps(json.loads(log.path.read_text()), indent=indent))
    assert ids(log) == ["a", "b"]
    log.append(a_record("c"))
    assert ids(log) == ["a", "b", "c"]
    assert len(log.path.read_text().splitlines()) == 5
    assert log.warnings == []


def test_text_that_is_not_utf8_can_be_recorded(log):
    """File names and outputs reach us as lone surrogates."""
    log.append(a_record("a", model="caf\udce9.gguf"))
    assert log.runs()[0].model == r"caf\xe9.gguf"
    json.loads(log.path.read_bytes())


def test_a_record_that_could_not_be_read_back_is_refused(log):
    log.append(a_record("a"))
    with pytest.raises(ResultsError, match="impossible score: nan"):
        log.append(a_record("b", score=Score(score=float("nan"))))
    assert ids(log) == ["a"]


def test_a_path_under_a_file_is_a_clear_error(tmp_path: Path):
    (tmp_path / "file").write_text("")
    log = RunLog(tmp_path / "file" / "benchmark_results.json")
    for act in (lambda: log.append(a_record("a")), log.check):
        with pytest.raises(ResultsError, match=r"Not a directory|File exists") as error:
            act()
        assert "--results-dir" in error.value.hint


@pytest.mark.usefixtures("binding_permissions")
def test_a_folder_that_may_not_be_written_is_a_clear_error(log):
    log.append(a_record("a"))
    log.path.chmod(stat.S_IRUSR)
    log.path.parent.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        assert ids(log) == ["a"]
        with pytest.raises(ResultsError, match="Permission denied"):
            log.append(a_record("b"))
        with pytest.raises(ResultsError, match="Permission denied"):
            log.check()
    finally:
        log.path.parent.chmod(stat.S_IRWXU)


def test_the_permissions_of_a_shared_log_survive_a_rewrite(log):
    log.append(a_record("a"))
    log.path.chmod(0o664)
    log.append(a_record("a", resumed=1), replace=True)
    assert stat.S_IMODE(log.path.stat().st_mode) == 0o664


def test_a_log_that_is_a_link_stays_a_link(tmp_path: Path):
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "benchmark_results.json"
    link.symlink_to(tmp_path / "elsewhere" / "log.json")
    RunLog(link).append(a_record("a"))
    RunLog(link).append(a_record("a", resumed=1), replace=True)
    assert link.is_symlink()
    assert json.loads((tmp_path / "elsewhere" / "log.json").read_text())["runs"][0]["resumed"] == 1
