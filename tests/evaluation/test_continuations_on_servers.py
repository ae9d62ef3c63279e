"""Continuations on real servers: the sum of forced tokens is that of each one by itself, and vLLM tells the same."""

from __future__ import annotations

import asyncio
import json
import math
import shutil
import subprocess
import urllib.request

import pytest

from evaluation.benchmarks.kld.served import PredictingServer
from evaluation.benchmarks.kld.windows import Window
from evaluation.likelihood.forced_tokens import read_ids, tokenize_request
from evaluation.models.connection import build_connection_info
from evaluation.models.parameters import Parameters
from evaluation.models.providers import get_interface_for_provider
from evaluation.protocols import PromptStyle, Request
from servers.launch import plan
from servers.llama_cpp import EMBEDDED
from servers.models import resolve
from servers.plan import LaunchPlan
from servers.ports import free_port
from servers.request import ServerRequest
from servers.supervisor import launch
from settings.base_url import parse_base_url
from tests.evaluation.running_servers import OPENER

pytestmark = [pytest.mark.servers, pytest.mark.timeout(1200)]

KEY = "sesame-and-more"
# llama.cpp's kernels for the CPU differ between one token and many: 1e-2 of a quantised model's log-probability, 1e-3
# with flash attention, 1e-6 so.
EXACT = ("-t", "1", "--flash-attn", "off", "--cache-type-k", "f32", "--cache-type-v", "f32")
TEXTS = (
    ("The capital of France is", (" Paris.", " London, of course.", " a")),
    ("Q: What is 2 + 2?\nA: ", ("4", "The answer is four.")),
    ("A group of boys", (" and — “ü” 漢 🙂 end", " are here.<|im_end|>")),
    ("", ("The cat sat on the mat.",)),
)


@pytest.fixture(scope="module")
def float32(demo_model, llama_server_binary, tmp_path_factory):
    """The demo model's weights in single precision, as in bfloat16 in the folder that vLLM serves."""
    quantize = llama_server_binary.with_name("llama-quantize")
    folder = tmp_path_factory.mktemp("float32")
    files = [demo_model, folder / "bf16.gguf", folder / "f32.gguf"]
    for given, made, kind in zip(files, files[1:], ("BF16", "F32"), strict=False):
        subprocess.run(
            [quantize, "--allow-requantize", given, made, kind, "1"], check=True, capture_output=True
        )
    yield files[-1]
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def exact(float32, tmp_path_factory):
    """A server that computes in single precision, behind a key."""
    port = free_port()
    argv = (*EMBEDDED, "-m", str(float32), "--port", str(port), "-c", "2048", "--parallel", "2", *EXACT)
    made = LaunchPlan(
        kind="embedded",
        argv=(*argv, "--api-key", KEY),
        base_url=parse_base_url(f"http://127.0.0.1:{port}/v1"),
        api_key=KEY,
    )
    with launch(made, log_path=tmp_path_factory.mktemp("llama") / "log", ready_timeout_s=200) as running:
        yield running


