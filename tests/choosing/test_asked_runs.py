"""What is asked for is there in the end, once, whatever was there before and whenever the asking was killed."""

from __future__ import annotations

import json
import os
import shutil
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
from results.store.sweep_folder import all_sweeps
from runner.display import Lines
from runner.fingerprint import fingerprint
from runner.request import build_spec
from runner.reuse import FinishedRuns
from tests.command_line import PROGRAMS, ROOT
from tests.sweep_runs import models, own_devices, server

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_devices")]
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


def change(results, run_id: str, **fields) -> None:
    """The run's record with other fields, as a killed harness or another machine would have left it."""
    path = results / run_id / "run.json"
    record = json.loads(path.read_text())
    for name, value in fields.items():
        record[name] = {**record[name], **value} if isinstance(value, dict) else value
    path.write_text(json.dumps(record))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Two models, and results with a run of each in one sweep, one at a time, whatever the cards."""
    folder = tmp_path_factory.mktemp("finished")
    paths = models(folder / "m", "a", "b")
    wanted = [asked(path) for path in paths]
    [[a], [b]] = ids(source(folder / "r").ask(wanted, one_at_a_time=True))
    return folder / "r", paths, wanted, (a, b)


@pytest.fixture
def two(finished, tmp_path):
    """A copy of these results, the models, their settings, and the ids of the runs."""
    results, *others = finished
    return (shutil.copytree(results, tmp_path / "r"), *others)


def test_speeds_that_are_compared_are_measured_one_at_a_time(two):
    (sweep,) = all_sweeps(two[0])
    assert sweep.read().max_concurrent == 1


def test_an_interrupted_run_goes_on_in_its_sweep_whose_other_runs_are_finished(two):
    results, _, wanted, (a, b) = two
    change(results, b, status="interrupted")
    assert ids(source(results).ask(wanted)) == [[a], [b]]
    (sweep,) = all_sweeps(results)
    assert len(sweep.read().runs) == 2


def test_a_model_that_changed_after_a_kill_is_run_and_the_rest_goes_on(two):
    results, (path, _), wanted, (a, b) = two
    change(results, b, status="interrupted")
    content = path.read_bytes()
    try:
        path.write_bytes(content + bytes(32))
        [[new], [same]] = ids(source(results).ask(wanted))
    finally:
        path.write_bytes(content)
    assert new not in {a, b}
    assert same == b


@pytest.mark.parametrize(
    "fields",
    [
        {"harness": {"commit": "0" * 40}},
        {"host": {"hostname": "another"}},
        {"config": {"judging_version": 1}},
        {"server": {"program_changed_s": 1.0}},  # the server's program is newer
    ],
)
def test_what_was_interrupted_under_another_program_or_machine_begins_anew(two, fields):
    results, _, wanted, (a, b) = two
    change(results, b, status="interrupted", **fields)
    [[same], [new]] = ids(source(results).ask(wanted))
    assert same == a
    assert new not in {a, b}


@pytest.mark.parametrize(("lost", "reused"), [(1, True), (2, False)])
def test_a_run_that_lost_a_few_answers_is_not_repeated_but_for_others_it_is_not_finished(two, lost, reused):
    results, _, wanted, (a, _) = two
    path = results / a / "completions.jsonl"
    line = json.loads(path.read_text().splitlines()[0])
    path.write_text("".join(json.dumps({**line, "task_id": f"HumanEval/{n}"}) + "\n" for n in range(60)))
    score = json.loads((results / a / "run.json").read_text())["score"]
    outcomes = {"passed": 60 - lost, "infrastructure_error": lost}
    change(results, a, score={**score, "completions": 60, "samples": 60, "outcomes": outcomes})
    spec = build_spec(wanted[0])
    strict = FinishedRuns(results, warn=pytest.fail)
    assert strict.find(spec, lambda: fingerprint(spec)) is None
    lossy = FinishedRuns(results, warn=pytest.fail, lossy=True)
    assert (lossy.find(spec, lambda: fingerprint(spec)) is not None) == reused
    if reused:
        assert ids(source(results).ask(wanted[:1])) == [[a]]


def test_a_server_that_runs_already_is_asked_once_for_each_copy(tmp_path, capfd):
    words = [sys.executable, PROGRAMS / "canonical_server.py"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            port = json.loads(process.stdout.readline())["port"]
            url = f"http://127.0.0.1:{port}/v1"
            wanted = asked_by_options({"benchmark": "human_eval", "base_url": url, "limit": "2"})
            one = source(tmp_path / "r")
            [[first]] = ids(one.ask([wanted]))
            [[same, second]] = ids(one.ask([wanted], copies=2))
            assert same == first
            assert everything(tmp_path / "r") == {first, second}
            assert ids(one.ask([wanted], copies=2)) == [[first, second]]
            assert "reused: " not in capfd.readouterr().err
            [[later]] = ids(source(tmp_path / "r").ask([wanted]))
            assert later not in {first, second}, "it may serve something else by now"
        finally:
            process.kill()
