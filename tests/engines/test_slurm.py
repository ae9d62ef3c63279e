"""The Slurm engine on a real Slurm: arrays, ends, kills of everything, and a coordinator that comes back."""

from __future__ import annotations

import pytest

from engines.contract import EndKind
from engines.slurm.engine import Settings, make
from tests.engines.driving import driven_sweep
from tests.engines.slurm_cluster import slurm_cluster

pytestmark = pytest.mark.engines


@pytest.fixture(scope="module")
def running_cluster():
    with slurm_cluster() as cluster:
        yield cluster


@pytest.fixture
def cluster(running_cluster, monkeypatch):
    """One whose daemons all run, and without jobs."""
    for name, value in running_cluster.environment.items():
        monkeypatch.setenv(name, value)
    running_cluster.start()
    return running_cluster


def engine(sweep, **settings):
    return make(Settings(**{"gres": "none", "poll_s": 1.0, "settle_s": 1.0, **settings}), sweep.said)


def test_units_of_one_moment_are_one_array_and_end_as_on_this_machine(cluster, tmp_path):
    sweep = driven_sweep(tmp_path, models=3, limit=2)
    slurm = engine(sweep)
    assert not slurm.check(sweep.left())
    ends = sweep.drive(slurm)
    assert [end.kind for end in ends] == [EndKind.DONE] * 3
    assert len(sweep.scores()) == 3
    assert len({end.attempt.handle.rpartition("/")[2] for end in ends}) == 1
    assert {end.place for end in ends} <= {"n1", "n2"}
    assert not cluster.processes()
