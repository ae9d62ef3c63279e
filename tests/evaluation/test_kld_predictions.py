"""Predictions as servers tell them: read from real answers, and refused with a way out where they are none."""

from __future__ import annotations

import asyncio
import json
import math
from pathlib import Path

import pytest

from evaluation.benchmarks.kld.served import PredictingServer
from evaluation.benchmarks.kld.windows import Window
from evaluation.models.connection import ConnectionInfo
from results.errors import ServerError
from tests.evaluation.running_servers import raw_server

VLLM = json.loads((Path(__file__).parent / "fixtures" / "vllm_prompt_logprobs.json").read_text())
LLAMA = {
    "/v1/models": {"json": {"data": [{"id": "m", "owned_by": "llamacpp"}]}},
    "/props": {"json": {"total_slots": 2, "build_info": "b1-abc", "model_ftype": "Q8_0"}},
}


def ask(folder, scenario, work, *, top=5):
    """What `work` gives of a server that answers so."""

    async def main(url):
        info = ConnectionInfo(provider="local", base_url=url, model="m", timeout=20, max_retries=0)
        async with PredictingServer(info, top=top, server_wait_s=5, on_outage=lambda _down: None) as server:
            await server.look(8)
            return await work(server)

    with raw_server(folder, scenario) as url:
        return asyncio.run(main(url))


def vllm(**changes):
    replies = {"/tokenize": {"replies": [{"json": each} for each in VLLM["/tokenize"]]}}
    others = {path: {"json": VLLM[path]} for path in ("/v1/models", "/version", "/v1/completions")}
    return {**replies, **others, **changes}


def test_vllm_tells_a_prompt_s_predictions(tmp_path):
    """The text's own token stands beside the likeliest, and is no sixth of them."""

    async def work(server):
        tokens, begin = await server.tokenize("any")
        return server.kind, server.build, tokens, begin, await server.predict(Window(0, tuple(tokens[:8])))

    kind, build, tokens, begin, found = ask(tmp_path, vllm(), work)
    assert (kind, build, begin) == ("vllm", "0.32.0", None)
    told = VLLM["/v1/completions"]["choices"][0]["prompt_logprobs"]
    assert len(found) == 3
    for prediction, token, all_told in zip(found, tokens[5:8], told[5:8], strict=True):
        assert prediction == {int(name): each["logprob"] for name, each in all_told.items()}
        assert token in prediction
        assert len(prediction) in {5, 6}


def test_too_many_log_probabilities_for_vllm_are_refused_with_a_way_out(tmp_path):
    refused = {"/v1/completions": {"json": VLLM["refused"], "status": 400}}
    with pytest.raises(ServerError, match="greater than max allowed: 5") as caught:
        ask(tmp_path, vllm(**refused), lambda server: server.predict(Window(0, tuple(range(8)))), top=6)
    assert "--max-logprobs 6" in caught.value.hint
    assert "--kld-top" in caught.value.hint


def each(token, logprob, **top):
    tops = [{"id": int(name[1:]), "logprob": value} for name, value in top.items()]
    return {"id": token, "logprob": logprob, "top_logprobs": tops}


def test_llama_server_s_predictions_are_those_of_the_forced_tokens(tmp_path):
    """A token without any probability, which llama.cpp gives as the least float, counts as very unlikely."""
    answer = {
        "completion_probabilities": [each(6, -3.4e38, t1=-0.1), each(7, -0.2, t7=-0.2), each(8, -1, t2=-0.5)]
    }

    async def work(server):
        return (
            server.build,
            server.slots,
            server.quantization,
            await server.predict(Window(0, (1, 2, 3, 4, 5, 6, 7, 8))),
        )

    scenario = {**LLAMA, "/completion": {"json": answer}}
    build, slots, quantization, found = ask(tmp_path, scenario, work, top=1)
    assert (build, slots, quantization) == ("b1-abc", 2, "Q8_0")
    assert found == [{1: -0.1, 6: -104.0}, {7: -0.2}, {2: -0.5, 8: -1.0}]


@pytest.mark.parametrize(
    ("scenario", "why"),
    [
        (
            {"/v1/models": {"json": {"data": [{"id": "m", "owned_by": "library"}]}}},
            "neither llama-server nor vLLM",
        ),
        ({**LLAMA, "/completion": {"json": {"content": "x"}}}, "it wrote 0 of 3 tokens"),
        (
            {**LLAMA, "/completion": {"json": {"completion_probabilities": [each(9, -1)] * 3}}},
            "it wrote other tokens",
        ),
        ({**LLAMA, "/completion": {"json": {"completion_probabilities": [{"id": 6}]}}}, "top_logprobs"),
        ({**LLAMA, "/completion": {"json": {"completion_probabilities": [each(6, 2.0)]}}}, "no logarithm"),
        (
            {**LLAMA, "/completion": {"json": {"completion_probabilities": [each("6", -1)]}}},
            "no id of a token",
        ),
        ({**LLAMA, "/completion": {"text": "<html>"}}, "no JSON"),
        (
            {**LLAMA, "/completion": {"json": {"error": {"message": "bad grammar"}}, "status": 400}},
            "bad grammar",
        ),
        (
            vllm(**{"/v1/completions": {"json": {"choices": [{"prompt_logprobs": [None]}]}}}),
            "1 tokens instead of 8",
        ),
        (vllm(**{"/v1/completions": {"json": {"choices": [{}]}}}), "prompt_logprobs"),
    ],
)
def test_what_are_no_predictions_is_an_error_that_says_so(tmp_path, scenario, why):
    with pytest.raises(ServerError, match=why):
        ask(tmp_path, scenario, lambda server: server.predict(Window(0, (1, 2, 3, 4, 5, 6, 7, 8))))


def test_no_figure_comes_of_no_number(tmp_path):
    answer = {"completion_probabilities": [each(6, math.nan), each(7, -1), each(8, -1)]}
    scenario = {**LLAMA, "/completion": {"text": json.dumps(answer)}}
    with pytest.raises(ServerError, match="no logarithm"):
        ask(tmp_path, scenario, lambda server: server.predict(Window(0, (1, 2, 3, 4, 5, 6, 7, 8))))
