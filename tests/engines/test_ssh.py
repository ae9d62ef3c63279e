"""A sweep on machines that are reached by ssh: nothing is lost, whatever dies, and nothing is left behind."""

from __future__ import annotations

import collections
import contextlib
import json
import os
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from engines.contract import EndKind
from engines.node.attempt_files import read_node
from engines.node_looks import question_for
from engines.ssh.engine import Settings, make
from results.store.attempts import Attempts, runs_in
from results.store.run_folder import RunFolder
from results.store.sweep_folder import all_sweeps
from runner.host import harness_facts
from tests.command_line import PROGRAM, bench_runner, wait_for
from tests.engines.driving import ANSWERED, driven_manifest, driven_sweep
from tests.engines.ssh_hosts import ssh_hosts
from tests.sweep_runs import TWO_CARDS, scores

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


def asked(generated) -> collections.Counter[str]:
    """How often each answer was generated."""
    pairs = (line.rpartition(" ") for line in generated)
    return collections.Counter(f"{Path(model).name} {task}" for model, _, task in pairs)


def brought_some(sweep, places, but):
    """An attempt at one of these machines, once it has brought some answers: its folder, and the machine's name."""
    known: dict[Path, int] = {}

    def found():
        for entry in sweep.store.attempts.running():
            folder = sweep.store.attempts.folder(entry.unit_id, entry.number)
            known.setdefault(folder, sweep.here(folder))  # what it goes on with
            if folder not in but and entry.place in places and sweep.here(folder) >= known[folder] + 2:
                return folder, entry.place
        return None

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


def kill_connection(host):
    host.kill_connections()


def kill_host_program(host):
    host.kill("engines.node.host_program")


def kill_unit_program(host):
    host.kill("engines.node.unit_program")


def power_off(host):
    host.power_off()


def cut_cable(host):
    host.cut_cable()


@pytest.mark.parametrize(
    "kills", [(kill_connection, kill_host_program, kill_unit_program), (power_off,), (cut_cable,)]
)
def test_what_dies_costs_no_answer_that_had_come_back(kills, sweep_on, machines):
    """The unit goes on at the other machine, or there again, and the results are those without any kill."""
    limit = 8 * (1 + len(kills))
    settings = {"silence_s": 3} if cut_cable in kills else {}
    sweep, engine = sweep_on(models=2, limit=limit, delay_s=0.1, settings=settings)
    hosts = {host.name: host for host in machines.hosts}
    killed: dict[Path, str] = {}
    had_come: dict[str, int] = {}

    def kill():
        for each in kills:
            attempt, place = brought_some(sweep, hosts, killed)
            killed[attempt] = place
            each(hosts[place])

    def note(end):
        if end.kind is EndKind.LOST:
            now = asked(sweep.generated())
            had_come.update({name: now[name] for name in streamed(end.attempt)})

    try:
        with meanwhile(kill):
            ends = sweep.drive(engine, before=note)
        assert sum(end.kind is EndKind.DONE for end in ends) == 2
        assert {end.attempt.folder: end.place for end in ends if end.kind is EndKind.LOST} == killed
        assert len(had_come) >= 2 * len(kills)
        in_the_end = asked(sweep.generated())
        assert {name: in_the_end[name] for name in had_come} == had_come
        assert {label: len(answers) for label, (_, answers) in sweep.scores().items()} == {
            "m0 human_eval": limit,
            "m1 human_eval": limit,
        }
        for host in machines.hosts:
            wait_for(lambda host=host: not host.processes())
    finally:
        for place in killed.values():
            if cut_cable in kills:
                hosts[place].mend_cable()
            if power_off in kills:
                hosts[place].start()


@pytest.fixture
def by_command(machines, tmp_path):
    """The command of a sweep on the machines, where it puts results, and what it may not show."""
    places = {name: machines.folder.parent / name / tmp_path.name for name in HERE}
    manifest = driven_manifest(tmp_path, models=2, limit=10, delay_s=0.1, models_dir=places["models"])
    manifest["engine"] = {
        "name": "ssh",
        "hosts": machines.names,
        "ssh": machines.ssh,
        "environment": ["TEST_TOKEN"],
        "silence_s": 30,
    }
    (tmp_path / "sweep.json").write_text(json.dumps(manifest))
    return ("sweep", tmp_path / "sweep.json", "--results-dir", places["results"]), places["results"]


