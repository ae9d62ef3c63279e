"""The command line: help, bad input, and the commands that look at runs."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import click
import pytest

from tests.command_line import PROGRAM, ROOT, bench_runner, bench_runners, command_server

HEAVY = {
    "aiohttp",
    "requests",
    "rich",
    "tinydb",
    "pynvml",
    "xllamacpp",
    "psutil",
    "huggingface_hub",
}


def test_help_has_examples_and_every_command():
    text = bench_runner("--help").out
    assert all(command in text for command in ("run", "list", "show", "doctor", "completion"))
    assert "--model some.gguf --gpu-layers 80" in bench_runner("run", "-h").out


def test_help_and_bad_usage_import_nothing_heavy():
    for words, code in ((["--help"], 0), (["run", "--help"], 0), (["run", "--frobnicate"], 2)):
        done = subprocess.run(
            [sys.executable, "-X", "importtime", PROGRAM, *words], capture_output=True, text=True, check=False
        )
        assert done.returncode == code
        imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
        assert not imported & HEAVY


@pytest.mark.parametrize("words", [(), ("--no-such-option",), ("run",), ("run", "--limit", "many")])
def test_bad_usage_says_how_to_get_help(words):
    done = bench_runner(*words)
    assert done.code == 2
    assert "help" in done.err + done.out


def test_it_works_through_a_symlink_from_any_folder_without_an_environment(tmp_path):
    link = tmp_path / "bench"
    link.symlink_to(PROGRAM)
    done = subprocess.run(
        [link, "--version"],
        capture_output=True,
        text=True,
        cwd="/",
        env={"PATH": "/usr/bin:/bin"},
        check=True,
    )
    assert done.stdout.startswith("bench_runner, version ")


BAD = [
    (["--benchmark", "humaneval"], "there is no benchmark 'humaneval'", "did you mean human_eval?"),
    (["--model", "no-such.gguf"], "there is no model 'no-such.gguf'", ""),
    (["--model", str(PROGRAM)], "is not a GGUF file", ""),
    (["--model", str(ROOT / "servers")], "is a folder that contains no model", ""),
    (["--server", "vllm", "--gpu-layers", "8"], "--gpu-layers does not apply", "whole model on the GPU"),
    (["--limit", "0"], "--limit: 0 is out of range: 1 to 1000000", "--help"),
    (["--limit", "-5"], "--limit: -5 is out of range", ""),
    (["--limit", "99999999999999999999"], "out of range", ""),
    (["--n-samples", "0"], "--n-samples: 0 is out of range", ""),
    (["--max-tokens", "-1"], "--max-tokens: -1 is out of range", ""),
    (["--parallel", "0"], "--parallel: 0 is out of range", ""),
    (["--temperature", "-0.5"], "--temperature: -0.5 is out of range", ""),
    (["--temperature", "nan"], "--temperature: nan is out of range", ""),
    (["--seed", "-1"], "--seed: -1 is out of range", ""),
    (["--port", "70000"], "--port: 70000 is out of range: 1 to 65535", "--help"),
    (["--port", "0"], "--port: 0 is out of range", ""),
    (["--ready-timeout", "0"], "--ready-timeout: 0.0 is out of range: more than 0", ""),
    (["--stall-timeout", "nan"], "--stall-timeout: nan is out of range: more than 0", ""),
    (["--max-restarts", "-1"], "--max-restarts: -1 is out of range", ""),
    (["--server-binary", "/no/such/llama-server"], "no such program", ""),
    (["--server-binary", str(ROOT / "setup.cfg")], "is not executable", "chmod +x"),
    (["--parser", "nope"], "--parser: 'nope' is not one of summary", "--help"),
    (["--sandbox", "none"], "'none' is not one of", ""),
    (["--script", "/no/such.py"], "no such file", ""),
    (["--script-args", "-x"], "--script-args needs --script", ""),
    (["--script", "/bin/true", "--script-args", "{nope}"], "unknown placeholder 'nope'", "{base_url}"),
    (["--resume", "nope"], "there is no run 'nope'", ""),
    (["--base-url", "ftp://127.0.0.1"], "ftp://127.0.0.1", "http"),
    (["--server", "attach"], "--server attach needs --base-url", ""),
    (["--server", "command"], "--server command needs --server-command", ""),
    (["--server-command", "serve {prot}"], "unknown placeholder {prot}", "{port}"),
    (["--as-published", "--top-k", "3"], "--top-k can't be combined with --as-published", ""),
    (["--benchmark", "gsm8k", "--as-published"], "gsm8k has no published sampling of its own", "lcb and human_eval"),
    (["--benchmark", "mmlu", "--top-p", "0.5"], "--top-p does not apply to answers by log-prob", "--answer-by letter"),
    (["--prompt-style", "completion", "--system-prompt", "x"], "--system-prompt needs a chat", "--prompt-style chat"),
    (["--thinking-budget", "99", "--max-tokens", "99"], "a thinking budget of 99 tokens leaves none", "--max-tokens"),
    (["--benchmark", "speed", "--top-p", "0.5"], "--top-p does not apply to --benchmark speed", ""),
    (["--", "--host", "0.0.0.0"], "--host can't be passed to the server", "127.0.0.1"),
    (["--", "--api-key", "hunter2"], "--api-key can't be passed to the server", "LLAMA_API_KEY"),
]  # fmt: skip


def test_bad_input_is_told_before_anything_starts(tmp_path, demo_model):
    """With the reason, exit code 2, no traceback, and no run's folder."""
    always = ("run", "--benchmark", "human_eval", "--results-dir", tmp_path / "results")
    for done, (words, message, hint) in zip(
        bench_runners(*((*always, *words) for words, *_ in BAD)), BAD, strict=True
    ):
        assert done.code == 2, (words, done.err)
        assert message in done.err
        assert hint in done.err
        assert "Traceback" not in done.err
        assert done.out == ""
    folders = [path for path in tmp_path.glob("results/*") if path.is_dir() and path.name != ".unlogged"]
    assert folders == []


