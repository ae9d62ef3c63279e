"""A sweep over a server that somebody else runs: each run uses it, and it has no log here."""

from __future__ import annotations

import pytest

from tests.command_line import bench_runner, logged
from tests.evaluation.running_servers import canonical_server
from tests.sweep_runs import own_devices

pytestmark = pytest.mark.usefixtures("own_devices")
__all__ = ["own_devices"]

MANIFEST = """
defaults: {benchmark: human_eval, base_url: URL}
matrix:
  limit: [1, 2, 3]
"""


def test_every_run_of_it_succeeds(tmp_path):
    manifest, results = tmp_path / "m.yaml", tmp_path / "r"
    with canonical_server() as url:
        manifest.write_text(MANIFEST.replace("URL", url))
        done = bench_runner("sweep", manifest, "--results-dir", results)
        assert done.code == 0, done.err
        again = bench_runner("sweep", "--resume", "last", "--results-dir", results)
        assert again.code == 0, again.err
    assert [(run["status"], run["score"]["samples"]) for run in logged(results)] == [
        ("succeeded", n) for n in (1, 2, 3)
    ]
    assert not list(results.glob("*/server.log"))
