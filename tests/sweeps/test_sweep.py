"""A sweep does all of its plan once, whatever happens to it, and says what became of it."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest

from tests.command_line import PROGRAM, PROGRAMS, bench_runner, lines, logged, wait_for
from tests.sweep_runs import models, own_devices, resume, scores, server, status, stored, sweep

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_devices")]
__all__ = ["own_devices"]
REDUCTIONS = [
    {"setting": "gpu_layers", "before": 3, "after": 2}, {"setting": "gpu_layers", "before": 2, "after": 1},
]  # fmt: skip


def test_runs_of_one_server_configuration_share_a_server(tmp_path):
    results = tmp_path / "r"
    done = sweep(results, *models(tmp_path / "m", "a", "b"), *server(), "--limit", "2,3")
    assert done.code == 0, done.err
    records = logged(results)
    assert [(r["model"], r["results"]["score"] is not None, r["score"]["completions"]) for r in records] == [
        ("a", True, 2), ("a", True, 3), ("b", True, 2), ("b", True, 3),
    ]  # fmt: skip
    ports = [record["config"]["port"] for record in records]
    assert ports[0] == ports[1] != ports[2] == ports[3]
    assert [record["phases"]["load_s"] is not None for record in records] == [True, False, True, False]
    assert [record["phases"]["stop_s"] is not None for record in records] == [False, True, False, True]
    again = bench_runner("sweep", "--resume", "last", "--results-dir", results)
    assert again.code == 0, again.err
    assert len(logged(results)) == 4, "nothing is done twice"
    shown = bench_runner("status", "last", "--results-dir", results)
    assert "4 runs: 4 succeeded" in shown.out


def test_a_run_that_fails_costs_only_itself_and_is_tried_again_when_asked(tmp_path):
    results = tmp_path / "r"
    good, bad = models(tmp_path / "m", "a", "z")
    (tmp_path / "m" / "broken.gguf").write_bytes(b"<html>not found</html>")
    flag = tmp_path / "works"
    program = tmp_path / "serve.sh"
    program.write_text(
        f'#!/bin/sh\ncase "$1" in *z.gguf) test -e {flag} || {{ echo "CUDA error: out of memory"; exit 1; }};; esac\n'
        f'shift; exec "$@"\n'
    )
    program.chmod(0o755)
    option, command = server()
    words = (option, f"{program} {{model}} {command}", "--limit", 2)
    done = sweep(results, tmp_path / "m" / "*.gguf", *words)
    assert done.code == 7, done.err
    assert {record["model"]: record["status"] for record in logged(results)} == {
        "a": "succeeded", "broken.gguf": "failed", "z": "failed",
    }  # fmt: skip
    assert "out of memory" in done.err
    assert "--retry-failed" in done.err
    flag.touch()
    again = bench_runner("retry", "last", "--results-dir", results)
    assert again.code == 7, again.err
    assert {record["model"]: record["status"] for record in logged(results)} == {
        "a": "succeeded", "broken.gguf": "failed", "z": "succeeded",
    }  # fmt: skip
    assert good.exists()
    assert bad.exists()


def fake_llama_server(folder, *options, when_many=""):
    """It takes llama-server's options, and with more than 1 layer does as a card that is too small: `when_many`."""
    program = folder / "llama-server"
    words = " ".join(map(str, options))
    program.write_text(
        "#!/bin/sh\n"
        'for word; do [ "$before" = -ngl ] && layers=$word; [ "$before" = --port ] && port=$word; '
        '[ "$before" = -m ] && model=$word; [ "$before" = --alias ] && name=$word; before=$word; done\n'
        f"set -- {sys.executable} {PROGRAMS}/canonical_server.py {words} "
        '--port "$port" --name "$name" --salt "$model"\n'
        f'[ "$layers" -gt 1 ] && {{ {when_many}\n'
        'echo "ggml_backend_cuda_buffer_type_alloc_buffer: cudaMalloc failed"; exit 1; }\n'
        'exec "$@"\n'
    )
    program.chmod(0o755)
    return "--server-binary", program


def test_less_memory_is_tried_where_that_is_asked_for_and_the_record_says_so(tmp_path):
    (model,) = models(tmp_path / "m", "a")
    results = tmp_path / "r"
    words = (model, *fake_llama_server(tmp_path), "--gpu-layers", 4, "--limit", 1, "--ready-timeout", 5)
    done = sweep(results, *words)
    assert done.code == 7
    reduced = sweep(tmp_path / "r2", *words, "--on-oom", "reduce")
    records = logged(tmp_path / "r2")
    assert reduced.code == 0, reduced.err
    assert [(record["config"]["gpu_layers"], record["status"]) for record in records] == [
        (4, "failed"), (2, "failed"), (1, "succeeded"),
    ]  # fmt: skip
    assert records[2]["sweep"]["reductions"] == REDUCTIONS