def test_a_truncated_model_is_told(tmp_path, demo_model):
    cut = tmp_path / "cut off.gguf"
    with demo_model.open("rb") as whole:
        cut.write_bytes(whole.read(50_000_000))
    done = bench_runner("run", "--benchmark", "human_eval", "--model", cut, "--results-dir", tmp_path / "r")
    assert done.code == 2
    assert "cut off.gguf is truncated: 48,362,432 of 98,362,432 bytes are missing" in done.err


def test_a_folder_for_llama_cpp_and_a_file_for_vllm_are_told(tmp_path, demo_model):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    run = ("run", "--benchmark", "human_eval", "--results-dir", tmp_path / "r", "--model")
    for words, hint in (
        ((tmp_path / "model",), "--server vllm"),
        ((demo_model, "--server", "vllm", "--server-binary", sys.executable), "--server llama.cpp"),
    ):
        done = bench_runner(*run, *words)
        assert done.code == 2
        assert hint in done.err


def test_a_port_in_use_is_told_with_who_uses_it(tmp_path, demo_model):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = bench_runner("run", "--benchmark", "human_eval", "--port", port, "--results-dir", tmp_path)
    assert done.code == 2
    assert f"port {port} is in use by process {os.getpid()}" in done.err


@pytest.mark.parametrize(
    ("script", "message", "hint"),
    [
        ("kill -ILL $$", "SIGILL", "build for this CPU"),
        (
            "echo error while loading shared libraries: libfoo.so: cannot open shared object file >&2; exit 127",
            "127",
            "librar",
        ),
        ("echo CUDA error: out of memory >&2; exit 1", "exit code 1", "quantisation"),
    ],
)
def test_a_server_binary_that_dies_at_once_is_told(tmp_path, demo_model, script, message, hint):
    """With its last words, the exact command line, exit code 3, and the run in the log as failed."""
    binary = tmp_path / "llama-server"
    binary.write_text(f"#!/bin/sh\n{script}\n")
    binary.chmod(0o755)
    results = tmp_path / "results"
    done = bench_runner(
        "run", "--benchmark", "human_eval", "--server-binary", binary, "--results-dir", results
    )
    assert done.code == 3, done.err
    assert message in done.err
    assert hint in done.err
    assert f"command: {binary} -m " in done.err
    assert bench_runner("list", "--results-dir", results).out.splitlines()[1].split("\t")[1] == "failed"


def test_results_that_cannot_be_written_are_told_before_the_server_starts(tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file" / "results", "/proc/results"):
        done = bench_runner("run", "--benchmark", "human_eval", "--results-dir", folder)
        assert done.code == 6, done.err
        assert "--results-dir" in done.err
        assert "starting" not in done.err


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_a_results_folder_of_another_user_is_told():
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        top = Path(folder)
        top.chmod(0o755)
        code = top / "code"
        shutil.copytree(ROOT, code, ignore=shutil.ignore_patterns(".*", "tests", "benchmark_results"))
        as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable]
        if subprocess.run([*as_nobody, "-c", "import click"], capture_output=True, check=False).returncode:
            pytest.skip(f"another user can't run {sys.executable}")
        run = [
            code / "bench_runner.py",
            "run",
            "--benchmark",
            "human_eval",
            "--base-url",
            "http://127.0.0.1:1",
        ]
        done = subprocess.run([*as_nobody, *run, "--results-dir", top / "results"],
                              capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 6
    assert "choose a folder that you may write to" in done.stderr


def test_completion_works_in_bash():
    script = f"""
        export PATH={ROOT}:$PATH
        eval "$(bench_runner.py completion bash)"
        COMP_LINE='bench_runner.py run --benchmark hum' COMP_POINT=${{#COMP_LINE}}
        _bench_runnerpy_completion bench_runner.py
        echo "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["human_eval", "human_eval_plus"], done.stderr


def test_doctor_names_what_is_found():
    done = bench_runner("doctor")
    assert done.code == 0
    for name in ("llama-server", "xllamacpp", "vllm", "bubblewrap", "GPUs", "demo model"):
        assert name in done.out
    assert "ok       bubblewrap" in done.out
    assert "ok       landlock" in done.out


def test_no_runs_are_an_empty_list_and_an_unknown_one_is_told(tmp_path):
    assert bench_runner("list", "--results-dir", tmp_path / "none").out.splitlines() == [
        "run\tstatus\tbenchmark\tmodel\tscore\tcompletions\tnote\tlabel\tcomposite\tpartial_composite"
    ]
    done = bench_runner("show", "2026", "--results-dir", tmp_path)
    assert done.code == 2
    assert "there is no run '2026'" in done.err


def test_without_a_model_the_demo_model_is_said_in_one_line(tmp_path):
    done = bench_runner("run", "--benchmark", "human_eval", *command_server("fake_server.py", "--exit-code", 1),
                        "--results-dir", tmp_path)  # fmt: skip
    assert done.code == 3
    assert done.err.splitlines()[0] == "no --model given: using the small demo model, SmolLM2 135M"


def test_each_command_is_listed_once_and_can_be_loaded():
    """A command that is in no section can't be found; one that is listed must exist."""
    import bench_runner as program

    assert sum(map(len, program.SECTIONS.values())) == len(program.COMMANDS)
    assert set(program.cli.commands) == {name for name, (module, _) in program.COMMANDS.items() if not module}
    context = click.Context(program.cli)
    assert {program.cli.get_command(context, name).name for name in program.COMMANDS} == {*program.COMMANDS}
