"""One pass of llama-perplexity: read while it writes, ended whatever happens, every failure told in its own words."""

import asyncio
import json
import os
import sys
import time
from pathlib import Path

import pytest

from evaluation.benchmarks.kld.perplexity_pass import PassRequest, PerplexityPass
from results.errors import ScriptError, UsageError
from tests.programs.fake_perplexity import encoded, logits_of, tokens_of

FAKE = (sys.executable, str(Path(__file__).parents[1] / "programs" / "fake_perplexity.py"))
MODEL = {"vocab": 300, "seed": 3}


def request(tmp_path, *, words=FAKE, limit=None, **model):
    file = tmp_path / "model.json"
    file.write_text(json.dumps({**MODEL, **model}))
    text = tmp_path / "text.txt"
    text.write_text("text")
    return PassRequest(
        words=(*words, "-m", str(file)),
        text=text,
        window=32,
        limit=limit,
        log=tmp_path / "perplexity.log",
        model="model",
    )


def run(asked):
    async def go():
        async with PerplexityPass(asked) as running:
            reader = await running.reader()
            chunks = [await running.chunk() for _ in range(reader.header.n_chunks)]
            return reader.tokens, chunks, await running.finish()

    return asyncio.run(go())


def failure(asked):
    with pytest.raises(ScriptError) as failed:
        run(asked)
    return failed.value


@pytest.mark.parametrize(("limit", "count"), [(None, 3), (2, 2), (100, 3)])
def test_all_chunks_and_the_printed_perplexity_are_read(tmp_path, limit, count):
    tokens, chunks, perplexity = run(request(tmp_path, limit=limit))
    assert (tokens == tokens_of(MODEL, 32, count)).all()
    assert chunks == [encoded(logits_of(MODEL, 32, chunk)) for chunk in range(count)]
    assert perplexity == 12.5


def test_the_exact_command_is_known(tmp_path):
    asked = request(tmp_path, limit=7)
    command = asked.command("FILE")
    assert command[: len(asked.words)] == asked.words
    rest = ("-f", str(asked.text), "-c", "32", "--chunks", "7", "--kl-divergence-base", "FILE")
    assert command[len(asked.words) :] == rest


# Lines that the real program prints, of llama.cpp at version 0.6.0-dev.
@pytest.mark.parametrize(
    ("says", "why", "hint"),
    [
        (
            (
                "0.00.019.371 E llama_model_load: error loading model: unknown model architecture: 'xlama'\n"
                "0.00.035.727 E llama_perplexity: unable to load model"
            ),
            "unknown model architecture: 'xlama'",
            "update llama.cpp",
        ),
        ("error: invalid argument: --foo", "invalid argument: --foo", "--help"),
        (
            'error while handling argument "--chunks": stoi',
            'error while handling argument "--chunks": stoi',
            "--help",
        ),
        (
            (
                "0.00.175.236 E ggml_aligned_malloc: insufficient memory (attempted to allocate 102.14 MB)\n"
                "0.00.175.308 E ggml_backend_cpu_buffer_type_alloc_buffer: failed to allocate buffer of size 107106304"
            ),
            "insufficient memory (attempted to allocate 102.14 MB)",
            "lower --gpu-layers",
        ),
        (
            "0.00.066.210 E llama_init_from_model: quantized V cache requires flash_attn to be enabled",
            "quantized V cache requires flash_attn to be enabled",
            "see ",
        ),
        (
            "0.00.023.195 E cmn  common_init_: failed to create context with model 'q8.gguf'",
            "failed to create context with model 'q8.gguf'",
            "see ",
        ),
    ],
)
def test_its_own_words_say_why_it_failed(tmp_path, says, why, hint):
    error = failure(request(tmp_path, says=says, fault="exit"))
    assert error.message == f"llama-perplexity failed on model (exit code 1): {why}"
    assert hint in error.hint
    assert says.splitlines()[-1] in error.log_tail
    assert error.command[-1].startswith("/proc/self/fd/")


def test_a_text_that_is_too_short_is_told_though_it_ends_with_0(tmp_path):
    says = "0.01.319.894 E perplexity: you need at least 1024 tokens to evaluate perplexity with a context of 512"
    error = failure(request(tmp_path, says=says, fault="short"))
    assert error.message.startswith("llama-perplexity failed on model: you need at least 1024 tokens")
    assert "--kld-text" in error.hint


def test_the_kernel_killing_it_is_told(tmp_path):
    error = failure(request(tmp_path, fault="die", at=2))
    assert "killed by signal 9" in error.message
    assert "memory" in error.hint


@pytest.mark.parametrize("at", [1, 3])
def test_a_stream_that_ends_too_early_is_an_error_even_with_exit_code_0(tmp_path, at):
    assert f"ends in chunk {at} of 3" in failure(request(tmp_path, fault="short", at=at)).message


def test_more_than_it_announced_is_an_error(tmp_path):
    assert "more than it announced" in failure(request(tmp_path, fault="more")).message


def test_an_earlier_pass_in_the_same_log_is_not_blamed(tmp_path):
    failure(request(tmp_path, says="error: invalid argument: --foo", fault="exit"))
    assert "--foo" not in failure(request(tmp_path, says="hello", fault="exit")).message


def test_one_that_can_t_be_started_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="no-such-program can't be started") as refused:
        run(request(tmp_path, words=("/no-such-program",)))
    assert "--perplexity-binary" in refused.value.hint


@pytest.mark.parametrize("at", [0, 2])
def test_cancelling_ends_it_even_where_it_ignores_sigterm(tmp_path, at, monkeypatch):
    monkeypatch.setattr("evaluation.benchmarks.kld.perplexity_pass.STOP_GRACE_S", 0.2)

    async def go():
        pids = []

        async def read():
            async with PerplexityPass(request(tmp_path, fault="hang", at=at)) as running:
                pids.append(running.pid)
                reader = await running.reader()
                for _ in range(reader.header.n_chunks):
                    await running.chunk()

        task = asyncio.create_task(read())
        await asyncio.sleep(0.6)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return pids[0]

    began = time.monotonic()
    pid = asyncio.run(go())
    assert time.monotonic() - began < 5
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
