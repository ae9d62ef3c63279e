"""What goes wrong around a sweep costs as little as it can: killed workers, full disks, files that go away."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import subprocess
import time
from collections import Counter

import pytest

from results.store.sweep_folder import SweepFolder
from tests.command_line import PROGRAM, bench_runner, logged, wait_for
from tests.leaks import marked_processes
from tests.sweep_runs import models, own_devices, resume, server, status, stored, sweep

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_devices")]
__all__ = ["own_devices"]


def begun(results, *words):
    words = [
        *words,
        *(() if "--resume" in words else ("--benchmark", "human_eval")),
        "--results-dir",
        results,
    ]
    return subprocess.Popen(
        [PROGRAM, "sweep", *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def test_of_files_with_the_same_content_one_runs_for_all(tmp_path):
    """Else a plan with copies would never be done, or their run stand as waiting for ever."""
    results = tmp_path / "r"
    one, other = models(tmp_path / "m", "a", "b")
    shutil.copy(one, tmp_path / "m" / "copy.gguf")
    done = sweep(results, tmp_path / "m" / "*.gguf", *server(), "--limit", 1)
    assert done.code == 0, done.err
    assert [record["model"] for record in logged(results)] == ["a", "b"]
    assert status(results) == dict.fromkeys(("a human_eval", "b human_eval", "copy human_eval"), "succeeded")
    assert one.exists()
    assert other.exists()


def test_a_changed_manifest_adds_what_is_new_and_the_table_has_todays_labels(tmp_path):
    results = tmp_path / "r"
    first, second = map(str, models(tmp_path / "m", "a", "b"))
    manifest = tmp_path / "sweep.json"

    def matrix(**axes):
        manifest.write_text(
            json.dumps({"matrix": {"benchmark": "human_eval", "server_command": server()[1], **axes}})
        )
        return manifest

    done = bench_runner("sweep", matrix(model=[first, second], limit=1), "--results-dir", results)
    assert done.code == 0, done.err
    done = resume(results, matrix(model=first, limit=[1, 2]))
    assert done.code == 0, done.err
    assert [(record["model"], record["config"]["limit"]) for record in logged(results)] == [
        ("a", 1),
        ("b", 1),
        ("a", 2),
    ]
    assert status(results) == {"a human_eval limit=1": "succeeded", "a human_eval limit=2": "succeeded"}


@pytest.mark.servers
def test_a_model_that_goes_away_meanwhile_costs_only_its_own_run(tmp_path):
    results = tmp_path / "r"
    files = models(tmp_path / "m", "a", "b", "c")
    program = tmp_path / "serve.sh"
    program.write_text('#!/bin/sh\ntest -e "$1" || exit 1\nshift; exec "$@"\n')
    program.chmod(0o755)
    option, command = server(None, "--delay", 0.3)
    process = begun(results, *files, option, f"{program} {{model}} {command}", "--limit", 3)
    wait_for(lambda: list(results.glob("*-a-*/completions.jsonl")))
    files[1].unlink()
    out, _ = process.communicate(timeout=100)
    assert process.returncode == 7, out.decode()
    assert status(results) == {
        "a human_eval": "succeeded",
        "b human_eval": "failed",
        "c human_eval": "succeeded",
    }


def test_a_full_disk_ends_it_and_with_space_it_goes_on_where_it_was(tmp_path):
    """The limit on a file's size stands for the full disk: the same error at the same places."""
    results, answered = tmp_path / "r", tmp_path / "answered"
    files = models(tmp_path / "m", "a", "b")
    words = " ".join(f"'{word}'" for word in (*files, *server(answered), "--limit", 30))
    command = f"ulimit -S -f 40; exec {PROGRAM} sweep {words} --benchmark human_eval --results-dir {results}"
    full = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False, timeout=60)
    assert full.returncode == 6, full.stderr
    assert "File too large" in full.stderr
    kept = stored(results)
    assert 0 < len(kept) < 60  # of both runs
    asked = Counter(answered.read_text().splitlines())
    done = resume(results)
    assert done.code == 0, done.err
    again = Counter(answered.read_text().splitlines()) - asked
    assert not [key for key in kept if again[key]], "generated again although it was on disk"
    assert [(record["model"], record["score"]["completions"]) for record in logged(results)] == [
        ("a", 30),
        ("b", 30),
    ]


def test_resumed_at_once_it_waits_for_the_workers_of_before(tmp_path):
    """Those of a killed sweep live on for half a second, and what they hold would be left out."""
    results = tmp_path / "r"
    process = begun(results, *models(tmp_path / "m", "a"), *server(None, "--delay", 0.3), "--limit", 4)
    wait_for(lambda: list(results.glob("*/completions.jsonl")))
    process.kill()
    process.communicate()
    folder = SweepFolder.find(results, "last")
    with folder.claim_group(folder.read().runs[0].group):
        again = begun(results, "--resume", "last")
        wait_for(lambda: folder.worker_pid() == again.pid)
        time.sleep(0.5)
    out, _ = again.communicate(timeout=100)
    assert again.returncode == 0, out.decode()
    assert status(results) == {"a human_eval": "succeeded"}


