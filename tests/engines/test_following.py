"""A sweep that nobody coordinates: detached, or killed. Others see it, follow it, cancel it and go on with it."""

from __future__ import annotations

import json
import os
import signal
import subprocess

import pytest

from results.store.attempts import Attempts
from results.store.sweep_folder import SweepFolder, all_sweeps
from tests.command_line import PROGRAM, bench_runner, logged, wait_for
from tests.engines.slurm_cluster import slurm_cluster
from tests.sweep_runs import models, scores, server, status, stored

pytestmark = pytest.mark.engines


@pytest.fixture(scope="module")
def cluster():
    with slurm_cluster() as running:
        yield running


@pytest.fixture
def manifest(cluster, tmp_path, monkeypatch):
    """Two models on Slurm, six problems each, half a second a problem."""
    for name, value in cluster.environment.items():
        monkeypatch.setenv(name, value)
    cluster.start()
    models(tmp_path / "models", "a", "b")
    _, command = server(None, "--delay", 0.5)
    path = tmp_path / "night.json"
    path.write_text(
        json.dumps(
            {
                "engine": {"name": "slurm", "gres": "none", "poll_s": 0.5, "settle_s": 0.5},
                "defaults": {
                    "benchmark": "human_eval",
                    "limit": 6,
                    "server_command": command,
                    "parallel": 1,
                },
                "matrix": {"model": ["models/*.gguf"]},
            }
        )
    )
    return path


def sweep_of(results) -> SweepFolder:
    return SweepFolder.find(results, "last")


def has_completions(results) -> bool:
    """Whether anything was answered on a machine."""
    runs = (run for sweep in all_sweeps(results) for run in Attempts(sweep.path).live_runs())
    return any(run.completions.exists() and run.completions.stat().st_size for run in runs)


def test_a_detached_sweep_is_seen_and_followed_from_elsewhere(manifest, cluster, tmp_path):
    results = tmp_path / "r"
    done = bench_runner("sweep", manifest, "--detach", "--results-dir", results)
    assert (done.code, done.out) == (0, "")
    assert "2 units go on without this process" in done.err
    assert len(Attempts(sweep_of(results).path).running()) == 2
    wait_for(lambda: "running" in status(results).values())
    shown = bench_runner("status", "last", "--results-dir", results).out
    assert "detached: goes on at slurm" in shown
    attached = bench_runner("attach", "last", "--results-dir", results)
    assert attached.code == 0, attached.err
    assert set(status(results).values()) == {"succeeded"}
    assert not cluster.processes()
    local = tmp_path / "local"
    assert bench_runner("sweep", manifest, "--engine", "local", "--results-dir", local).code == 0
    assert scores(results) == scores(local)


def test_a_killed_coordinators_sweep_is_cancelled_and_resumed_without_it(manifest, cluster, tmp_path):
    results = tmp_path / "r"
    coordinator = subprocess.Popen(
        [PROGRAM, "sweep", manifest, "--results-dir", results],
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_for(lambda: has_completions(results))
    finally:
        os.killpg(coordinator.pid, signal.SIGKILL)
        coordinator.wait()
    assert "detached" in bench_runner("status", "last", "--results-dir", results).out
    cancelled = bench_runner("cancel", "last", "--results-dir", results)
    assert cancelled.code == 0, cancelled.err
    assert not cluster.processes()
    assert not Attempts(sweep_of(results).path).running()
    assert bench_runner("cancel", "last", "--results-dir", results).code == 2
    kept = stored(results)
    assert kept
    resumed = bench_runner("retry", "last", "--results-dir", results)
    assert resumed.code == 0, resumed.err
    assert set(status(results).values()) == {"succeeded"}
    assert kept <= stored(results)


def test_a_race_on_an_engine_ends_as_on_this_machine(manifest, tmp_path):
    """Its rounds go on with runs that have succeeded, on more samples."""
    document = json.loads(manifest.read_text())
    models(tmp_path / "models", "c")
    _, command = server()
    document["defaults"] |= {"limit": 80, "server_command": command, "parallel": 4}
    document["matrix"] = {"model": ["models/a.gguf", "models/c.gguf"]}
    manifest.write_text(json.dumps(document))
    ends = {}
    for engine in ("slurm", "local"):
        results = tmp_path / engine
        done = bench_runner("sweep", manifest, "--race", "--engine", engine, "--results-dir", results)
        assert done.code == 0, done.err
        ends[engine] = {record["model"]: record["sweep"]["race_result"] for record in logged(results)}
        assert max(end["samples"] for end in ends[engine].values()) > 21, "more than a round"
    assert ends["slurm"] == ends["local"]
    assert scores(tmp_path / "slurm") == scores(tmp_path / "local")
