"""What servers say of themselves: pages of real ones, restarts in mid-run, and pages that are none."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.http_probe import request
from servers.launch import plan
from servers.models import resolve
from servers.request import ServerRequest
from servers.supervisor import launch
from telemetry.contract import ServerReading
from telemetry.server_metrics import ServerMetrics, read_metrics

FIXTURES = Path(__file__).parent / "fixtures"


def page(**values):
    return "".join(f"llamacpp:{name} {value}\n" for name, value in values.items())


@pytest.mark.parametrize(
    ("name", "reading"),
    [
        (
            "llama_server",
            ServerReading(
                prompt_tokens=17,
                cached_prompt_tokens=7,
                generation_tokens=48,
                prompt_s=0.140287,
                generation_s=0.526258,
                requests_running=2,
                requests_waiting=2,
            ),
        ),
        (
            "embedded",
            ServerReading(
                prompt_tokens=17,
                cached_prompt_tokens=7,
                generation_tokens=48,
                prompt_s=0.246746,
                generation_s=0.531272,
                requests_running=2,
                requests_waiting=2,
            ),
        ),
        (
            "vllm",
            ServerReading(
                prompt_tokens=24,
                cached_prompt_tokens=0,
                queue_s=5.938900176261086e-05,
                generation_tokens=149,
                prompt_s=0.08891945099821896,
                generation_s=1.4965750410010514,
                requests_running=2,
                requests_waiting=2,
                kv_cache_utilization=0.0027510316368638543,
            ),
        ),
    ],
)
def test_a_real_servers_page_is_read(name, reading):
    """Captured from busy servers; what a server does not tell stays None."""
    assert read_metrics((FIXTURES / f"{name}.prom").read_text()) == reading


def test_the_embedded_servers_page_of_today_is_read(demo_model, tmp_path):
    """The capture above grows old; this one is of the version that is installed."""
    asked = ServerRequest(
        kind="llama.cpp", model=resolve(str(demo_model)), ctx_size=256, extra_args=("--threads", "1")
    )
    made = plan(asked, nonce="n0nce")
    with launch(made, log_path=tmp_path / "log", ready_timeout_s=60, probe=False) as server:

        def fetch():
            return request(made.base_url, "/metrics").body.decode()

        metrics = ServerMetrics(fetch)
        before = metrics.read()
        body = {"prompt": "Once upon a time", "max_tokens": 5}
        assert request(made.base_url, "/v1/completions", body=body, timeout_s=30).status == 200
        after = metrics.read()
        assert server.poll() is None
    assert after.generation_tokens - before.generation_tokens == 5
    assert after.prompt_tokens - before.prompt_tokens in range(3, 6)
    assert after.generation_s > before.generation_s
    assert (after.requests_running, after.requests_waiting) == (0, 0)


def test_engines_are_summed_and_the_fullest_cache_counts():
    text = """
vllm:prompt_tokens_total{engine="0",model_name="a b} 7"} 10.0
vllm:prompt_tokens_total{engine="1",model_name="a b} 7"} 5.0
vllm:num_requests_running{engine="0"} 2.0
vllm:num_requests_running{engine="1"} 1.0
vllm:kv_cache_usage_perc{engine="0"} 0.25
vllm:kv_cache_usage_perc{engine="1"} 0.75
"""
    assert read_metrics(text) == ServerReading(
        prompt_tokens=15, requests_running=3, kv_cache_utilization=0.75
    )


def test_older_names_of_the_cache_are_known():
    assert read_metrics("llamacpp:kv_cache_usage_ratio 0.5\n").kv_cache_utilization == 0.5
    assert read_metrics("vllm:gpu_cache_usage_perc 0.5\n").kv_cache_utilization == 0.5


def test_what_is_no_number_is_unknown_and_not_nought():
    assert read_metrics(page(prompt_tokens_total="NaN", requests_processing="+Inf")) == ServerReading()


def test_counters_go_on_growing_over_restarts():
    """A server that is started anew counts from nought; gauges are as they are."""
    pages = iter([
        page(prompt_tokens_total=100, tokens_predicted_total=50, requests_processing=4),
        None,
        page(prompt_tokens_total=0, tokens_predicted_total=0, requests_processing=0),
        page(prompt_tokens_total=30, tokens_predicted_total=60, requests_processing=2),
        page(prompt_tokens_total=10, tokens_predicted_total=5, requests_processing=1),
    ])  # fmt: skip
    metrics = ServerMetrics(lambda: next(pages))
    readings = [metrics.read() for _ in range(5)]
    assert readings[1] is None
    told = [reading for reading in readings if reading]
    assert [reading.prompt_tokens for reading in told] == [100, 100, 130, 140]
    assert [reading.generation_tokens for reading in told] == [50, 50, 110, 115]
    assert [reading.requests_running for reading in told] == [4, 0, 2, 1]


@given(st.lists(st.lists(st.integers(0, 1000), min_size=1), min_size=1))
def test_a_counter_never_falls_and_nothing_is_counted_twice(lives):
    """Over any series of servers, as long as each starts below where the last was seen."""
    values = [sorted(life) for life in lives]
    for earlier, later in itertools.pairwise(values):
        later.insert(0, 0)
        earlier.append(max(earlier[-1], 1))
    pages = iter([page(prompt_tokens_total=value) for life in values for value in life])
    metrics = ServerMetrics(lambda: next(pages))
    seen = [metrics.read().prompt_tokens for life in values for _ in life]
    assert seen == sorted(seen)
    assert seen[-1] == sum(life[-1] for life in values)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html><body>404 Not Found</body></html>",
        '{"error": {"code": 501, "message": "This server does not support metrics endpoint."}}',
        'vllm:prompt_tokens_total{engine="0" 12',
        "vllm:prompt_tokens_total twelve",
        "vllm:prompt_tokens_total",
        "some_other_server:tokens_total 12",
    ],
)
def test_a_page_that_is_none_says_nothing(text):
    assert ServerMetrics(lambda: text).read() is None


def test_the_parser_is_imported_only_by_who_measures():
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, telemetry.server_metrics; print('prometheus_client' in sys.modules)",
        ],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert done.stdout.strip() == "False"
