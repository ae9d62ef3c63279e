"""Stopped in any phase: what was finished is kept, nothing is left running, and the run can go on."""

from __future__ import annotations

import json
import os
import signal
import subprocess

import pytest

from tests.command_line import (
    ENDINGS,
    PROGRAM,
    bench_runner,
    bench_runners,
    command_server,
    lines,
    logged,
    only_run,
    wait_for,
)
from tests.evaluation.running_servers import canonical_server, posts
from tests.servers.gguf_file import gguf

pytestmark = pytest.mark.slow

SLOW_TO_LOAD = command_server("fake_server.py", "--load-seconds", 60)
SLOW_TO_ANSWER = command_server("canonical_server.py", "--delay", 0.3)
HANGING = command_server("fake_server.py", "--hang-after", 1)  # the first shows that it is ready
SLOW_TO_STOP = command_server("fake_server.py", "--ignore-sigterm")


def start(results, *words):
    return subprocess.Popen(
        [PROGRAM, "run", "--benchmark", "human_eval", "--results-dir", results, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def said(results, word, earlier=()):
    """Whether the run's folder shows that it got that far. earlier: folders of other runs."""
    found = [path for path in results.glob("*/*") if path.name == word and path.stat().st_size]
    return next((path for path in found if path.parent not in earlier), None)


def script_command(results):
    """Empty until the script is about to start."""
    records = [json.loads(path.read_text()) for path in results.glob("*/run.json")]
    return records and records[0]["script_command"]


def end(process, number):
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


PHASES = {
    "loading": (SLOW_TO_LOAD, "server.log"),
    "probing": (HANGING, "script.out"),
    "generating": (SLOW_TO_ANSWER, "completions.jsonl"),
}
# Each signal, and each phase.
STOPPED = [
    *(("generating", *ending) for ending in ENDINGS),
    ("probing", *ENDINGS[1]),
    ("loading", *ENDINGS[2]),
]


def started(results, phase):
    """A run that is in that phase, and its folder."""
    server, sign = PHASES[phase]
    earlier = [path.parent for path in results.glob("*/run.json")]
    process = start(results, *server)
    return process, wait_for(lambda: said(results, sign, earlier)).parent


@pytest.mark.parametrize(("phase", "number", "code"), STOPPED)
def test_a_signal_ends_the_run_in_order(tmp_path, phase, number, code):
    """Exit code, the record, the run log and the way to go on; the fixture sees that no process is left."""
    process, _ = started(tmp_path, phase)
    returned, _, err = end(process, number)
    assert returned == code, err
    assert f"interrupted: stopped by {number.name}" in err
    assert "error:" not in err
    assert f"--resume {only_run(tmp_path).name}" in err
    (record,) = logged(tmp_path)
    assert (record["status"], record["error"]["kind"]) == ("interrupted", "interrupted")
    assert list((tmp_path / ".unlogged").iterdir()) == []


def test_a_second_ctrl_c_does_not_disturb_the_orderly_end(tmp_path):
    process = start(
        tmp_path, *SLOW_TO_STOP, "--max-tokens", 1, "--script", "/bin/sleep", "--script-args", "60"
    )
    wait_for(lambda: script_command(tmp_path))
    process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=0.3)
    returned, _, err = end(process, signal.SIGINT)
    assert returned == 130, err
    assert logged(tmp_path)[0]["status"] == "interrupted"


def test_a_terminal_s_ctrl_c_reaches_only_the_harness(tmp_path):
    """Server and script live in sessions of their own: they end when the harness says so, in its order."""
    process = subprocess.Popen(
        [PROGRAM, "run", "--benchmark", "human_eval", "--results-dir", tmp_path, *SLOW_TO_ANSWER],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_for(lambda: said(tmp_path, "completions.jsonl"))
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in err


def test_resume_does_only_what_is_missing(tmp_path):
    """The same run, one record; the completions of the first part are not asked for again."""
    with canonical_server("--delay", 0.2) as url:
        words = ("--base-url", url, "--limit", 24, "--prompt-style", "chat")
        process = start(tmp_path, *words)
        journal = wait_for(lambda: said(tmp_path, "completions.jsonl"))
        end(process, signal.SIGINT)
        before, asked = journal.read_bytes(), posts(url)
        finished = len(lines(journal))
        assert 0 < finished < 24
        run_id = only_run(tmp_path).name
        done = bench_runner("run", "--benchmark", "human_eval", "--results-dir", tmp_path, *words, "--resume", run_id,
                            "--parallel", 8)  # fmt: skip
        assert done.code == 0, done.err
        assert posts(url) - asked == 24 - finished + 1  # one shows that the server is ready
    assert journal.read_bytes().startswith(before)
    assert len(lines(journal)) == 24
    (record,) = logged(tmp_path)
    assert (record["run_id"], record["status"], record["resumed"]) == (run_id, "succeeded", 1)
    assert record["score"]["score"] == 100.0
    again = bench_runner("run", "--benchmark", "human_eval", "--results-dir", tmp_path, "--server-command",
                         "sleep {port}", "--resume", run_id)  # fmt: skip
    assert again.code == 6
    assert "cannot resume" in again.err
    assert "model was 'canonical'" in again.err


def test_a_changed_setting_is_refused_by_its_name(tmp_path):
    """And neither its record nor its completions have changed."""
    changes = {
        "temperature": ["--temperature", "0.7"],
        "max_tokens": ["--max-tokens", "77"],
        "seed": ["--seed", "3"],
        "prompt_style": ["--prompt-style", "completion"],
        "script": ["--script", "/bin/true"],
    }
    run = ("run", "--benchmark", "human_eval", "--results-dir", tmp_path, "--limit", 2)
    with canonical_server() as url:
        first = bench_runner(*run, "--base-url", url)
        assert first.code == 0, first.err
        folder = only_run(tmp_path)
        before = (folder / "completions.jsonl").read_bytes()
        refused = bench_runners(
            *[(*run, "--base-url", url, *change, "--resume", "last") for change in changes.values()]
        )
    for name, done in zip(changes, refused, strict=True):
        assert (done.code, name in done.err) == (6, True), (name, done.err)
    (record,) = logged(tmp_path)
    assert (record["status"], record["score"]["score"]) == ("succeeded", 100.0)
    assert json.loads((folder / "run.json").read_text()) == record
    assert (folder / "completions.jsonl").read_bytes() == before


def killed(results, phase):
    """The id of a run that was killed in that phase, and what it said."""
    process, folder = started(results, phase)
    process.kill()
    _, err = process.communicate()
    return folder.name, err


def test_kill_9_leaves_nothing_running_and_the_run_is_not_forgotten(tmp_path):
    """In any phase. The fixture gives its processes two seconds; the next run puts the killed one in the log."""
    loading, _ = killed(tmp_path, "loading")
    assert bench_runner("list", "--results-dir", tmp_path).out.splitlines()[1].split("\t")[1] == "interrupted"
    probing, err = killed(tmp_path, "probing")
    assert f"{loading} was cut off" in err
    generating, err = killed(tmp_path, "generating")
    assert f"{probing} was cut off" in err
    with canonical_server() as url:
        done = bench_runner(
            "run", "--benchmark", "human_eval", "--results-dir", tmp_path, "--base-url", url, "--limit", 1
        )
    assert done.code == 0
    assert f"{generating} was cut off" in done.err
    *interrupted, last = logged(tmp_path)
    assert [run["run_id"] for run in interrupted] == [loading, probing, generating]
    assert {(run["status"], run["error"]["kind"]) for run in interrupted} == {("interrupted", "killed")}
    assert last["status"] == "succeeded"


def test_a_run_that_is_going_on_is_not_taken_by_another(tmp_path):
    with canonical_server("--delay", 1) as url:  # long enough for the slowest machine to come in between
        words = ("--base-url", url)
        process = start(tmp_path, *words)
        wait_for(lambda: said(tmp_path, "completions.jsonl"))
        run_id = only_run(tmp_path).name
        done = bench_runner(
            "run", "--benchmark", "human_eval", "--results-dir", tmp_path, *words, "--resume", run_id
        )
        assert done.code == 6
        assert "another process is working on" in done.err
        assert end(process, signal.SIGINT)[0] == 130


def test_a_server_that_dies_is_restarted_and_the_run_goes_on(tmp_path):
    server = command_server("canonical_server.py", "--die-after", 6, "--delay", 0.05)
    done = bench_runner("run", "--benchmark", "human_eval", "--results-dir", tmp_path, *server, "--limit", 16,
                        "--max-restarts", 9)  # fmt: skip
    assert done.code == 0, done.err
    assert "restarting it (1 of 9)" in done.err
    (record,) = logged(tmp_path)
    assert record["score"]["score"] == 100.0
    assert 2 <= len(record["incidents"]) <= 9
    assert "exit code 1" in record["incidents"][0]["what"]


def test_restarts_are_bounded(tmp_path):
    server = command_server("canonical_server.py", "--die-after", 2, "--delay", 0.05)
    done = bench_runner(
        "run", "--benchmark", "human_eval", "--results-dir", tmp_path, *server, "--max-restarts", 1
    )
    assert done.code == 3
    assert "the most that --max-restarts allows" in done.err
    (record,) = logged(tmp_path)
    assert (record["status"], len(record["incidents"])) == ("failed", 1)


def test_a_server_that_is_healthy_and_hangs_is_restarted(tmp_path):
    server = command_server("fake_server.py", "--hang-after", 5)
    done = bench_runner("run", "--benchmark", "human_eval", "--results-dir", tmp_path, *server, "--limit", 7,
                        "--parallel", 1, "--prompt-style", "chat", "--stall-timeout", 1.5)  # fmt: skip
    assert done.code == 0, done.err
    (record,) = logged(tmp_path)
    assert record["score"]["completions"] == 7
    assert "no progress" in record["incidents"][0]["what"]


def test_a_broken_log_is_rebuilt_before_the_run(tmp_path):
    with canonical_server() as url:
        run = ("run", "--benchmark", "human_eval", "--results-dir", tmp_path, "--base-url", url, "--limit", 1)
        assert bench_runner(*run).code == 0
        log = tmp_path / "benchmark_results.json"
        log.write_text(log.read_text()[:-40])
        done = bench_runner(*run)
    assert done.code == 0
    assert "set aside" in done.err
    assert len(json.loads(log.read_text())["runs"]) == 2


@pytest.fixture
def ended_run(tmp_path):
    """The words of a run that is over at once, on a model whose hash takes minutes, with a cache of its own."""
    model = tmp_path / "large.gguf"
    model.write_bytes(gguf())
    os.truncate(model, 1 << 40)  # without taking up space
    parser = tmp_path / "own.py"
    parser.write_text(
        "from results.records import Score\nclass Own:\n    name = 'own'\n"
        "    def parse(self, output): return Score(score=50.0)\nPARSER = Own()\n"
    )
    return (
        "run", "--model", model, *command_server("fake_server.py"), "--parser", parser, "--script", "/bin/true",
        "--results-dir", tmp_path / "results",
    )  # fmt: skip


def stopped_at_the_hash(tmp_path, words, number):
    process = subprocess.Popen(
        [PROGRAM, *map(str, words)],
        stderr=subprocess.PIPE, text=True, env={**os.environ, "XDG_CACHE_HOME": str(tmp_path)},
    )  # fmt: skip
    while "waiting for the hash" not in process.stderr.readline():
        assert process.poll() is None
    returned, _, err = end(process, number)
    return returned, err


@pytest.mark.parametrize(("number", "code"), ENDINGS)
def test_a_signal_ends_the_wait_for_the_model_s_hash(tmp_path, ended_run, number, code):
    """The run is what it was, and its record says what it lacks."""
    returned, err = stopped_at_the_hash(tmp_path, ended_run, number)
    assert returned == code, err
    assert "without the model's hash" in err
    (record,) = logged(tmp_path / "results")
    assert (record["status"], record["results"]["score"], record["error"]) == ("succeeded", 50.0, None)
    assert (record["model_identity"]["sha256"], record["model_identity"]["size_bytes"]) == (None, 1 << 40)
    assert json.loads((only_run(tmp_path / "results") / "run.json").read_text()) == record
    assert list((tmp_path / "results" / ".unlogged").iterdir()) == []


def test_a_signal_while_a_resumed_run_s_model_is_compared_changes_nothing(tmp_path, ended_run):
    (tmp_path / "large.gguf").write_bytes(gguf())
    done = bench_runner(*ended_run, env={"XDG_CACHE_HOME": str(tmp_path)})
    assert done.code == 0, done.err
    before = (only_run(tmp_path / "results") / "run.json").read_bytes()
    os.truncate(tmp_path / "large.gguf", 1 << 40)
    returned, err = stopped_at_the_hash(tmp_path, (*ended_run, "--resume", "last"), signal.SIGINT)
    assert returned == 130, err
    assert (only_run(tmp_path / "results") / "run.json").read_bytes() == before
