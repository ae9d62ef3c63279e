"""A run and a sweep where files and the shell are not as usual."""

from __future__ import annotations

import json
import resource
import subprocess
from pathlib import Path

import pytest

from tests.command_line import PROGRAM, bench_runner
from tests.evaluation.running_servers import scripted_server
from tests.servers.gguf_file import STRING, U32, gguf

pytestmark = pytest.mark.slow

PLAIN = json.loads((Path(__file__).parent / "evaluation/cases/plain_chat.json").read_text())
ONE = ("--benchmark", "human_eval", "--limit", 1, "--prompt-style", "chat")
NO_MODELS = {
    "style-lora.gguf": gguf(
        {"general.type": (STRING, "adapter"), "adapter.type": (STRING, "lora")},
        names=["blk.0.attn_q.weight.lora_a", "blk.0.attn_q.weight.lora_b"],
    ),
    "imatrix.gguf": gguf(
        {"general.type": (STRING, "imatrix"), "imatrix.chunk_count": (U32, 100)},
        base={},
        names=["blk.0.attn_q.weight.in_sum2", "blk.0.attn_q.weight.counts"],
    ),
    "mood-vector.gguf": gguf(
        {"general.architecture": (STRING, "controlvector"), "controlvector.model_hint": (STRING, "llama")},
        base={},
        names=["direction.1"],
    ),
    "vocab.gguf": gguf(
        {"general.architecture": (STRING, "llama"), "tokenizer.ggml.model": (STRING, "gpt2")},
        base={},
        tensors=0,
    ),
}


def test_files_that_are_no_language_models_are_left_out_and_named(tmp_path):
    for name, data in NO_MODELS.items():
        (tmp_path / name).write_bytes(data)
    words = ("sweep", tmp_path / "*.gguf", "--benchmark", "human_eval", "--dry-run")
    alone = bench_runner(*words)
    assert alone.code == 2
    assert "style-lora.gguf is a LoRA adapter" in alone.err
    assert "mean" not in alone.err, "none of them is meant"
    (tmp_path / "model.gguf").write_bytes(gguf())
    done = bench_runner(*words)
    assert done.code == 0, done.err
    for said in (
        "imatrix.gguf is an importance matrix",
        "mood-vector.gguf is a control vector",
        "vocab.gguf is a voc",
    ):
        assert said in done.out + done.err
    refused = bench_runner("run", "--benchmark", "human_eval", "--model", tmp_path / "style-lora.gguf")
    assert (refused.code, "is a LoRA adapter, not a model" in refused.err) == (2, True)


def test_a_folder_for_temporary_files_with_a_long_name(tmp_path):
    """Longer than the path of a Unix socket may be."""
    folder = tmp_path / ("a" * 200)
    folder.mkdir()
    with scripted_server(tmp_path / "s", {"plain": PLAIN}) as url:
        words = ("run", "--base-url", f"{url}/plain", *ONE, "--results-dir", tmp_path / "r")
        done = bench_runner(*words, env={"TMPDIR": str(folder)})
    assert (done.code, "1 passed" in done.out) == (0, True), done.err


@pytest.mark.parametrize(
    ("kind", "most", "said"),
    [
        (resource.RLIMIT_NOFILE, 100, "100 open files instead of 128 (ulimit -n)"),
        (resource.RLIMIT_FSIZE, 1000 << 10, "files of 0.977 MiB instead of 64 (ulimit -f)"),
        (resource.RLIMIT_AS, 1_000_000 << 10, "977 MiB of memory instead of 2048 (ulimit -v)"),
    ],
    ids=["open files", "file size", "address space"],
)
def test_a_run_under_low_hard_limits_executes_and_names_them(tmp_path, kind, most, said):
    with scripted_server(tmp_path / "s", {"plain": PLAIN}) as url:
        words = ("run", "--base-url", f"{url}/plain", *ONE, "--results-dir", tmp_path / "r")
        done = subprocess.run(
            [PROGRAM, *map(str, words)],
            preexec_fn=lambda: resource.setrlimit(kind, (most, most)),
            capture_output=True, text=True, check=False, timeout=100,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "1 passed" in done.stdout
    assert said in done.stdout
