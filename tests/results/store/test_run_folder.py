"""A run's folder has a safe and unique name, its record is never half written, and a dead harness is seen."""

from __future__ import annotations

import datetime as dt
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from results.errors import NewerRecord, ResultsError, UsageError
from results.folders import default_results_dir
from results.records import RunStatus, ServerFacts
from results.store.run_folder import RunFolder, all_records
from tests.results.conftest import a_record

NOW = dt.datetime(2026, 11, 21, 4, 46, tzinfo=dt.timezone(dt.timedelta(hours=1)))
ROOT = Path(__file__).resolve().parents[3]


def test_the_name_says_when_what_and_which_model(tmp_path):
    folder = RunFolder.create(tmp_path / "new" / "results", "human_eval", "SmolLM2-135M-Q4_1", NOW)
    assert re.fullmatch(r"20261121T034600Z-human_eval-SmolLM2-135M-Q4_1-[0-9a-f]{4}", folder.run_id)
    assert folder.path.is_dir()


@pytest.mark.parametrize(
    "model", ["../../etc/passwd", "a b\n\0c", "模型", "", "-rf", ".hidden", "caf\udce9", "x" * 999]
)
def test_no_model_name_makes_a_dangerous_folder_name(tmp_path, model):
    folder = RunFolder.create(tmp_path, "lcb", model, NOW)
    assert re.fullmatch(r"[0-9TZ]+-lcb-[A-Za-z0-9][A-Za-z0-9._-]*-[0-9a-f]{4}", folder.run_id)
    assert folder.path.parent == tmp_path
    assert len(folder.run_id) < 120


def test_a_long_model_name_keeps_its_quantisation(tmp_path):
    model = "Meta-Llama-3.1-70B-Instruct-abliterated-by-somebody-with-a-long-name-Q4_K_M"
    assert "-Q4_K_M-" in RunFolder.create(tmp_path, "human_eval", model, NOW).run_id


def test_runs_of_the_same_second_have_folders_of_their_own(tmp_path):
    assert len({RunFolder.create(tmp_path, "human_eval", "m", NOW).run_id for _ in range(300)}) == 300


def test_a_time_without_zone_is_refused(tmp_path):
    with pytest.raises(ValueError, match="time zone"):
        RunFolder.create(tmp_path, "human_eval", "m", NOW.replace(tzinfo=None))


def test_the_record_is_read_as_it_was_written(tmp_path):
    folder = RunFolder.create(tmp_path, "human_eval", "m", NOW)
    for status in (RunStatus.STARTED, RunStatus.SUCCEEDED):
        folder.write_record(a_record(folder.run_id, status=status))
        assert folder.read_record() == a_record(folder.run_id, status=status)
    assert [path.name for path in folder.path.iterdir()] == ["run.json"]


def test_runs_of_one_model_that_start_in_the_same_second_sort_by_their_start(tmp_path):
    """A shell loop over a fast server makes several a second, and `last` is the last one."""
    starts = [NOW.replace(microsecond=1000 * number) for number in range(0, 1000, 50)]
    made = [RunFolder.create(tmp_path, "human_eval", "m", start).run_id for start in starts]
    assert made == sorted(made)


def test_what_the_server_really_did_keeps_its_name_on_disk(tmp_path):
    """Records of every version have it as `in_force`."""
    folder = RunFolder.create(tmp_path, "human_eval", "m", NOW)
    effective = {"ctx_size": 4096}
    folder.write_record(a_record(folder.run_id, server=ServerFacts(kind="llama.cpp", effective=effective)))
    assert json.loads(folder.run_json.read_text())["server"]["in_force"] == effective
    found = folder.read_record()
    assert found.server is not None
    assert found.server.effective == effective


def test_runs_are_found_by_a_prefix_and_a_broken_record_hides_no_other(tmp_path):
    folders = [RunFolder.create(tmp_path, "human_eval", name, NOW) for name in ("one", "two", "six")]
    for folder in folders:
        folder.write_record(a_record(folder.run_id))
    folders[1].run_json.write_text('{"run_id":')
    (tmp_path / "not-a-run").mkdir()
    warnings: list[str] = []
    found = all_records(tmp_path, warn=warnings.append)
    assert {folder.run_id for folder, _ in found} == {folders[0].run_id, folders[2].run_id}
    assert len(warnings) == 1
    assert folders[1].run_id in warnings[0]
    assert RunFolder.find(tmp_path, "20261121T034600Z-human_eval-si") == folders[2]
    with pytest.raises(UsageError, match="matches 3 runs"):
        RunFolder.find(tmp_path, "2026")
    with pytest.raises(UsageError, match="no run") as unknown:
        RunFolder.find(tmp_path / "nowhere", "2026")
    assert "no runs yet" in unknown.value.hint


def test_a_newer_record_is_a_clear_error(tmp_path):
    folder = RunFolder.create(tmp_path, "human_eval", "m", NOW)
    folder.write_record(a_record(folder.run_id, schema_version=1))
    folder.run_json.write_text(
        folder.run_json.read_text().replace('"schema_version":1', '"schema_version":99')
    )
    with pytest.raises(NewerRecord, match="schema 99"):
        folder.read_record()


HARNESS = """
import sys, time
from pathlib import Path
from results.store.run_folder import RunFolder
with RunFolder(Path(sys.argv[1])).claim():
    print("claimed", flush=True)
    time.sleep(60)
"""


def test_a_run_whose_harness_was_killed_is_shown_as_interrupted(tmp_path):
    """It could not say so itself; and while it lives nobody else may take the run."""
    folder = RunFolder.create(tmp_path, "human_eval", "m", NOW)
    started = a_record(folder.run_id, status=RunStatus.STARTED)
    folder.write_record(started)
    assert folder.effective_status(started) is RunStatus.INTERRUPTED
    with subprocess.Popen(
        [sys.executable, "-c", HARNESS, folder.path], cwd=ROOT, stdout=subprocess.PIPE
    ) as harness:
        assert harness.stdout.readline() == b"claimed\n"
        assert folder.effective_status(started) is RunStatus.STARTED
        with pytest.raises(ResultsError, match="another process is working on"), folder.claim():
            pass
        harness.kill()
    assert folder.effective_status(started) is RunStatus.INTERRUPTED
    with folder.claim():
        assert folder.is_alive()
        assert folder.effective_status(started) is RunStatus.STARTED
    assert folder.effective_status(a_record("x", status=RunStatus.FAILED)) is RunStatus.FAILED


def test_a_results_folder_that_cannot_be_made_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultsError, match="Not a directory") as error:
        RunFolder.create(tmp_path / "file" / "results", "human_eval", "m", NOW)
    assert "--results-dir" in error.value.hint


@pytest.mark.usefixtures("binding_permissions")
def test_a_results_folder_that_may_not_be_written_is_a_clear_error(tmp_path):
    tmp_path.chmod(0o555)
    with pytest.raises(ResultsError, match="Permission denied"):
        RunFolder.create(tmp_path, "human_eval", "m", NOW)


def test_the_default_results_folder(monkeypatch):
    monkeypatch.delenv("BENCH_RESULTS_DIR", raising=False)
    assert default_results_dir() == Path("benchmark_results")
    monkeypatch.setenv("BENCH_RESULTS_DIR", "/data/runs")
    assert default_results_dir() == Path("/data/runs")
