"""`recommend` as a user gives it: what is refused before anything starts, the plan, and the ends without a server."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
import time

import pytest

from results.store.run_folder import all_records
from tests.command_line import PROGRAM, PROGRAMS, bench_runner, bench_runners
from tests.servers.gguf_file import STRING, U32, gguf

pytestmark = pytest.mark.slow

REFUSED = [
    ("--benchmark human_eval,mbpq", "there is no benchmark 'mbpq'"),
    ("--benchmark human_eval,speed", "--benchmark speed has no verdict for each sample"),
    ("", "no --benchmark given"),
    ("--benchmark human_eval --context 100", "--context 100: llama.cpp gives a slot at least 256 tokens"),
    ("--benchmark human_eval --vram 24", "that is 24 bytes"),
    ("--benchmark human_eval --kv-type q9", "--kv-type q9: there is no such type of cache"),
    ("--benchmark human_eval --tolerance 0", "--tolerance: 0.0 is not in the range"),
    ("--benchmark human_eval --dataset x.jsonl", "--dataset does not apply to --benchmark human_eval"),
    ("--benchmark gsm8k,mmlu --dataset x.jsonl", "--dataset would be read by gsm8k and mmlu"),
    ("--benchmark human_eval --kld-top 7", "--kld-top needs a reference to compare with"),
    ("--benchmark human_eval --context 1k --vram 8G -- --port 80", "--port can't be passed to the server"),
    ("--benchmark human_eval --max-watts 300", "--max-watts: no device here reports its power"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("models")
    for name, trained in (("long", 65536), ("short", 2048)):
        pairs = {"general.name": (STRING, name), "llama.context_length": (U32, trained)}
        (found / f"{name}.gguf").write_bytes(gguf(pairs))
    return found


def test_mistakes_are_refused_and_ends_without_a_server_have_their_codes(folder, tmp_path):
    models, where = folder / "*.gguf", ("--results-dir", tmp_path / "r")
    others = [
        ("recommend", models, "--benchmark", "human_eval", "--vram", "8G", "--context", "128k", *where),
        (
            "recommend",
            models,
            "--benchmark",
            "human_eval",
            "--vram",
            "8G",
            "--context",
            "128k",
            "--json",
            *where,
        ),
        (
            "recommend",
            models,
            "--benchmark",
            "human_eval,tasks",
            "--vram",
            "8G",
            "--context",
            "4k",
            "--dry-run",
            *where,
        ),
    ]
    commands = [("recommend", models, *where, *shlex.split(words)) for words, _ in REFUSED]
    env = {"LLAMA_SERVER": "", "CUDA_VISIBLE_DEVICES": ""}
    plan_as_json = (*others[-1], "--json")
    *refused, nothing, as_json, plan, planned = bench_runners(*commands, *others, plan_as_json, env=env)
    for done, (words, message) in zip(refused, REFUSED, strict=True):
        assert (done.code, message in done.err) == (2, True), (words, done.err)
    assert nothing.code == 8
    assert "it was trained for 65,536 tokens of context, not 131,072" in nothing.out
    assert "Nothing fits: none of 2 configurations can be served like that." in nothing.out
    assert as_json.code == 8
    assert json.loads(as_json.out)["ending"] == "nothing fits"
    assert plan.code == 0, plan.err
    assert "short\tf16\t\t\tno: it was trained for 2,048 tokens of context, not 4,096" in plan.out
    assert "speed: 1 run with 3,904 tokens in the context" in plan.out
    told = json.loads(planned.out)
    assert ([each["label"] for each in told["fitting"]], told["runs"], told["finished_runs"]) == (
        ["long"],
        3,
        0,
    )
    assert not [*(tmp_path / "r").glob("2*")]


@pytest.mark.servers
def test_killed_in_the_middle_and_asked_again_it_ends_with_a_command(folder, tmp_path):
    """Started like llama-server: a slow one and a fast one, on eight problems and a tolerance that these can show."""
    for name in ("fast", "slow"):
        (tmp_path / f"{name}.gguf").write_bytes(gguf({"general.name": (STRING, name)}))
    program = tmp_path / "llama-server"
    program.write_text(
        f'#!/bin/sh\nexec {shlex.join([sys.executable, str(PROGRAMS / "llama_like.py")])} "$@"\n'
    )
    program.chmod(0o755)
    words = [
        "recommend", tmp_path / "*.gguf", "--vram", "8G", "--context", "1k", "--benchmark", "human_eval",
        "--limit", "8", "--tolerance", "50", "--server-binary", program, "--results-dir", tmp_path / "r",
    ]  # fmt: skip
    with subprocess.Popen(
        [PROGRAM, *map(str, words)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        while not finished(tmp_path / "r"):
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    before = finished(tmp_path / "r")
    done = bench_runner(*words)
    assert done.err.count("reused: ") == len(before), done.err
    assert len(finished(tmp_path / "r")) == 4
    again = bench_runner(*words, "--json")
    assert (again.code, again.err.count("reused: ")) == (done.code, 4)
    told = json.loads(again.out)
    assert [row["tokens_per_s"] is not None for row in told["rows"]] == [True, True]
    assert [look["number"] for look in told["looks"]] == [1]
    if told["ending"] == "recommended":
        assert shlex.join(told["command"]) in done.out
    slow = bench_runner(*words, "--min-tokens-per-s", "100000")
    assert (slow.code, "No model reaches 100000 tokens/s with 832 tokens in the context" in slow.out) == (
        8,
        True,
    )


def finished(results):
    return [record.run_id for _, record in all_records(results, warn=print) if record.status == "succeeded"]