@pytest.fixture(scope="module")
def vllm(vllm_python, vllm_model, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setenv("OMP_NUM_THREADS", "1")
        asked = ServerRequest(
            kind="vllm", model=resolve(str(vllm_model)), server_binary=str(vllm_python), ctx_size=1024, parallel=2,
            extra_args=("--enforce-eager", "--dtype", "float32"),
        )  # fmt: skip
        log = tmp_path_factory.mktemp("vllm") / "log"
        with launch(plan(asked, nonce="n0nce"), log_path=log, ready_timeout_s=2000) as running:
            yield running


def with_scorer(server, work):
    """What `work` gives of the interface to a server, ready to score, and of the way it scores."""

    async def main():
        info = build_connection_info(
            "local",
            {
                "base_url": server.plan.base_url.url + "/v1",
                "model": server.plan.model_name or "m",
                "api_key": server.plan.api_key or "",
                "timeout": 100,
                "max_retries": 0,
            },
        )
        interface = get_interface_for_provider(
            info, parameters=Parameters(info.sampling), server_wait=5, on_outage=lambda _down: None
        )
        async with interface:
            await interface.check_connection(1, 10)
            await interface.properties()
            way, why = await interface.find_scorer()
            assert way, why
            return await work(interface, way)

    return asyncio.run(main())


def asked(context, continuations, style=PromptStyle.COMPLETION):
    return Request(task_id="t", index=0, style=style, system="", user=context, continuations=continuations)


def looked_up(server, before, token):
    """The log-probability of a token behind others, among those of the whole vocabulary, and whether it is greedy."""
    body = {
        "prompt": before, "n_predict": 1, "n_probs": 1 << 20, "temperature": 0, "samplers": ["top_k"],
        "cache_prompt": False, "logit_bias": [["a", 100]],
    }  # fmt: skip
    (told,) = post(server, "/completion", body)["completion_probabilities"]
    found = {each["id"]: each["logprob"] for each in told["top_logprobs"]}
    return found[token], found[token] == max(found.values())


def ids(server, text, *, begin=False):
    body = tokenize_request("llama.cpp", "", text, begin=begin, special=True)
    return read_ids(post(server, "/tokenize", body))[0]


def post(server, path, body):
    asked = urllib.request.Request(server.plan.base_url.url + path, json.dumps(body).encode())
    asked.add_header("Authorization", f"Bearer {KEY}")
    with OPENER.open(asked, timeout=100) as response:
        return json.load(response)


def test_a_continuation_in_one_request_equals_each_of_its_tokens_by_itself(exact):
    way, found = with_scorer(exact, _scores_of(TEXTS))
    assert way == "grammar of token ids"
    scores = iter(found)
    for context, continuations in TEXTS:
        text = context.rstrip()
        before = ids(exact, text) if text else ids(exact, "<|im_start|>")
        for continuation in continuations:
            whole = ids(exact, context + continuation)
            forced = whole[len(before) :] if text else whole
            told = [looked_up(exact, [*before, *forced[:place]], token) for place, token in enumerate(forced)]
            score = next(scores)
            assert score.logprob == pytest.approx(math.fsum(each for each, _ in told), abs=1e-4, rel=1e-5)
            assert (score.tokens, score.is_greedy) == (len(forced), all(greedy for _, greedy in told))


def test_a_chat_is_continued_as_the_template_begins_the_model_s_turn(exact):
    text = (
        "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
        "<|im_start|>user\nName a colour.<|im_end|>\n<|im_start|>assistant\n"
    )

    async def work(interface, _):
        chat = await interface.generate(asked("Name a colour.", ("Blue", "Car"), PromptStyle.CHAT))
        plain = await interface.generate(asked(text, ("Blue", "Car")))
        return chat, plain

    chat, plain = with_scorer(exact, work)
    assert [each.logprob for each in chat.continuations] == pytest.approx(
        [each.logprob for each in plain.continuations], abs=1e-3
    )
    assert chat.text == plain.text


def test_what_does_not_fit_the_context_of_a_slot_is_said_to_be_too_long(exact):
    async def work(interface, _):
        return await interface.generate(asked("one two " * 900, (" three",)))

    answer = with_scorer(exact, work)
    assert answer.too_long
    assert "context" in answer.error


def test_kld_measures_texts_whose_characters_are_several_tokens(exact):
    text = "The 漢字 and the 🙃 are here, and then some more of them follow."

    async def main():
        info = build_connection_info("local", {"base_url": exact.plan.base_url.url, "api_key": KEY})
        async with PredictingServer(info, top=5, server_wait_s=5, on_outage=lambda _down: None) as server:
            await server.look(16)
            tokens, _ = await server.tokenize(text)
            return tokens, await server.predict(Window(0, tuple(tokens[:16])))

    tokens, found = asyncio.run(main())
    for place, prediction in enumerate(found, 16 - len(found)):
        expected, _ = looked_up(exact, tokens[:place], tokens[place])
        assert prediction[tokens[place]] == pytest.approx(expected, abs=1e-4)
        assert 5 <= len(prediction) <= 6


def test_what_a_draft_proposed_is_scored_as_without_one(exact, float32, tmp_path):
    fox = "The quick brown fox jumps over the lazy dog and runs away. "
    texts = [(fox * 3 + "The quick brown fox", (" jumps over the lazy dog and runs away. The quick",))]
    _, without = with_scorer(exact, _scores_of(texts))
    port = free_port()
    argv = (
        *EMBEDDED,
        "-m",
        str(float32),
        "--port",
        str(port),
        "-c",
        "512",
        "--spec-type",
        "ngram-simple",
        *EXACT,
    )
    made = LaunchPlan(kind="embedded", argv=argv, base_url=parse_base_url(f"http://127.0.0.1:{port}"))
    with launch(made, log_path=tmp_path / "log", ready_timeout_s=200) as drafting:
        _, found = with_scorer(drafting, _scores_of(texts))
    assert found[0].logprob == pytest.approx(without[0].logprob, abs=1e-3)


def test_vllm_tells_the_same_of_the_same_weights(vllm, exact):
    texts = [each for each in TEXTS if each[0]]  # vLLM tells no token that stands before a text
    _, ours = with_scorer(exact, _scores_of(texts))
    way, theirs = with_scorer(vllm, _scores_of(texts))
    assert way == "prompt log-probabilities"
    for our, their in zip(ours, theirs, strict=True):
        assert (our.tokens, our.is_greedy) == (their.tokens, their.is_greedy)
        assert our.logprob == pytest.approx(their.logprob, abs=0.01)


def _scores_of(texts):
    async def work(interface, way):
        answers = await asyncio.gather(*(interface.generate(asked(*each)) for each in texts))
        assert not any(answer.error for answer in answers), [answer.error for answer in answers]
        return way, [score for answer in answers for score in answer.continuations]

    return work
