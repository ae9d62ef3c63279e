"""The Ray engine on a real cluster of two nodes with a token, and what it does when parts of that are killed."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest

from engines.contract import EndKind
from engines.ray.engine import Settings, make
from tests.engines.driving import Said, driven_sweep
from tests.engines.ray_cluster import RAY, ray_cluster

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
