"""The preflight of a request is that of `sweep --dry-run`, by a process that ends in time and leaves nothing behind."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from results.errors import ResultsError
from telemetry.contract import DeviceFacts
from web.catalogue import preflight
from web.catalogue.mistakes import RequestRefused
from web.catalogue.preflight import PreflightBusy, preflight_report
from web.catalogue.request import RunConfig, RunRequest
from web.config import ServeConfig
from web.working.devices import Devices


@pytest.fixture
def config(tmp_path):
    data = tmp_path / "questions.jsonl"
    data.write_text("no JSON\n")
    return ServeConfig(results_dir=tmp_path, state_dir=tmp_path / ".serve", data={"questions": data})


def test_the_report_of_what_would_run(config):
    found = preflight_report(RunRequest(suite="human_eval", config=RunConfig(params={"limit": 1})), config)
    assert found["ok"] is True
    assert [need["label"] for need in found["needs"]] == ["SmolLM2-135M-Instruct.Q4_1 human_eval"]
    assert sorted(path.name for path in config.results_dir.iterdir()) == ["questions.jsonl"]


def test_a_note_names_the_manifest_and_no_file(config):
    manifest = {"defaults": {"model": "demo", "benchmark": "human_eval", "limit": 1}, "runs": [{}, {}]}
    (note,) = preflight_report(RunRequest(manifest=manifest), config)["notes"]
    assert note == "manifest: the same run is already listed (manifest); it runs only once"


def test_it_sees_what_one_job_would_see(config, monkeypatch, tmp_path):
    """With all GPUs, a model that needs two would be said to fit, and its job would fail."""
    program = tmp_path / "program.py"
    program.write_text(
        'import json, os\nprint(json.dumps({"needs": [{"seen": os.environ.get("CUDA_VISIBLE_DEVICES")}]}))\n'
    )
    monkeypatch.setattr(preflight, "_PROGRAM", program)
    gpus = tuple(DeviceFacts(kind="nvidia", uuid=f"GPU-{each}", index=at) for at, each in enumerate("ab"))
    monkeypatch.setattr(preflight, "find_devices", lambda: Devices(gpus))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    preflight._one_jobs_device.cache_clear()
    try:
        found = preflight_report(RunRequest(suite="human_eval"), config)
    finally:
        preflight._one_jobs_device.cache_clear()
    assert found["needs"] == [{"seen": "GPU-a"}]


def test_a_benchmarks_own_check_of_its_data_is_told(config):
    with pytest.raises(RequestRefused) as refused:
        preflight_report(
            RunRequest(suite="gsm8k", config=RunConfig(params={"dataset": "questions", "limit": 1})), config
        )
    (mistake,) = refused.value.mistakes
    assert mistake.what.startswith("questions:1: not a JSON object")


def test_it_does_not_wait_without_end(config):
    with pytest.raises(ResultsError, match=r"did not end within 0\.01 s"):
        preflight_report(RunRequest(suite="human_eval"), config, patience_s=0.01)


def test_it_waits_for_no_place(config):
    """Who waits would hold a thread that others need: a day here."""
    with ThreadPoolExecutor() as threads, preflight._places, preflight._places:
        asked = threads.submit(preflight_report, RunRequest(suite="human_eval"), config, patience_s=86400.0)
        with pytest.raises(PreflightBusy):
            asked.result(30)
