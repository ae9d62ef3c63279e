"""A sweep on machines that are reached by ssh: nothing is lost, whatever dies, and nothing is left behind."""

from __future__ import annotations

import pytest

from engines.contract import EndKind
from engines.ssh.engine import Settings, make
from results.store.attempts import runs_in
from tests.command_line import lines, wait_for
from tests.engines.driving import driven_sweep
from tests.engines.ssh_hosts import ssh_hosts

pytestmark = pytest.mark.engines
HERE = "models", "results"


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
    """What came back of an attempt, as the servers' log names it."""
    return {line["task_id"] for run in runs_in(attempt.folder) for line in lines(run.completions)}


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
