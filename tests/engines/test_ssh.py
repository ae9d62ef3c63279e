"""A sweep on machines that are reached by ssh: nothing is lost, whatever dies, and nothing is left behind."""

from __future__ import annotations

import collections
import contextlib
import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from engines.contract import EndKind
from engines.ssh.engine import Settings, make
from results.store.attempts import Attempts, runs_in
from results.store.sweep_folder import all_sweeps
from tests.command_line import PROGRAM, bench_runner, wait_for
from tests.engines.driving import ANSWERED, driven_manifest, driven_sweep
from tests.engines.ssh_hosts import ssh_hosts
from tests.sweep_runs import scores

pytestmark = pytest.mark.engines
HERE = "models", "results"
SECRET = "token-that-nobody-may-see"


@pytest.fixture(scope="module")
def machines(tmp_path_factory):
    """Two, which don't see the folders of this machine's models and results."""
    folder = tmp_path_factory.mktemp("ssh")
    for name in HERE:
        (folder / name).mkdir()
    with ssh_hosts(folder / "hosts", ["one", "two"], hidden=[folder / name for name in HERE]) as hosts:
        yield hosts


@pytest.fixture
def sweep_on(machines, tmp_path, monkeypatch):
    """Makes a sweep whose models and results the machines don't see, and an engine with these settings."""

    def made(*, settings=None, **facts):
        sweep = driven_sweep(tmp_path, models_dir=machines.folder.parent / "models" / tmp_path.name, **facts)
        given = {"hosts": machines.names, "ssh": machines.ssh, "silence_s": 30, **(settings or {})}
        return sweep, make(Settings(**given), sweep.said)

    return made


def streamed(attempt) -> set[str]:
    """The answers that came back of an attempt, as the servers' log names them."""
    return {name for run in runs_in(attempt.folder) for name in answers_of(run)}


def answers_of(run) -> set[str]:
    whole = run.completions.read_bytes().rpartition(b"\n")[0] if run.completions.exists() else b""
    model = Path(json.loads(run.run_json.read_bytes())["config"]["path"]).name
    return {f"{model} {json.loads(line)['task_id']}" for line in whole.splitlines()}


def coming(results, *, least) -> set[str]:
    """The answers that have come back of attempts that have no end, if so many have."""
    sweeps = all_sweeps(results)
    found = {name for sweep in sweeps for run in Attempts(sweep.path).live_runs() for name in answers_of(run)}
    return found if len(found) >= least else set()


def asked_again(generated) -> set[str]:
    """What was generated more than once."""
    counted: collections.Counter[str] = collections.Counter()
    for line in generated:
        model, _, task = line.rpartition(" ")
        counted[f"{Path(model).name} {task}"] += 1
    return {name for name, count in counted.items() if count > 1}


def on(sweep, place, least=3):
    """The attempt at that machine, once so many of its answers have come back."""

    def found():
        there = [entry for entry in sweep.store.attempts.running() if entry.place == place]
        folders = [sweep.store.attempts.folder(entry.unit_id, entry.number) for entry in there]
        return next((folder for folder in folders if sweep.here(folder) >= least), None)

    return wait_for(found, 60)


@contextlib.contextmanager
def meanwhile(task):
    """Do it in a thread, and let what it raises be seen."""
    with ThreadPoolExecutor(1) as threads:
        future = threads.submit(task)
        yield
        future.result()


def test_a_sweep_on_two_machines_gives_what_one_gives(sweep_on, machines):
    """Models are copied, both machines work, and nothing is left running there."""
    sweep, engine = sweep_on(models=3, limit=3)
    ends = sweep.drive(engine)
    assert [end.kind for end in ends] == [EndKind.DONE] * 3
    assert {end.place for end in ends} == {"one", "two"}
    assert len(sweep.scores()) == 3
    assert len(sweep.generated()) == len(set(sweep.generated())) == 9
    for host in machines.hosts:
        wait_for(lambda host=host: not host.processes())
        assert not list((host.workdir / "attempts").glob("*/*/*")), "an attempt's folder is left"


