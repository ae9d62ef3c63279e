"""What nobody coordinates any more is ended and taken over, whoever comes: `cancel`, or a sweep on another engine."""

from __future__ import annotations

import time

import msgspec
import pytest

from engines import registry
from engines.modal.engine import ModalEngine
from engines.ray.engine import RayEngine
from engines.slurm.engine import SlurmEngine
from engines.ssh.engine import SshEngine
from results.errors import UsageError
from results.records import RunStatus
from results.store.attempts import Attempts
from results.store.run_log import RUN_LOG_NAME, RunLog
from results.store.sweep_folder import EngineText
from sweeps import without_coordinator
from sweeps.without_coordinator import cancel_attempts, is_out
from tests.engines.driving import Said
from tests.engines.test_folder_store import Made
from tests.sweeps.example_engine import Example


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A sweep of two runs on an engine, of which a machine has done one and a half; its coordinator is gone."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setitem(registry.ENGINES, "slurm", "tests.sweeps.example_engine")
    made = Made(tmp_path)
    monkeypatch.setattr(Example, "machines", made.machines)
    made.do(made.attempt)
    on(made, "slurm")
    return made


def cancel(made, said=None) -> int:
    with made.folder.claim():
        return cancel_attempts(made.folder, made.folder.read(), said or Said())


def on(made, name, **settings):
    folder = made.folder
    folder.write(msgspec.structs.replace(folder.read(), engine=EngineText(name=name, settings=settings)))


def test_attempts_that_nobody_coordinates_are_ended_and_what_they_did_is_kept(made):
    assert is_out(made.folder)
    assert cancel(made) == 1
    assert not is_out(made.folder)
    runs = [record for _, record in made.folder.runs(warn=pytest.fail).values()]
    assert sorted(record.status for record in runs) == [RunStatus.INTERRUPTED, RunStatus.SUCCEEDED]
    (cut,) = [record for record in runs if record.status is RunStatus.INTERRUPTED]
    assert "cancelled" in cut.error.message
    assert Attempts(made.folder.path).entries()[-1].what == "cancelled"
    logged = RunLog(made.results / RUN_LOG_NAME).lines()
    assert len(logged) == 2, "the unfinished one too"


def test_cancelling_twice_does_nothing_more(made):
    assert cancel(made) == 1
    before = Attempts(made.folder.path).entries()
    assert cancel(made) == 0
    assert Attempts(made.folder.path).entries() == before


def test_a_sweep_leaves_an_engine_that_cant_be_used_any_more_if_nothing_is_out(made):
    cancel(made)
    on(made, "ssh", hosts="a", ssh="no-such-ssh")
    assert cancel(made) == 0
    on(made, "slurm", token="${NOT_SET_ANYWHERE}")
    assert cancel(made) == 0


def test_what_ended_with_its_coordinator_is_kept_though_its_engine_cant_be_used_any_more(made):
    on(made, "ssh", hosts="a", ssh="no-such-ssh")
    said = Said()
    assert cancel(made, said) == 1
    assert not is_out(made.folder)
    runs = [record.status for _, record in made.folder.runs(warn=pytest.fail).values()]
    assert sorted(runs) == [RunStatus.INTERRUPTED, RunStatus.SUCCEEDED]
    assert any("ssh can't be used any more: there is no program 'no-such-ssh'" in line for line in said.lines)


def test_what_goes_on_without_its_coordinator_is_not_given_up_because_its_engine_cant_be_used(made):
    on(made, "slurm", token="${NOT_SET_ANYWHERE}")
    with pytest.raises(UsageError):
        cancel(made)
    assert is_out(made.folder)


def test_it_is_known_which_engines_end_with_their_coordinator():
    found = {"ssh": SshEngine, "slurm": SlurmEngine, "ray": RayEngine, "modal": ModalEngine}
    assert found.keys() == registry.ENGINES.keys()
    ends = {name for name, engine in found.items() if not engine.capabilities.outlives_coordinator}
    assert ends == registry.END_WITH_COORDINATOR


def run_of_a_scheduler_that_is_away(self, units, store):
    yield from ()
    while not (units.is_done and not store.running()):
        time.sleep(0.01)


def test_a_scheduler_that_stays_away_holds_no_sweep(made, monkeypatch):
    """Without a limit, the sweep stays claimed, and nothing can go on with it."""
    monkeypatch.setattr(without_coordinator, "QUIET_S", 0.2)
    monkeypatch.setattr(Example, "run", run_of_a_scheduler_that_is_away)
    said = Said()
    assert cancel(made, said) == 1
    assert not is_out(made.folder)
    assert any("1 units are given up as cancelled" in line for line in said.lines)
    assert Attempts(made.folder.path).entries()[-1].what == "cancelled"
