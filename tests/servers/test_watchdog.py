"""A server can be healthy and stand still; the watchdog sees it, and does not cry wolf."""

from __future__ import annotations

import json
import threading
import time

import pytest

from servers.http_probe import request
from servers.supervisor import launch
from servers.watchdog import NO_ANSWER, Progress, Stall, from_metrics, from_slots, progress
from tests.odd_values import ODD

# From llama-server (build 11434): idle, in a prompt, two instants of generation. Older builds: a dict.
IDLE = {"id": 0, "n_ctx": 2048, "is_processing": False}
PROMPT = {**IDLE, "is_processing": True, "id_task": 1, "n_prompt_tokens_processed": 512, "next_token": []}
AT_46 = {**PROMPT, "next_token": [{"has_next_token": True, "n_remain": 254, "n_decoded": 46}]}
AT_85 = {**PROMPT, "next_token": [{"has_next_token": True, "n_remain": 215, "n_decoded": 85}]}
OLD_85 = {**PROMPT, "next_token": {"n_decoded": 85}}

VLLM = """# TYPE vllm:generation_tokens_total counter
vllm:num_requests_running{engine="0",model_name="m"} 3.0
vllm:num_requests_waiting{engine="0",model_name="m"} 2.0
vllm:prompt_tokens_total{engine="0",model_name="m"} 1.0e+03
vllm:generation_tokens_total{engine="0",model_name="m"} %s
vllm:generation_tokens_created{engine="0",model_name="m"} 1.7e+09
"""


def test_slots_move_with_every_step_of_work():
    markers = [from_slots([slot]) for slot in (IDLE, PROMPT, AT_46, AT_85)]
    assert len(set(markers)) == 4
    assert [marker.in_flight for marker in markers] == [0, 1, 1, 1]
    assert from_slots([AT_85]) == from_slots([dict(AT_85)]) == from_slots([OLD_85])


@pytest.mark.parametrize("answer", [None, [], {}, {"error": "x"}, ["x"], 3])
def test_what_is_no_slots_answer_says_nothing(answer):
    assert from_slots(answer) is None


@pytest.mark.parametrize("what", ODD)
@pytest.mark.parametrize(
    "place",
    [
        "VALUE",
        "[VALUE]",
        '[{"id_task": VALUE, "next_token": {"n_decoded": VALUE}}]',
        '[{"is_processing": VALUE, "next_token": VALUE}]',
        '[{"next_token": [VALUE]}]',
    ],
)
def test_odd_values_in_slots_are_compared_with_themselves(place, what):
    try:
        slots = [json.loads(place.replace("VALUE", ODD[what])) for _ in range(2)]
    except (ValueError, RecursionError):
        return
    stall = Stall(10)
    assert [stall.update(now, from_slots(each), 1) for now, each in zip((0, 20), slots, strict=True)] in (
        [False, True],
        [False, False],
    )


def test_metrics_of_vllm_move_with_tokens():
    before, same, after = (from_metrics(VLLM % tokens) for tokens in ("41.0", "41.0", "42.0"))
    assert before == same != after
    assert before.in_flight == 5
    assert from_metrics("process_cpu_seconds_total 3\n") is None


def feed(stall, markers, step_s=10, in_flight=1):
    """The instant at which the stall is seen; None if never."""
    for number, marker in enumerate(markers):
        if stall.update(number * step_s, marker, in_flight):
            return number * step_s
    return None


A, B = Progress(1, (1,)), Progress(1, (2,))


def test_no_progress_for_the_timeout_is_a_stall():
    assert feed(Stall(120), [A] * 20) == 120


def test_progress_starts_the_time_anew():
    assert feed(Stall(120), [A] * 10 + [B] * 20) == 220
    assert feed(Stall(120), [A] * 10 + [B] * 10 + [A] * 10) is None


def test_an_idle_server_may_rest():
    stall = Stall(120)
    assert feed(stall, [A] * 50, in_flight=0) is None
    assert not stall.update(1000, A, 1), "the time counts from the first request on"
    assert stall.update(1120, A, 1)


def test_no_answer_is_no_progress():
    """Also when the server answers now and then, always the same."""
    assert feed(Stall(120), [NO_ANSWER] * 20) == 120
    assert feed(Stall(120), [A] + [NO_ANSWER] * 20) == 120
    assert feed(Stall(120), [A, NO_ANSWER] * 10) == 120


def test_a_server_that_tells_nothing_is_not_judged():
    assert feed(Stall(120), [None] * 50) is None


def test_after_a_restart_it_begins_anew():
    stall = Stall(120)
    assert feed(stall, [A] * 13) == 120
    stall.reset()
    assert not stall.update(130, A, 1)


@pytest.mark.parametrize("options", [(), ("--everything-hangs",)])
def test_a_server_that_hangs_while_healthy_is_found(fake_plan, log, options):
    """The real thing, with short times: one request hangs, /health stays 200."""
    with launch(fake_plan("--hang-after", "1", *options), log_path=log, ready_timeout_s=20) as server:
        ask = {"body": {"prompt": "x"}, "timeout_s": 60.0}
        client = threading.Thread(target=request, args=(server.plan.base_url, "/v1/completions"), kwargs=ask)
        client.start()
        stall = Stall(0.3)
        deadline = time.monotonic() + 60
        while not stall.update(time.monotonic(), progress(server, timeout_s=0.1), 1):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert request(server.plan.base_url, "/health").status == 200
        server.stop()
        client.join()