KILLS = {
    "connection": lambda host: host.kill_connections(),
    "host program": lambda host: host.kill("engines.node.host_program"),
    "unit program": lambda host: host.kill("engines.node.unit_program"),
    "machine": lambda host: host.power_off(),
    "cable": lambda host: host.cut_cable(),
}


@pytest.mark.parametrize("what", KILLS)
def test_what_dies_costs_no_answer_that_had_come_back(what, sweep_on, machines):
    """The unit goes on at the other machine, or there again, and the results are those without any kill."""
    sweep, engine = sweep_on(
        models=2, limit=10, delay_s=0.1, settings={"silence_s": 3} if what == "cable" else {}
    )
    host = machines.hosts[0]
    had_come: set[str] = set()

    def kill():
        on(sweep, host.name)
        KILLS[what](host)

    def note(end):
        if end.kind is EndKind.LOST:
            had_come.update(lost := streamed(end.attempt))
            assert lost

    try:
        with meanwhile(kill):
            ends = sweep.drive(engine, before=note)
        assert sorted(end.kind for end in ends) == [EndKind.DONE] * 2 + [EndKind.LOST]
        assert [end.place for end in ends if end.kind is EndKind.LOST] == [host.name]
        assert len(had_come) >= 3
        assert not had_come & asked_again(sweep.generated())
        assert {label: len(answers) for label, (_, answers) in sweep.scores().items()} == {
            "m0 human_eval": 10,
            "m1 human_eval": 10,
        }
        wait_for(lambda: not host.processes())
    finally:
        if what == "cable":
            host.mend_cable()
        if what == "machine":
            host.start()


def test_a_killed_coordinator_leaves_nothing_and_the_next_one_goes_on(machines, tmp_path):
    """By the real commands: kill -9 of `sweep`, then `sweep --resume`. No secret is on a command line or in a file."""
    places = {name: machines.folder.parent / name / tmp_path.name for name in HERE}
    manifest = driven_manifest(tmp_path, models=2, limit=10, delay_s=0.1, models_dir=places["models"])
    manifest["engine"] = {
        "name": "ssh",
        "hosts": machines.names,
        "ssh": machines.ssh,
        "environment": ["TEST_TOKEN"],
    }
    (tmp_path / "sweep.json").write_text(json.dumps(manifest))
    words = ("sweep", tmp_path / "sweep.json", "--results-dir", places["results"])
    with subprocess.Popen(
        [PROGRAM, *map(str, words)], stderr=subprocess.PIPE, env={**os.environ, "TEST_TOKEN": SECRET}
    ) as process:
        try:
            came = wait_for(lambda: process.poll() is not None or coming(places["results"], least=4), 60)
            commands = [words for host in machines.hosts for words in host.processes().values()]
        finally:
            process.kill()
        said = process.stderr.read().decode()
    assert isinstance(came, set), said
    for host in machines.hosts:
        wait_for(lambda host=host: not host.processes())
    came = coming(places["results"], least=1)
    done = bench_runner("sweep", "--resume", "last", "--results-dir", places["results"])
    assert done.code == 0, done.err
    assert {label: len(answers) for label, (_, answers) in scores(places["results"]).items()} == {
        "m0 human_eval": 10,
        "m1 human_eval": 10,
    }
    assert len(came) >= 4
    assert not came & asked_again((tmp_path / ANSWERED).read_text().splitlines())
    assert commands
    assert not any(SECRET in words for words in commands)
    assert SECRET not in said
    everywhere = (
        *places["results"].rglob("*"),
        *(file for host in machines.hosts for file in host.folder.rglob("*")),
    )
    assert not [path for path in everywhere if path.is_file() and SECRET.encode() in path.read_bytes()]
