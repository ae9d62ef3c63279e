"""The Ray engine on a real cluster of two nodes with a token, and what it does when parts of that are killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest

from engines.contract import EndKind
from engines.ray.engine import Settings, make
from processes.signals import Interruptions
from processes.tree import descendants, send_signal
from results.errors import Interrupted
from tests.command_line import PROGRAM, bench_runner, wait_for
from tests.engines.driving import Said, driven_sweep
from tests.engines.ray_cluster import RAY, RayCluster, command_of, ray_cluster
from tests.sweep_runs import models, scores, server

pytestmark = [
    pytest.mark.engines,
    pytest.mark.skipif(not RAY.exists(), reason="Ray is not installed: see `make test-engines`"),
]


@pytest.fixture(scope="module")
def short_folder():
    """The names of Ray's sockets have to be short."""
    folder = Path(tempfile.mkdtemp(prefix="ray-test-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def shared_cluster(short_folder):
    with ray_cluster(short_folder, "alpha", "beta") as cluster:
        yield cluster


@pytest.fixture
def cluster(shared_cluster, monkeypatch):
    for name, value in shared_cluster.env.items():
        monkeypatch.setenv(name, value)
    return shared_cluster


def engine(**settings):
    return make(Settings(cpus=1, **settings), Said())


def nothing_left(cluster):
    return not cluster.left(b"unit_program", b"canonical_server", b"run_human_eval")


def test_a_sweep_comes_to_its_end_on_both_nodes(cluster, tmp_path):
    sweep = driven_sweep(tmp_path, models=3, limit=3)
    assert not engine().check(sweep.units.waiting)
    ends = sweep.drive(engine())
    assert [end.kind for end in ends] == [EndKind.DONE] * 3
    assert len(sweep.scores()) == 3
    assert len(sweep.generated()) == 9
    assert nothing_left(cluster)
    started = [entry for entry in sweep.store.attempts.entries() if entry.what == "started"]
    assert all(entry.handle.startswith("job ") for entry in started)


def streamed(sweep):
    """The completions that have come, as the server's log names them."""
    found = set()
    for path in sweep.results.glob("sweeps/*/units/*/*/*/completions.jsonl"):
        model = json.loads((path.parent / "run.json").read_text())["config"]["path"]
        whole = path.read_bytes().rpartition(b"\n")[0].decode().splitlines()
        found |= {f"{model} {json.loads(line)['task_id']}" for line in whole}
    return found


def test_whatever_is_killed_costs_only_what_had_not_come(cluster, tmp_path):
    """A task's worker, then the driver, then a whole node."""
    sweep = driven_sweep(tmp_path, models=2, limit=22, delay_s=0.15)
    kept = set()

    def strike():
        for fault in (kill_worker, kill_driver, end_node):
            before = len(sweep.generated())
            wait_for(lambda before=before: len(sweep.generated()) >= before + 4 and streamed(sweep), 60)
            kept.update(streamed(sweep))
            fault(cluster)

    striking = threading.Thread(target=strike)
    striking.start()
    ends = sweep.drive(engine())
    striking.join()
    kinds = [end.kind for end in ends]
    assert kinds.count(EndKind.DONE) == 2
    assert kinds.count(EndKind.LOST) >= 3, (
        ends
    )  # one by its worker, two by the driver, perhaps one by the node
    worker = next(end for end in ends if end.kind is EndKind.LOST)
    assert "was killed" in worker.why
    generated = sweep.generated()
    assert kept
    assert all(generated.count(each) == 1 for each in kept), "a completion that had come was generated again"
    assert {label: len(answers) for label, (_, answers) in sweep.scores().items()} == {
        "m0 human_eval": 22,
        "m1 human_eval": 22,
    }
    assert nothing_left(cluster)


def kill_worker(cluster):
    send_signal(cluster.workers()[0], signal.SIGKILL)


def kill_driver(cluster):
    (driver,) = [
        each
        for each in descendants(os.getpid())
        if b"engines.ray.driver" in command_of(each) and b"guardian" not in command_of(each)
    ]
    send_signal(driver, signal.SIGKILL)
    wait_for(lambda: nothing_left(cluster), 10)  # before the next attempts begin there


def end_node(cluster):
    node = cluster.nodes.pop()
    node.end()
    cluster.add(name="gamma")


def test_a_sweep_that_is_stopped_leaves_nothing_running_and_brings_what_there_is(cluster, tmp_path):
    sweep = driven_sweep(tmp_path, models=2, limit=40, delay_s=0.2)

    def stop():
        wait_for(lambda: len(streamed(sweep)) >= 2, 60)
        os.kill(os.getpid(), signal.SIGTERM)

    stopping = threading.Thread(target=stop)
    stopping.start()
    with pytest.raises(Interrupted), Interruptions():
        sweep.drive(engine())
    stopping.join()
    assert nothing_left(cluster)
    written = [json.loads(path.read_text()) for path in sweep.results.glob("sweeps/*/units/*/*/end.json")]
    assert written
    assert all(end["kind"] == "cancelled" for end in written)


def test_a_killed_coordinator_takes_its_processes_along_and_a_resume_finishes(cluster, tmp_path):
    answered, results = tmp_path / "answered", tmp_path / "results"
    words = [*models(tmp_path / "models", "a", "b"), *server(answered, "--delay", 0.15), "--limit", 12]
    words += [
        "--benchmark",
        "human_eval",
        "--prompt-style",
        "chat",
        "--parallel",
        1,
        "--results-dir",
        results,
    ]
    with subprocess.Popen(
        [PROGRAM, "sweep", *map(str, words), "--engine", "ray"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as coordinator:
        wait_for(lambda: answered.exists() and answered.read_text().count("\n") >= 6, 60)
        coordinator.kill()
        coordinator.communicate()
    wait_for(lambda: nothing_left(cluster), 15)
    done = bench_runner("sweep", "--resume", "last", "--results-dir", results)
    assert done.code == 0, done.err
    assert {label: len(answers) for label, (_, answers) in scores(results).items()} == {
        "a human_eval": 12,
        "b human_eval": 12,
    }
    assert "ray" not in done.out.lower()
    assert "raylet" not in done.err


def test_a_unit_that_every_node_refuses_fails_with_their_reason(cluster, tmp_path):
    sweep = driven_sweep(tmp_path, models=1, limit=1)
    ends = sweep.drive(engine(python="/nowhere/python", wait_for_nodes_s=0))
    assert [(end.kind, end.elsewhere) for end in ends] == [
        (EndKind.REFUSED, True),
        (EndKind.REFUSED, True),
        (EndKind.REFUSED, False),
    ]
    assert "no such program: /nowhere/python" in ends[-1].why


def test_a_unit_that_fits_on_no_node_is_refused(cluster, tmp_path):
    sweep = driven_sweep(tmp_path, models=1, limit=1)
    too_many = make(Settings(cpus=1000, wait_for_nodes_s=0), Said())
    (finding,) = too_many.check(sweep.units.waiting)
    assert not finding.is_error
    (end,) = sweep.drive(too_many)
    assert (end.kind, end.elsewhere) == (EndKind.REFUSED, False)
    assert "1000 CPUs" in end.why


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"RAY_AUTH_TOKEN": "0" * 32}, "doesn't take this machine's token"),
        ({"RAY_AUTH_TOKEN": "", "HOME": "/nowhere"}, "there is no token for the Ray cluster"),
        ({"RAY_ADDRESS": "127.0.0.1:1"}, "Connection refused"),
        ({"RAY_ADDRESS": "ray://127.0.0.1:10001"}, "is no address of a Ray cluster"),
    ],
)
def test_a_cluster_that_cannot_be_used_is_told_before_anything_starts(cluster, changed, message, monkeypatch):
    for name, value in changed.items():
        monkeypatch.setenv(name, value)
    (finding,) = engine().check(())
    assert finding.is_error
    assert message in finding.message
    assert finding.hint


def test_a_cluster_without_a_token_is_refused(short_folder, monkeypatch):
    cluster = RayCluster(short_folder / "open")
    try:
        cluster.add(name="open", auth="disabled")
        for name, value in cluster.env.items():
            monkeypatch.setenv(name, value)
        (finding,) = engine().check(())
    finally:
        cluster.close()
    assert "asks nobody for a token" in finding.message
    assert "RAY_AUTH_MODE=token" in finding.hint


def test_a_cluster_is_started_here_and_leaves_nothing(tmp_path):
    sweep = driven_sweep(tmp_path, models=1, limit=2)
    here = make(Settings(cpus=1, address="local"), Said())
    assert not here.check(sweep.units.waiting)
    assert [end.kind for end in sweep.drive(here)] == [EndKind.DONE]
