"""What is asked for is there in the end, once, whatever was there before and whenever the asking was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from choosing.asked_runs import RunSource
from commands.setting_options import asked_by_options
from processes.signals import Interruptions
from results.errors import UsageError
from results.store.run_folder import all_records
from runner.display import Lines
from tests.command_line import ROOT
from tests.sweep_runs import models, own_devices, server

pytestmark = pytest.mark.usefixtures("own_devices")
__all__ = ["own_devices"]


def asked(model, **more):
    _, command = server()
    return asked_by_options(
        {"benchmark": "human_eval", "model": str(model), "server_command": command, "limit": "2", **more}
    )


def source(results) -> RunSource:
    return RunSource(name="proof", results_dir=results, display=Lines(), held=Interruptions().held)


def ids(found) -> list[list[str]]:
    return [[record.run_id for _, record in each.runs] for each in found]


def everything(results) -> set[str]:
    return {record.run_id for _, record in all_records(results, warn=pytest.fail)}


def test_copies_are_runs_of_their_own_and_asking_again_repeats_none(tmp_path, capfd):
    a, b = models(tmp_path / "m[1]", "a", "b")
    first = source(tmp_path / "r").ask([asked(b), asked(a), asked(b)], copies=2)
    of_b, of_a, again = ids(first)
    assert len({*of_a, *of_b}) == 4
    assert of_b == again
    assert [each.runs[0][1].model for each in first] == ["b", "a", "b"]
    capfd.readouterr()
    assert sorted(map(sorted, ids(source(tmp_path / "r").ask([asked(a), asked(b)], copies=2)))) == sorted(
        map(sorted, [of_a, of_b])
    )
    assert capfd.readouterr().err.count("reused: ") == 4
    assert everything(tmp_path / "r") == {*of_a, *of_b}


def test_a_run_that_fails_is_told_and_the_others_are_there(tmp_path):
    a, b = models(tmp_path / "m", "a", "b")
    broken = asked(b).but(server_command=f"{sys.executable} -c exit(3) {{model}} {{port}}")
    fails, works = source(tmp_path / "r").ask([broken, asked(a)], copies=2)
    assert (fails.runs, fails.failed.error.kind) == ((), "server_exited")
    assert len(works.runs) == 2
    assert works.failed is None


def test_a_model_that_is_none_is_told_and_the_others_are_there(tmp_path):
    (a,) = models(tmp_path / "m", "a")
    broken = tmp_path / "m" / "torn.gguf"
    broken.write_bytes(b"GGUF")
    fails, works = source(tmp_path / "r").ask([asked(broken).but(server_command=None), asked(a)])
    assert fails.runs == ()
    assert fails.error
    assert len(works.runs) == 1


def test_impossible_settings_start_nothing(tmp_path):
    (a,) = models(tmp_path / "m", "a")
    with pytest.raises(UsageError):
        source(tmp_path / "r").ask([asked(a), asked(a).but(parser="none_such")])
    assert not (tmp_path / "r").exists()


ASK = """
import sys
from pathlib import Path
from tests.choosing.test_asked_runs import asked, source
results, model, command = sys.argv[1:]
source(Path(results)).ask([asked(model).but(server_command=command, limit=40)], copies=2)
"""


def test_killed_and_asked_again_it_goes_on(tmp_path):
    (a,) = models(tmp_path / "m", "a")
    _, command = server(None, "--delay", 0.05)
    words = [sys.executable, "-c", ASK, tmp_path / "r", a, command]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT}/tests/choosing"}
    with subprocess.Popen(words, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL) as process:
        while not any(path.stat().st_size for path in (tmp_path / "r").glob("*/completions.jsonl")):
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    wanted = asked(a).but(server_command=command, limit=40)
    (found,) = source(tmp_path / "r").ask([wanted], copies=2)
    assert len(found.runs) == 2
    assert everything(tmp_path / "r") == set(ids([found])[0])