def test_a_server_that_dies_between_two_runs_or_in_the_second_is_started_again(tmp_path):
    results = tmp_path / "r"
    (model,) = models(tmp_path / "m", "a")
    program = (
        tmp_path / "serve.sh"
    )  # the second run's server dies in its midst once, the first one's after its run
    program.write_text(
        f"#!/bin/sh\nn=$(cat {tmp_path}/n 2>/dev/null || echo 0); echo $((n + 1)) > {tmp_path}/n\n"
        'case $n in 0) exec "$@" --die-after 6;; *) exec "$@";; esac\n'
    )
    program.chmod(0o755)
    option, command = server(None, "--delay", 0.1)
    done = sweep(results, model, option, f"{program} {command}", "--limit", "2,9", "--prompt-style", "chat")
    assert done.code == 0, done.err
    first, second = logged(results)
    assert (first["incidents"], len(second["incidents"])) == ([], 1)
    assert second["score"]["completions"] == 9
    log = (results / second["run_id"] / "server.log").read_text()
    assert "restarted" in log, "what the shared server printed during it"


@pytest.mark.servers
def test_a_killed_script_costs_its_run_only_and_a_retry_in_a_live_sweep_is_taken_up_once(tmp_path):
    """The server goes on to the next run. What fails again is not tried for ever."""
    results = tmp_path / "r"
    models(tmp_path / "m", "a")
    (tmp_path / "m" / "broken.gguf").write_bytes(b"no model")
    process = begun(results, tmp_path / "m" / "*.gguf", *server(None, "--delay", 0.4), "--limit", "6,7,8")

    wait_for(lambda: list(results.glob("*-a-*/completions.jsonl")))
    scripts = [pid for pid, command in marked_processes().items() if "scripts.run_human_eval" in command]
    os.kill(min(scripts), signal.SIGKILL)
    wait_for(lambda: len(list(results.glob("*-a-*/completions.jsonl"))) == 2)
    asked = bench_runner("retry", "last", "--results-dir", results)
    assert "1 failed runs will be tried again" in asked.out
    out, _ = process.communicate(timeout=100)
    assert process.returncode == 7, out.decode()
    first, second, third, *broken = logged(results)
    assert {first["status"], second["status"], third["status"]} == {"succeeded"}, out.decode()
    assert first["resumed"] == 1
    assert second["config"]["port"] == third["config"]["port"], "on the same server"
    assert [record["status"] for record in broken] == ["failed"] * 3


def test_settings_of_the_machine_can_change_when_it_goes_on(tmp_path):
    results = tmp_path / "r"
    (model,) = models(tmp_path / "m", "a")
    assert sweep(results, model, *server(), "--limit", 1).code == 0
    assert resume(results, "--on-oom", "reduce", "--max-concurrent", 3).code == 0
    kept = next((results / "sweeps").glob("*/sweep.json")).read_text()
    assert '"reduce"' in kept
    assert '"max_concurrent": 3' in kept
    raced = resume(results, "--race")
    assert raced.code == 2
    assert "without --race" in raced.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_while_it_waits_for_a_device_it_ends_at_once(tmp_path, number):
    files = models(tmp_path / "m", "a", "b")
    first = begun(tmp_path / "r", files[0], *server(None, "--delay", 0.5))
    wait_for(lambda: list((tmp_path / "r").glob("*/completions.jsonl")))
    second = subprocess.Popen(
        [PROGRAM, "sweep", str(files[1]), *map(str, server()), "--benchmark", "human_eval", "--results-dir",
         str(tmp_path / "r2")], stderr=subprocess.PIPE, text=True)  # fmt: skip
    assert second.stderr is not None
    assert any("waiting for a device" in line for line in second.stderr)
    second.send_signal(number)
    _, said = second.communicate(timeout=100)
    assert second.returncode == {signal.SIGINT: 130, signal.SIGTERM: 143}[number]
    assert "--resume" in said
    assert bench_runner("cancel", "last", "--results-dir", tmp_path / "r").code == 0
    first.communicate(timeout=100)


def test_stopped_while_it_is_planned_it_says_so(tmp_path):
    """And is not told to be a problem of the plan."""
    flag = tmp_path / "asked"
    program = tmp_path / "llama-server"  # asked for its options, it takes its time
    program.write_text(f"#!/bin/sh\ntouch {flag}\nexec sleep 600\n")
    program.chmod(0o755)
    process = begun(tmp_path / "r", *models(tmp_path / "m", "a"), "--server-binary", program)
    wait_for(flag.exists)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=100)
    assert process.returncode == 143, out.decode()
    assert not (tmp_path / "r").exists()


def test_watching_ends_with_the_sweep_on_a_narrow_terminal_too(tmp_path):
    results = tmp_path / "r"
    process = begun(results, *models(tmp_path / "m", "a"), *server(None, "--delay", 0.4), "--limit", 3)
    wait_for(lambda: list(results.glob("sweeps/*/sweep.json")))
    ours, theirs = pty.openpty()
    watch = subprocess.Popen(
        [PROGRAM, "status", "last", "--watch", "--results-dir", str(results)],
        stdout=theirs, stderr=subprocess.PIPE, env={**os.environ, "COLUMNS": "30", "TERM": "xterm"},
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    while True:
        try:
            shown += os.read(ours, 65536)
        except OSError:  # closed by the last who had it
            break
    os.close(ours)
    _, said = watch.communicate(timeout=100)
    assert watch.returncode == 0, said.decode()
    assert process.wait(100) == 0
    process.communicate()
    assert b"running" in shown
    assert b"1 succeeded" in shown.replace(b"\r\n", b"")
