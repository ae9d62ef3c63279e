"""The arithmetic of speed: what follows from the lines of requests, and how sure it is."""

from __future__ import annotations

import random

import numpy as np
import pytest

from results.stats.speed import (
    Load,
    SpeedRequest,
    figures,
    headline,
    is_whole,
    last_attempts,
    percentile,
    table,
)

ONE = Load(concurrency=1, prompt_tokens=100, output_tokens=5)


def request(index, start_s=0.0, *, load=ONE, count=3, attempt=1, ttft_s=0.5, gap_s=0.1, tokens=5, error=""):
    return SpeedRequest(
        load=load, attempt=attempt, index=index, count=count, start_s=start_s, ttft_s=None if error else ttft_s,
        e2e_s=ttft_s + (tokens - 1) * gap_s, gaps_s=() if error else (gap_s,) * (tokens - 1),
        prompt_tokens=None if error else 100, completion_tokens=None if error else tokens, error=error,
    )  # fmt: skip


def test_every_figure_of_a_small_load_by_hand():
    """Three answers one after the other: 0.9 s each, the second half as fast to its first token."""
    found = figures([request(0), request(1, 1.0, ttft_s=1.0), request(2, 2.5)])
    assert (found.requests, found.completed, found.failed, found.ended_early) == (3, 3, 0, 0)
    assert (found.prompt_tokens, found.completion_tokens) == (300, 15)
    assert found.seconds == pytest.approx(3.4)  # to the end of the last: 2.5 + 0.9
    assert found.output_tokens_per_s.value == pytest.approx(15 / 3.4)
    assert found.total_tokens_per_s == pytest.approx(315 / 3.4)
    assert found.requests_per_s == pytest.approx(3 / 3.4)
    assert found.ttft_ms.p50 == pytest.approx(500)
    assert found.ttft_ms.p99 == pytest.approx(990)  # 0.98 of the way from the second to the third
    assert found.ttft_ms.mean == pytest.approx(2000 / 3)
    assert found.itl_ms.p99 == pytest.approx(100)
    assert found.tpot_ms.p50 == pytest.approx(100)
    assert found.e2e_ms.max == pytest.approx(1400)
    assert found.prefill_tokens_per_s.p50 == pytest.approx(200)
    assert found.generation_tokens_per_s.p50 == pytest.approx(10)


def test_failed_requests_take_their_time_and_give_nothing():
    found = figures([request(0), request(1, 1.0), request(2, 9.0, error="HTTP status 500: x")])
    assert (found.completed, found.failed, found.valid) == (2, 1, False)
    assert found.seconds == pytest.approx(9.9)
    assert found.completion_tokens == 10
    assert found.errors == {"HTTP status 500: x": 1}
    assert "FAILED: 1 of 3 requests" in table([found])[2][1]


def test_nothing_but_failures_gives_no_figures():
    found = figures([request(0, error="gone")])
    assert (found.valid, found.ttft_ms, found.output_tokens_per_s.value) == (False, None, 0)


def test_one_token_has_no_time_per_token():
    found = figures([request(0, tokens=1)])
    assert (found.tpot_ms, found.itl_ms, found.generation_tokens_per_s) == (None, None, None)
    assert found.ttft_ms.p50 == pytest.approx(500)


def test_only_the_last_attempt_counts_and_only_when_it_is_whole():
    """Protects figures from requests that were measured before the server died."""
    lines = [request(0), request(1), request(0, attempt=2), request(1, attempt=2), request(2, attempt=2)]
    (last,) = last_attempts(lines).values()
    assert [one.attempt for one in last] == [2, 2, 2]
    assert is_whole(last)
    assert not is_whole(last[:2])
    assert not is_whole([*last[:2], last[1]])


@pytest.mark.parametrize("count", [1, 2, 3, 10, 101])
def test_percentiles_are_numpys(count):
    values = sorted(random.Random(count).gauss(10, 3) for _ in range(count))
    for percent in (0, 50, 90, 95, 99, 100):
        assert percentile(values, percent) == pytest.approx(np.percentile(values, percent))


@pytest.mark.parametrize("concurrency", [1, 4])
def test_the_interval_holds_the_true_throughput_19_times_in_20(concurrency):
    """Requests of random length, `concurrency` at once, which share what happens to them: 400 runs of known mean."""
    dice = random.Random(1)
    load = Load(concurrency=concurrency, prompt_tokens=100, output_tokens=50)
    held = 0
    for _ in range(400):
        requests, now = [], 0.0
        for wave in range(8):
            shared = dice.gauss(1.0, 0.1)  # seconds, of all in this wave
            for slot in range(concurrency):
                index = wave * concurrency + slot
                requests.append(
                    SpeedRequest(
                        load=load, attempt=1, index=index, count=8 * concurrency, start_s=now, ttft_s=0.1,
                        e2e_s=shared, prompt_tokens=100, completion_tokens=50,
                    )
                )  # fmt: skip
            now += shared
        rate = figures(requests).output_tokens_per_s
        held += rate.low <= 50 * concurrency <= rate.high
    assert 0.92 <= held / 400 <= 0.98


def test_too_few_batches_give_no_interval():
    load = Load(concurrency=4, prompt_tokens=100, output_tokens=5)
    found = figures([request(index, load=load, count=8) for index in range(8)])
    assert (found.output_tokens_per_s.low, found.output_tokens_per_s.high) == (None, None)


def test_the_headline_is_what_one_chat_feels_at_the_shortest_and_the_longest_prompt():
    def measured(depth, concurrency, ttft_s):
        load = Load(concurrency=concurrency, prompt_tokens=max(depth, 16), output_tokens=5, depth=depth)
        return figures([request(index, load=load, ttft_s=ttft_s) for index in range(3)])

    loads = [measured(8192, 1, 4.0), measured(0, 4, 9.0), measured(0, 1, 0.02), measured(2048, 1, 1.0)]
    assert headline(loads) == "10 tokens/s after 0.02 s at d0, 10 tokens/s after 4 s at d8192"
    assert headline(loads[:1]) == "10 tokens/s after 4 s at d8192"
    assert headline(loads[1:2]) == headline([]) == ""
    heading, units, *rows = table(loads)
    assert (heading[1].split()[0], units[1].split()[0]) == ("prefill", "tokens/s")
    assert max(len(text) for _, text in table(loads)) < 80  # without the names
    assert rows[0][0] == "d8192+tg5 x1"
    assert rows[2][1].startswith(" ")  # sixteen tokens say nothing about the speed of reading
