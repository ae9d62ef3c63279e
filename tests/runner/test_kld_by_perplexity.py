"""`run --benchmark kld` by llama-perplexity: which way is taken, the exact command line, and no server beside it."""

import dataclasses
import json
import signal
import subprocess
import sys
import time

import pytest

from engines.less_memory import smaller
from engines.shared_server import server_key
from results.errors import ScriptError, ServerOutOfMemory, UsageError
from results.stats.divergence import PERPLEXITY_LOG
from runner.fingerprint import fingerprint
from runner.kld.serverless import NoServer
from runner.request import build_spec
from servers.launch import plan
from servers.perplexity.plan import base_bytes
from settings.asked import Asked
from tests.command_line import PROGRAM, PROGRAMS, bench_runner, logged, wait_for
from tests.leaks import marked_processes
from tests.programs.fake_perplexity import MARKER
from tests.servers.gguf_file import gguf
from tests.servers.launches import program

FACTS = {"vocab": 300, "seed": 3, "chunks": 6}


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Models, a text, and a folder with a llama-server and a (fake) llama-perplexity beside it."""
    for name in ("LLAMA_SERVER", "LLAMA_PERPLEXITY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.chdir(tmp_path)
    program(tmp_path / "build/bin/llama-server")
    fake = f'#!/bin/sh\nexec {sys.executable} {PROGRAMS / "fake_perplexity.py"} "$@"\n'
    program(tmp_path / "build/bin/llama-perplexity", fake)
    model(tmp_path / "f16.gguf")
    model(tmp_path / "q4.gguf", noise=0.3)
    (tmp_path / "text.txt").write_text("text " * 100)
    return tmp_path


def model(path, **facts):
    path.write_bytes(gguf() + MARKER + json.dumps({**FACTS, **facts}).encode())
    return path


def spec_of(here, **given):
    asked = {"benchmark": "kld", "model": str(here / "q4.gguf"), "kld_text": str(here / "text.txt")}
    asked |= {"kld_reference": str(here / "f16.gguf"), "kld_window": "32"}
    return build_spec(Asked({**asked, **given}))


def words_of(here, **given):
    return plan(spec_of(here, **given).server, nonce="ab12").tool


def test_the_exact_command_line_follows_from_the_servers_settings(here):
    binary = str(here / "build/bin/llama-perplexity")
    found = plan(
        spec_of(
            here, gpu_layers=-1, ctx_size=8192, parallel=8,
            server_args=("--cache_type_k", "q8_0", "-t", "3", "--jinja", "-c", "512", "--mlock"),
        ).server,
        nonce="ab12",
    )  # fmt: skip
    assert found.tool == (
        *(binary, "-m", str(here / "q4.gguf"), "-ngl", "999"),
        *("--cache-type-k", "q8_0", "-t", "3", "--mlock"),
    )
    assert found.left_out == ("--jinja",)
    assert (found.kind, found.argv, found.has_server, found.shown) == (
        "llama-perplexity",
        (),
        False,
        found.tool,
    )
    assert found.script_words[:2] == ("--reference-model", str(here / "f16.gguf"))
    assert json.loads(found.script_words[3])["name"] == "f16"
    assert found.script_words[4:] == ("--", *found.tool)


@pytest.mark.parametrize(
    ("given", "way"),
    [
        ({}, "llama-perplexity"),
        ({"kld_way": "served"}, "served"),
        ({"kld_top": "20"}, "served"),
        ({"kld_reference": None}, "served"),
        ({"kld_reference": "20261126"}, "served"),  # a run
        ({"kld_reference": None, "kld_way": "llama-perplexity"}, "llama-perplexity"),
        ({"server_command": "serve {model} --port {port}"}, "served"),
    ],
)
def test_the_way_that_is_left_open_is_the_program_where_it_can_measure(here, given, way):
    assert spec_of(here, **given).config()["kld_way"] == way


def test_without_the_program_a_server_is_asked_and_must_be_told_where_the_program_is(here):
    (here / "build/bin/llama-perplexity").unlink()
    assert spec_of(here).config()["kld_way"] == "served"
    with pytest.raises(UsageError, match="there is no llama-perplexity") as refused:
        spec_of(here, kld_way="llama-perplexity")
    assert "--perplexity-binary" in refused.value.hint


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"kld_way": "llama-perplexity", "kld_top": "20"}, "compares the whole vocabulary"),
        (
            {"kld_way": "llama-perplexity", "kld_reference": "20261126"},
            "needs the reference's model, not a run",
        ),
        (
            {"kld_way": "llama-perplexity", "base_url": "http://127.0.0.1:9", "model": None},
            "not --server attach",
        ),
        ({"kld_window": "7"}, "takes windows of 8 tokens or more"),
        ({"perplexity_binary": "/no/such"}, "--perplexity-binary /no/such: no such program"),
    ],
)
def test_what_can_t_work_is_refused_before_anything_starts(here, given, why):
    with pytest.raises(UsageError, match=why):
        spec_of(here, **given)


@pytest.mark.parametrize("word", ["--chunks", "--kl-divergence-base", "-f", "-m", "--ppl_stride"])
def test_what_a_run_sets_itself_is_refused_behind_the_dashes(here, word):
    with pytest.raises(UsageError, match="can't be passed") as refused:
        words_of(here, server_args=(word, "3"))
    assert refused.value.hint


def test_another_vocabulary_is_told_before_anything_starts(here):
    for name, tokens in (("f16.gguf", 100), ("q4.gguf", 90)):
        data = gguf(names=["token_embd.weight", "blk.0.weight", "blk.1.weight"])
        at = data.index(b"token_embd.weight") + len(b"token_embd.weight") + 4 + 8  # its second dimension
        (here / name).write_bytes(data[:at] + tokens.to_bytes(8, "little") + data[at + 8 :] + bytes(100 * 36))
    with pytest.raises(UsageError, match="q4 has a vocabulary of 90 tokens, the reference f16 one of 100"):
        words_of(here)


def test_the_need_of_disk_is_told_before_anything_starts(here):
    assert base_bytes(512, 49152, 4) == 4 * 255 * (49152 + 4) * 2
    data = gguf(names=["token_embd.weight", "blk.0.weight", "blk.1.weight"])
    for name in ("f16.gguf", "q4.gguf"):
        (here / name).write_bytes(data)
    (here / "text.txt").write_text("word " * 3_000_000)
    with pytest.raises(UsageError, match=r"need about .* GiB in .*--kld-cache-size is 0.0 GiB"):
        words_of(here, kld_cache_size=1 << 20)


def test_a_run_by_the_program_is_not_taken_for_one_that_was_served(here):
    """Also where the way was left open, and the program came later."""
    left_open, said = fingerprint(spec_of(here)), fingerprint(spec_of(here, kld_way="llama-perplexity"))
    (here / "build/bin/llama-perplexity").unlink()
    assert left_open == said != fingerprint(spec_of(here)) == fingerprint(spec_of(here, kld_way="served"))


def test_no_server_that_is_kept_for_other_runs_stays_beside_it(here):
    ours, others = spec_of(here).server, spec_of(here, kld_way="served").server
    assert server_key(ours) != server_key(others)


def test_out_of_memory_moves_layers_but_never_changes_the_windows(here):
    server = spec_of(here, gpu_layers=2).server
    less = smaller(server, {}, "device")
    assert less.server.gpu_layers == 1
    assert smaller(dataclasses.replace(server, gpu_layers=0), {"ctx_size": 8192}, "device") is None


def command(here, *more):
    words = ("--model", here / "q4.gguf", "--kld-reference", here / "f16.gguf", "--kld-window", 32)
    text = ("--kld-text", here / "text.txt", "--results-dir", here / "r")
    return ("run", "--benchmark", "kld", *words, *text, *more)


def test_a_run_starts_no_server_and_its_record_says_what_ran(here):
    done = bench_runner(*command(here, "--", "-ctk", "q8_0"))
    assert done.code == 0, done.err
    (record,) = logged(here / "r")
    server = record["server"]
    assert (server["kind"], server["url"], server["in_force"]["build"]) == (
        "llama-perplexity",
        "",
        "1 (fake)",
    )
    assert server["command"][-2:] == ["-ctk", "q8_0"]
    assert "port" not in record["config"]
    assert record["score"]["details"]["kld"]["way"] == "llama-perplexity"
    assert record["score"]["details"]["kld"]["reference"]["quantization"] == "Q4_0"
    assert record["phases"]["load_s"] is not None
    assert {"reference", "load", "generate"} <= record["telemetry"]["phases"].keys()
    assert (
        record["telemetry"]["peak_process_memory_bytes"] > 1 << 20
    )  # of the program: it is what is measured
    folder = here / "r" / record["run_id"]
    assert "loading" in (folder / "perplexity.log").read_text()
    assert not (folder / "server.log").exists()


def test_out_of_memory_is_an_error_by_which_a_sweep_lowers_layers(here):
    log = here / PERPLEXITY_LOG
    running = NoServer(plan(spec_of(here).server, nonce=""), here, stall_timeout_s=1)
    said = ScriptError("llama-perplexity failed", hint="lower --gpu-layers", log_tail="its log")
    log.write_text("0.00.1 E main: unable to load model")
    assert running.failure(said) is said
    log.write_text("0.00.1 E ggml_backend_cuda_buffer_type_alloc_buffer: cudaMalloc failed: out of memory")
    found = running.failure(said)
    assert isinstance(found, ServerOutOfMemory)
    assert (found.where, found.message, found.hint, found.log_tail) == (
        *("device", "llama-perplexity failed"),
        *("lower --gpu-layers", "its log"),
    )


@pytest.mark.servers
def test_a_failed_run_shows_the_programs_last_words(here):
    model(here / "q4.gguf", fault="exit", says="0.00.1 E ggml_cuda: cudaMalloc failed: out of memory")
    done = bench_runner(*command(here))
    assert done.code == 3
    assert "llama-perplexity failed on q4 (exit code 1): cudaMalloc failed: out of memory" in done.err
    assert "lower --gpu-layers" in done.err
    assert "E ggml_cuda: cudaMalloc failed" in done.err  # the end of its log
    assert logged(here / "r")[0]["error"]["kind"] == "out_of_memory"


@pytest.mark.servers
def test_a_program_that_hangs_is_ended(here):
    model(here / "q4.gguf", fault="hang", at=2)
    done = bench_runner(*command(here, "--stall-timeout", 1))
    assert done.code == 4
    assert "llama-perplexity hangs: no processor time and no progress for" in done.err
    assert logged(here / "r")[0]["error"]["kind"] == "script"


@pytest.mark.servers
def test_kill_9_of_the_harness_while_base_logits_are_written_leaves_no_process_and_no_half_a_file(here):
    before = set(marked_processes())
    model(here / "f16.gguf", slow_s=0.5)
    with subprocess.Popen([PROGRAM, *map(str, command(here))], stderr=subprocess.DEVNULL) as harness:
        kept = here / "cache/bench_runner/base_logits"
        wait_for(lambda: list(kept.glob(".f16*/logits")))
        harness.send_signal(signal.SIGKILL)
    began = time.monotonic()
    while left := {pid: line for pid, line in marked_processes().items() if pid not in before}:
        assert time.monotonic() - began < 20, left
        time.sleep(0.05)
    assert list(kept.glob("f16*")) == []
    model(here / "f16.gguf")
    done = bench_runner(*command(here))
    assert done.code == 0, done.err
    assert [each.name for each in kept.iterdir() if each.name.startswith(".")] == []