@pytest.mark.servers
def test_memory_that_runs_out_in_the_midst_counts_too_and_a_reduced_run_goes_on_as_it_was(tmp_path):
    """Else every resume, and every round of a race, would begin the reduced runs from nothing."""
    (model,) = models(tmp_path / "m", "a")
    results, answered = tmp_path / "r", tmp_path / "answered"
    binary = fake_llama_server(
        tmp_path, "--answered", answered, "--delay", 0.15, when_many='"$@" --die-after 7'
    )
    words = (model, *binary, "--gpu-layers", 3, "--limit", "2,16", "--max-restarts", 0, "--on-oom", "reduce")
    command = ["sweep", *map(str, words), "--benchmark", "human_eval", "--results-dir", str(results)]
    process = subprocess.Popen([PROGRAM, *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def reduced_and_under_way():
        return [
            path
            for path in results.glob("*/completions.jsonl")
            if path.read_bytes().count(b"\n") > 2
            and json.loads((path.parent / "run.json").read_text())["config"]["gpu_layers"] == 1
        ]

    (going_on,) = wait_for(reduced_and_under_way)
    process.kill()
    process.communicate()
    on_disk = [line["task_id"] for line in lines(going_on)]
    before = answered.read_text().splitlines()
    done = bench_runner("sweep", "--resume", "last", "--results-dir", results)
    assert done.code == 0, done.err
    after = Counter(answered.read_text().splitlines()[len(before) :])
    assert not [task_id for task_id in on_disk if after[f"{model} {task_id}"]], (
        "generated again although on disk"
    )
    records = logged(results)
    assert [(record["config"]["gpu_layers"], record["status"]) for record in records][:2] == [
        (3, "succeeded"), (3, "failed"),
    ]  # fmt: skip
    assert (records[-1]["config"]["gpu_layers"], records[-1]["status"]) == (1, "succeeded")
    assert records[-1]["sweep"]["reductions"] == REDUCTIONS
    assert len(records) == 4


@pytest.mark.servers
def test_a_reduced_run_gets_its_own_server_beside_runs_that_have_all_the_memory(tmp_path):
    """The server of a fresh run before it in the group is not the one that it asks for."""
    (model,) = models(tmp_path / "m", "a")
    results, manifest = tmp_path / "r", tmp_path / "m.json"
    _, binary = fake_llama_server(tmp_path, "--delay", 0.15, when_many='"$@" --die-after 7')
    settings = {"benchmark": "human_eval", "gpu_layers": 3, "server_binary": str(binary)}

    def write(*limits):
        matrix = {"model": str(model), "limit": list(limits), **settings}
        manifest.write_text(json.dumps({"defaults": {"max_restarts": 0}, "matrix": matrix}))

    write(16)
    command = ["sweep", manifest, "--on-oom", "reduce", "--results-dir", results]
    process = subprocess.Popen(
        [PROGRAM, *map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )

    def reduced_and_under_way():
        return [
            path
            for path in results.glob("*/completions.jsonl")
            if path.read_bytes().count(b"\n") > 2
            and json.loads((path.parent / "run.json").read_text())["config"]["gpu_layers"] == 1
        ]

    (going_on,) = wait_for(reduced_and_under_way)
    process.kill()
    process.communicate()
    write(2, 16)
    done = bench_runner("sweep", manifest, "--resume", "last", "--results-dir", results)
    assert done.code == 0, done.err
    records = {record["config"]["limit"]: record for record in logged(results)}
    assert records[16]["run_id"] == going_on.parent.name
    assert [(records[limit]["config"]["gpu_layers"], records[limit]["sweep"]["reductions"]) for limit in (2, 16)] == [
        (3, []), (1, REDUCTIONS),
    ]  # fmt: skip
    shown = [records[limit]["server"]["command"] for limit in (2, 16)]
    assert [words[words.index("-ngl") + 1] for words in shown] == ["3", "1"]


def kill_until_done(results, words, answered, kills, seed=1):
    """Kill the sweep at random instants, see that nothing on disk is asked for again; gives how often it was killed."""
    rng = random.Random(seed)
    first = ["sweep", *map(str, words), "--benchmark", "human_eval", "--results-dir", str(results)]
    killed = 0
    while True:
        again = (results / "sweeps").exists() and list((results / "sweeps").glob("*/sweep.json"))
        command = ["sweep", "--resume", "last", "--results-dir", str(results)] if again else first
        on_disk = stored(results)
        said_before = answered.read_text().splitlines() if answered.exists() else []
        process = subprocess.Popen([PROGRAM, *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if killed < kills:
            try:
                process.wait(rng.uniform(0.1, 2.0))
            except subprocess.TimeoutExpired:
                process.kill()
                killed += 1
        out, _ = process.communicate(timeout=200)
        asked = Counter(answered.read_text().splitlines()[len(said_before) :] if answered.exists() else [])
        assert not [key for key in on_disk if asked[key]], "generated again although it was on disk"
        if process.returncode != -signal.SIGKILL:
            assert process.returncode == 0, out.decode()
            return killed


@pytest.mark.parametrize(
    ("kills", "limit", "delay"), [(2, 6, 0.2), pytest.param(40, 66, 0.6, marks=pytest.mark.servers)]
)
@pytest.mark.timeout(900)
def test_killed_at_random_instants_and_resumed_it_ends_like_an_undisturbed_one(tmp_path, kills, limit, delay):
    """Each kill waits for its instant, up to two seconds after the start; what is left then takes its time."""
    files = models(tmp_path / "m", *"abc"[:kills])
    calm, wild, answered = tmp_path / "calm", tmp_path / "wild", tmp_path / "answered"
    words = (*files, "--limit", limit)
    done = sweep(calm, *words, *server(None, "--delay", 0.05))
    assert done.code == 0, done.err
    began = time.monotonic()
    killed = kill_until_done(wild, (*words, *server(answered, "--delay", delay)), answered, kills)
    print(f"{killed} kills in {time.monotonic() - began:.0f} s")
    assert killed == kills, "it was done before"
    assert scores(wild) == scores(calm)
    assert len(scores(calm)) == len(files)


def test_cancel_and_retry_from_another_terminal(tmp_path):
    results = tmp_path / "r"
    files = models(tmp_path / "m", "a", "b")
    command = [PROGRAM, "sweep", *map(str, files), *map(str, server(None, "--delay", 0.3)), "--benchmark", "human_eval",
               "--results-dir", str(results)]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    wait_for(lambda: list(results.glob("*/completions.jsonl")))
    shown = bench_runner("status", "--results-dir", results)
    assert "running (process" in shown.out
    busy = bench_runner("sweep", "--resume", "last", "--results-dir", results)
    assert busy.code == 6
    assert "is already running in process" in busy.err
    assert bench_runner("cancel", "last", "--results-dir", results).code == 0
    out, _ = process.communicate(timeout=100)
    assert process.returncode == 143, out.decode()
    assert b"interrupted: stopped by SIGTERM" in out
    assert b"error:" not in out
    assert b"sweep --resume" in out
    assert "stopped" in bench_runner("status", "--results-dir", results).out
    (record,) = logged(results)
    assert record["status"] == "interrupted"
    gone = bench_runner("cancel", "last", "--results-dir", results)
    assert gone.code == 2
    assert "is not running" in gone.err


def test_two_sweeps_at_once_take_turns_on_the_devices(tmp_path):
    """Two runs at once on one processor would both be measured wrong."""
    files = models(tmp_path / "m", "a", "b")
    words = [
        *map(str, files),
        *map(str, server(None, "--delay", 0.1)),
        "--benchmark",
        "human_eval",
        "--limit",
        "4",
    ]
    both = [
        subprocess.Popen(
            [PROGRAM, "sweep", *words, "--results-dir", str(tmp_path / "r")],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for _ in range(2)
    ]
    said = [process.communicate(timeout=100)[0].decode() for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert any("waiting for a device" in text for text in said)
    assert Counter(record["model"] for record in logged(tmp_path / "r")) == {"a": 2, "b": 2}
    assert json.loads((tmp_path / "r" / "benchmark_results.json").read_text())


def test_a_secret_of_a_manifest_is_in_no_file(tmp_path, monkeypatch):
    """Records keep the name of the variable; a rerun or a resume reads the variable again."""
    monkeypatch.setenv("FAKE_KEY", "s3cret-value")
    _, command = server()
    models(tmp_path / "m", "a")
    manifest = tmp_path / "m.json"
    text = {
        "model": "m/a.gguf",
        "benchmark": "human_eval",
        "limit": 1,
        "server_command": f"{command} --name ${{FAKE_KEY}}",
    }
    manifest.write_text(json.dumps({"runs": [text]}))
    done = bench_runner("sweep", manifest, "--results-dir", tmp_path / "r")
    assert done.code == 0, done.err
    assert logged(tmp_path / "r")[0]["server"]["command"][-1] == "${FAKE_KEY}"
    found = [
        path for path in (tmp_path / "r").rglob("*") if path.is_file() and b"s3cret" in path.read_bytes()
    ]
    assert [path.name for path in found] == []
    assert "s3cret" not in done.err + done.out


@pytest.mark.servers
def test_a_sweep_that_goes_on_keeps_its_plan(tmp_path):
    """Options that determine its runs are refused; patience may change, and holds for its workers too."""
    results = tmp_path / "r"
    files = models(tmp_path / "m", "a", "b")
    assert sweep(results, *files, *server(), "--limit", 2).code == 0
    for words, option in (
        (("--limit", 3), "--limit"),
        (("--gpu-layers", 3), "--gpu-layers"),
        (("--benchmark", "gsm8k"), "--benchmark"),
        (("--test-mode",), "--test-mode"),
        ((files[0],), "the models"),
    ):
        done = resume(results, *words)
        assert done.code == 2, done.err
        assert option in done.err
        assert "start another sweep" in done.err
    shutil.rmtree(next(results.glob("*/run.json")).parent)
    done = resume(results, "--stall-timeout", 77, "--max-restarts", 1, "--max-concurrent", 2)
    assert done.code == 0, done.err
    assert len(status(results)) == 2
    again = [record["config"] for record in logged(results) if "stall_timeout" in record["config"]]
    assert [(config["stall_timeout"], config["max_restarts"], config["limit"]) for config in again] == [
        (77.0, 1, 2)
    ]
