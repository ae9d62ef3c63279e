"""Scores of continuations out of the cache of answers: whatever slot they are asked in, and within a cap."""

from __future__ import annotations

import asyncio
import json

import pytest

from evaluation.models.connection import build_connection_info
from evaluation.models.parameters import Parameters
from evaluation.models.providers import get_interface_for_provider
from evaluation.protocols import PromptStyle, Request
from evaluation.spending.budget import Budget, Caps
from evaluation.spending.paid_requests import PaidRequests
from evaluation.spending.response_cache import ResponseCache
from evaluation.spending.usage import paid_tokens
from settings.spending.prices import PaidTokens
from tests.evaluation.running_servers import OPENER, raw_server

TOKEN = {"id": 3, "logprob": -1.5, "top_logprobs": [{"id": 3, "logprob": -1.5}]}
CONTEXT, WHOLE = {"json": {"tokens": [1, 2]}}, {"json": {"tokens": [1, 2, 3]}}
LLAMA = {
    "/v1/models": {"json": {"data": [{"id": "m", "owned_by": "llamacpp"}]}},
    "/props": {"json": {"total_slots": 2, "default_generation_settings": {"n_ctx": 512}}},
    # Of the trial, with the "a" in it; then of two samples, which are asked one after the other.
    "/tokenize": {"replies": [CONTEXT, WHOLE, CONTEXT, *[CONTEXT, WHOLE] * 2]},
    "/completion": {
        "json": {"completion_probabilities": [TOKEN], "tokens_evaluated": 2, "tokens_predicted": 1}
    },
}


def asked(number):
    return Request(
        task_id=f"t/{number}", index=0, style=PromptStyle.COMPLETION, system="", user=f"{number}", continuations=(" x",)
    )  # fmt: skip


def answers(url, folder, numbers, *, caps=None):
    """To these requests in turn, with what earlier calls kept."""

    async def main():
        info = build_connection_info("local", {"base_url": url, "model": "m", "max_retries": 0})
        cache = ResponseCache(folder / "kept.sqlite", where=url, limit_bytes=1 << 20, warn=pytest.fail)
        spending = PaidRequests(cache=cache, budget=Budget(folder, price=None, caps=caps or Caps()))
        interface = get_interface_for_provider(
            info, parameters=Parameters(info.sampling), server_wait=1, spending=spending
        )
        try:
            async with interface:
                await interface.check_connection(0, 5)
                await interface.properties()
                assert (await interface.find_scorer())[0] == "grammar of token ids"
                return [await interface.generate(asked(number)) for number in numbers]
        finally:
            await spending.close()

    return asyncio.run(main())


def posts(url):
    with OPENER.open(url + "/asked") as response:
        return [each for each in json.load(response) if each[0] == "POST"]


def test_a_second_time_nothing_is_sent_in_whatever_slot_it_would_be(tmp_path):
    with raw_server(tmp_path, LLAMA) as url:
        first = answers(url, tmp_path, (1, 2))
        sent = posts(url)
        slots = [json.loads(body)["id_slot"] for _, path, _, body in sent if path == "/completion"]
        assert set(slots) == {0, 1}
        second = answers(url, tmp_path, (2, 1))
        assert posts(url) == sent
    assert [each.continuations[0].logprob for each in first] == [-1.5, -1.5]
    assert [each.cached for each in first + second] == [False, False, True, True]
    assert second[0].continuations == first[1].continuations


def test_a_cap_of_tokens_counts_what_is_computed(tmp_path):
    with raw_server(tmp_path, LLAMA) as url:
        found = answers(url, tmp_path, (1, 2), caps=Caps(max_tokens=100_000))
    assert not any(each.error for each in found)


def test_llama_server_s_own_counts():
    raw = json.dumps({"content": "", "tokens_evaluated": 7, "tokens_predicted": 2}).encode()
    assert paid_tokens(raw) == PaidTokens(input_tokens=7, output_tokens=2)
