"""Speed and a real vLLM: its bench's own arithmetic on the same requests."""

from __future__ import annotations

import json
import random
import subprocess

import pytest

from results.stats.speed import Load, SpeedRequest, figures

pytestmark = pytest.mark.servers

# Reads requests as [start_s, ttft_s, e2e_s, gaps_s, tokens, prompt_tokens]; prints what vLLM's bench makes of them.
THEIRS = """
import json, sys
from vllm.benchmarks.lib.endpoint_request_func import RequestFuncOutput
from vllm.benchmarks.serve import calculate_metrics
outputs = []
for start_s, ttft_s, e2e_s, gaps_s, tokens, prompt_tokens in json.load(sys.stdin)["requests"]:
    outputs.append(RequestFuncOutput(
        success=True, start_time=start_s, ttft=ttft_s, latency=e2e_s, itl=gaps_s, output_tokens=tokens,
        prompt_len=prompt_tokens,
    ))
seconds = max(one.start_time + one.latency for one in outputs) - min(one.start_time for one in outputs)
found, _ = calculate_metrics([], outputs, seconds, None, [50, 90, 95, 99], {})
said = {name: getattr(found, name) for name in ("request_throughput", "output_throughput", "total_token_throughput")}
for kind in ("ttft", "tpot", "itl", "e2el"):
    said[kind] = [getattr(found, f"mean_{kind}_ms")] + [v for _, v in getattr(found, f"percentiles_{kind}_ms")]
print("said", json.dumps(said, default=float))
"""


def some_requests():
    dice = random.Random(7)
    for index in range(24):
        gaps = tuple(round(dice.uniform(0.005, 0.03), 6) for _ in range(dice.randint(0, 40)))
        ttft = round(dice.uniform(0.05, 0.5), 6)
        yield SpeedRequest(
            load=Load(concurrency=4, prompt_tokens=100, output_tokens=41), attempt=1, index=index, count=24,
            start_s=round(dice.uniform(0, 3), 6), ttft_s=ttft, e2e_s=round(ttft + sum(gaps), 6), gaps_s=gaps,
            prompt_tokens=dice.randint(90, 110), completion_tokens=1 + len(gaps),
        )  # fmt: skip


def test_our_figures_are_those_of_vllm_bench_serve_for_the_same_requests(vllm_python):
    requests = list(some_requests())
    given = [
        [one.start_s, one.ttft_s, one.e2e_s, list(one.gaps_s), one.completion_tokens, one.prompt_tokens]
        for one in requests
    ]
    done = subprocess.run(
        [vllm_python, "-c", THEIRS],
        input=json.dumps({"requests": given}),
        capture_output=True,
        text=True,
        check=False,
    )
    theirs = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("said "))[5:])
    ours = figures(requests)
    assert ours.requests_per_s == pytest.approx(theirs["request_throughput"])
    assert ours.output_tokens_per_s.value == pytest.approx(theirs["output_throughput"])
    assert ours.total_tokens_per_s == pytest.approx(theirs["total_token_throughput"])
    for mine, kind in (
        (ours.ttft_ms, "ttft"),
        (ours.tpot_ms, "tpot"),
        (ours.itl_ms, "itl"),
        (ours.e2e_ms, "e2el"),
    ):
        assert [mine.mean, mine.p50, mine.p90, mine.p95, mine.p99] == pytest.approx(theirs[kind])
