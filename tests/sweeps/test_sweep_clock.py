"""The machine's clock is set back while a sweep is in progress: nothing is lost, and nothing is done again."""

from __future__ import annotations

import shutil
import signal
import subprocess

import pytest

from tests.command_line import PROGRAM, PROGRAMS, logged, wait_for
from tests.sweep_runs import models, own_devices, resume, server, status

pytestmark = pytest.mark.usefixtures("own_devices")
__all__ = ["own_devices"]
THREE_DAYS_S = 3 * 24 * 3600


@pytest.fixture
def three_days_ago(tmp_path):
    """The environment of programs whose clock is three days late."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler on this machine")
    library = tmp_path / "clock.so"
    source = PROGRAMS / "clock_set_back.c"
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-Wall", "-Werror", "-o", library, source, "-ldl"], check=True
    )
    return {"LD_PRELOAD": str(library), "CLOCK_BACK_S": str(THREE_DAYS_S)}


@pytest.mark.servers
def test_runs_that_began_before_their_sweep_by_the_clock_are_its_runs(tmp_path, three_days_ago):
    results = tmp_path / "r"
    words = [*models(tmp_path / "m", "a", "b"), *server(None, "--delay", 0.2), "--benchmark", "human_eval"]
    with subprocess.Popen(
        [PROGRAM, "sweep", *map(str, words), "--limit", "12", "--results-dir", results],
        stderr=subprocess.DEVNULL,
    ) as process:
        wait_for(lambda: list(results.glob("*/completions.jsonl")), 60)
        process.send_signal(signal.SIGINT)
    done = resume(results, env=three_days_ago)
    assert done.code == 0, done.err
    before = logged(results)
    first, second = sorted(before, key=lambda record: record["model"])
    assert second["run_id"] < first["run_id"], "its id says that it began before"
    for environment in (None, three_days_ago):
        again = resume(results, env=environment)
        assert again.code == 0, again.err
        assert logged(results) == before
    assert set(status(results).values()) == {"succeeded"}
