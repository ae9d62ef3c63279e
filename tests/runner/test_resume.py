"""A run goes on only with the server, the model and the settings that it was begun with."""

from __future__ import annotations

import json
import os
import signal

import pytest

from results.errors import ResumeMismatch
from results.records import ModelIdentity, RunRecord, RunStatus, decode_record, encode_record
from results.sweep_place import SweepPlace
from runner.resume import require_same
from tests.command_line import bench_runner, command_server, logged, only_run, wait_for
from tests.evaluation.running_servers import canonical_server
from tests.runner.test_interrupted import end, said, start
from tests.servers.gguf_file import STRING, gguf

pytestmark = pytest.mark.slow


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "m.gguf"
    path.write_bytes(gguf({"general.name": (STRING, "m")}))
    return path


def begun(results, *words):
    """A run with a few completions, stopped by the user."""
    process = start(results, *words)
    wait_for(lambda: said(results, "completions.jsonl"))
    assert end(process, signal.SIGINT)[0] == 130
    return (only_run(results) / "completions.jsonl").read_bytes()


def refused(results, *words, may_change=False):
    """What a resume with these says. Nothing of the run has changed, unless what was killed was still writing."""
    folder = only_run(results)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    done = bench_runner(
        "run", "--benchmark", "human_eval", "--results-dir", results, *words, "--resume", "last"
    )
    assert done.code == 6, done.err
    after = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert after["completions.jsonl"].startswith(before["completions.jsonl"])
    assert may_change or after == before
    return done.err


def test_another_server_is_refused(tmp_path, model):
    """Else three answers of one server and three of another became one run that succeeded."""
    results = tmp_path / "r"
    option, command = command_server("canonical_server.py", "--delay", 0.5)
    begun(results, "--model", model, option, command, "--limit", 20)
    other = command.replace("--delay 0.5", "--wrong 1")
    assert other != command
    assert "cannot resume" in (told := refused(results, "--model", model, option, other, "--limit", 20))
    assert "server_command was" in told


def test_another_address_is_refused(tmp_path):
    results = tmp_path / "r"
    with canonical_server("--delay", 0.5) as first, canonical_server() as second:
        begun(results, "--base-url", first, "--limit", 20)
        assert "base_url was" in refused(results, "--base-url", second, "--limit", 20)


@pytest.mark.parametrize("keeps", ["size", "nothing"])
def test_another_file_of_the_same_name_is_refused_after_a_kill(tmp_path, model, keeps):
    """A run that was killed has no hash of its model; what it knew from the first instant must do."""
    results = tmp_path / "r"
    words = ("--model", model, *command_server("canonical_server.py", "--delay", 0.5), "--limit", 20)
    process = start(results, *words)
    wait_for(lambda: said(results, "completions.jsonl"))
    process.kill()
    process.communicate(timeout=30)
    kept = json.loads((only_run(results) / "run.json").read_text())["model_identity"]
    assert kept["size_bytes"] == model.stat().st_size
    data = gguf({"general.name": (STRING, "x" if keeps == "size" else "another")})
    model.write_bytes(data)
    os.utime(model, ns=(1, 1))
    assert "model file" in refused(results, *words, may_change=True)


def test_what_a_record_keeps_otherwise_than_it_was_given_is_no_change():
    """Names of files that are no Unicode, and tuples."""
    config = {"server_args": ("--mmproj", "/m/caf\udce9.gguf")}
    model = ModelIdentity(name="m", path="/m/caf\udce9.gguf", size_bytes=1, modified_ns=2)
    now = RunRecord(
        run_id="r",
        timestamp="2026-01-01T00:00:00+00:00",
        status=RunStatus.STARTED,
        benchmark="b",
        model="m",
        config=config,
        model_identity=model,
    )
    before = decode_record(encode_record(now), where="it")
    assert before.config != now.config
    require_same(before, now)
    now.config["server_args"] = ("--mmproj", "/m/th\udce9.gguf")
    with pytest.raises(ResumeMismatch, match="server_args was"):
        require_same(before, now)


def test_a_run_of_a_sweep_goes_on_where_its_model_lies_elsewhere():
    """On another machine the same file has another path; a killed run has no hash of it, but its fingerprint has."""

    def record(path, fingerprint):
        return RunRecord(
            run_id="r",
            timestamp="2026-01-01T00:00:00+00:00",
            status=RunStatus.STARTED,
            benchmark="b",
            model="m",
            config={},
            model_identity=ModelIdentity(name="m", path=path, size_bytes=1, modified_ns=2),
            sweep=SweepPlace(sweep_id="s", fingerprint=fingerprint, label="m b", nonce="ab12")
            if fingerprint
            else None,
        )

    require_same(record("/one/m.gguf", "f1"), record("/two/m.gguf", "f1"))
    for other in ("f2", ""):
        with pytest.raises(ResumeMismatch, match="model file was"):
            require_same(record("/one/m.gguf", "f1"), record("/two/m.gguf", other))


def test_what_determines_nothing_may_change(tmp_path, model):
    """Patience, the port, how many answers are asked for at once; and more samples than at first.

    It also began on another machine, which its record then has.
    """
    results = tmp_path / "r"
    server = command_server("canonical_server.py", "--delay", 0.2)
    begun(results, "--model", model, *server, "--limit", 8)
    run_json = only_run(results) / "run.json"
    record = json.loads(run_json.read_bytes())
    run_json.write_text(json.dumps({**record, "host": {**record["host"], "hostname": "alpha"}}))
    done = bench_runner(
        "run", "--benchmark", "human_eval", "--results-dir", results, "--model", model, *server, "--limit", 10,
        "--parallel", 3, "--ready-timeout", 99, "--stall-timeout", 99, "--max-restarts", 1, "--resume", "last",
    )  # fmt: skip
    assert done.code == 0, done.err
    (record,) = logged(results)
    assert (record["status"], record["score"]["completions"]) == ("succeeded", 10)
    assert record["earlier_hosts"] == ["alpha"]


def test_a_refusal_leaves_everything_as_it_was_byte_for_byte(tmp_path):
    """By the harness, before anything starts; and by the script, when server and telemetry have written.

    The record has a field that this version does not know and lacks others, as one of another version does.
    """
    data, results = tmp_path / "d.jsonl", tmp_path / "r"
    data.write_text(json.dumps({"question": "1 + 1?", "answer": "#### 2"}) + "\n")
    words = ("run", "--benchmark", "gsm8k", "--dataset", data, "--few-shot", 0, *command_server("canonical_server.py"),
             "--results-dir", results)  # fmt: skip
    assert bench_runner(*words).code == 0
    folder = only_run(results)
    record = json.loads((folder / "run.json").read_text())
    del record["harness"], record["resumed"]
    (folder / "run.json").write_text(json.dumps({**record, "of_another_version": 1}, indent=3))
    with (folder / "completions.jsonl").open("ab") as journal:
        journal.write(b'{"torn')

    def state():
        return {path: path.read_bytes() for path in results.rglob("*") if path.is_file()}

    before = state()
    done = bench_runner(*words, "--seed", 3, "--resume", "last")  # checked by the script
    assert done.code == 6, done.err
    assert state() == before
    data.write_text(json.dumps({"question": "1 + 2?", "answer": "#### 3"}) + "\n")
    done = bench_runner(*words, "--resume", "last")
    assert done.code == 6, done.err
    assert "holds completions of other settings" in done.err
    assert state() == before
    done = bench_runner("run", "--benchmark", "human_eval", *words[3:], "--resume", "last")
    assert done.code != 0
    assert state() == before