@contextlib.contextmanager
def begun(words, results):
    """The command, once some answers have come back. It is killed at the end of the block, if it still runs."""
    with subprocess.Popen(
        [PROGRAM, *map(str, words)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "TEST_TOKEN": SECRET},
    ) as process:
        try:
            came = wait_for(lambda: process.poll() is not None or coming(results, least=4), 60)
            assert isinstance(came, set), process.stderr.read().decode()
            yield process
        finally:
            process.kill()


def require_whole(results, answered, came):
    """All runs are there, and nothing that had come back was asked again."""
    assert {label: len(answers) for label, (_, answers) in scores(results).items()} == {
        "m0 human_eval": 10,
        "m1 human_eval": 10,
    }
    assert len(came) >= 4
    counted = asked(answered.read_text().splitlines())
    assert not [name for name in came if counted[name] > 1]


def test_a_killed_coordinator_leaves_nothing_and_the_next_one_goes_on(by_command, machines, tmp_path):
    """By the real commands: kill -9 of `sweep`, then `sweep --resume`. No secret is on a command line or in a file."""
    words, results = by_command
    with begun(words, results) as process:
        commands = [words for host in machines.hosts for words in host.processes().values()]
        process.kill()
        said = process.stderr.read().decode()
    for host in machines.hosts:
        wait_for(lambda host=host: not host.processes())
    came = coming(results, least=1)
    done = bench_runner("sweep", "--resume", "last", "--results-dir", results)
    assert done.code == 0, done.err
    require_whole(results, tmp_path / ANSWERED, came)
    assert commands
    assert not any(SECRET in words for words in commands)
    assert SECRET not in said
    everywhere = (*results.rglob("*"), *(file for host in machines.hosts for file in host.folder.rglob("*")))
    assert not [path for path in everywhere if path.is_file() and SECRET.encode() in path.read_bytes()]


def test_ctrl_c_stops_cleanly_there_and_brings_back_what_was_done(by_command, machines, tmp_path):
    words, results = by_command
    with begun(words, results) as process:
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=60)[1].decode()
    assert process.returncode == 130, said
    assert "sweep --resume" in said
    for host in machines.hosts:
        wait_for(lambda host=host: not host.processes())
    records = [json.loads(path.read_bytes()) for path in results.glob("2*/run.json")]
    assert {record["status"] for record in records} == {"interrupted"}
    assert {record["error"]["message"] for record in records} == {"stopped by SIGTERM"}, (
        "the records from there"
    )
    came = {name for path in results.glob("2*/run.json") for name in answers_of(RunFolder(path.parent))}
    assert bench_runner("sweep", "--resume", "last", "--results-dir", results).code == 0
    require_whole(results, tmp_path / ANSWERED, came)


def test_cancel_ends_attempts_of_a_coordinator_that_is_gone(sweep_on, machines):
    """It is killed without a word, and its node programs are asked to end before they notice."""
    sweep, engine = sweep_on(models=1, limit=100, delay_s=0.2)
    running = engine.run(sweep.units, sweep.store)
    with meanwhile(lambda: engine.cancel(wait_for(lambda: here_of(sweep), 60), 2.0)):
        end = next(running)
    assert end.kind is EndKind.LOST
    assert not [words for host in machines.hosts for words in host.processes(of="unit_program").values()]
    running.close()


def here_of(sweep):
    """The attempts that run, once answers have come back of one."""
    attempts = sweep.store.running()
    return attempts if any(sweep.here(attempt.folder) for attempt in attempts) else None


def test_machines_are_looked_at_before_a_sweep(sweep_on, machines):
    sweep, engine = sweep_on(models=1)
    looks = engine.looks(question_for(sweep.units.waiting))
    assert [look.place for look in looks] == ["one", "two"]
    assert all(look.check is not None and look.check.harness == harness_facts() for look in looks)
    assert not [each for each in engine.check(sweep.units.waiting) if each.is_error]


def test_each_unit_gets_a_card_of_its_own(tmp_path, nvml_library):
    """On a machine with two cards two units run at once, and each sees one card."""
    (tmp_path / "nvml.txt").write_text(TWO_CARDS)
    variables = f"LD_LIBRARY_PATH={nvml_library} NVML_STUB={tmp_path / 'nvml.txt'}"
    sweep = driven_sweep(tmp_path, models=3, limit=4, delay_s=0.2)
    with ssh_hosts(tmp_path / "hosts", ["three"], variables=variables) as machines:
        settings = Settings(hosts=machines.names, ssh=machines.ssh, silence_s=30)
        ends = sweep.drive(make(settings, sweep.said))
    cards = [read_node(end.attempt.folder).cards for end in ends]
    assert all(len(each) == 1 for each in cards)
    assert {each[0] for each in cards} == {"GPU-aaaa", "GPU-bbbb"}
