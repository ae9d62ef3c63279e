"""What nobody coordinates any more is ended and taken over, whoever comes: `cancel`, or a sweep on another engine."""

from __future__ import annotations

import msgspec
import pytest

from engines import registry
from results.records import RunStatus
from results.store.attempts import Attempts
from results.store.run_log import RUN_LOG_NAME, RunLog
from results.store.sweep_folder import EngineText
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
    folder = made.folder
    folder.write(msgspec.structs.replace(folder.read(), engine=EngineText(name="slurm")))
    return made


def cancel(made) -> int:
    with made.folder.claim():
        return cancel_attempts(made.folder, made.folder.read(), Said())


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
