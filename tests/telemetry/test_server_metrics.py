"""The server's counters over a run: they go on growing when the server is started anew."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from results.telemetry import ServerReading
from servers.http_probe import request
from servers.launch import plan
from servers.metrics import read_metrics
from servers.models import resolve
from servers.request import ServerRequest
from servers.supervisor import launch
from telemetry.server_metrics import ServerMetrics


def test_the_embedded_servers_page_of_today_is_read(demo_model, tmp_path):
    """The capture above grows old; this one is of the version that is installed."""
    asked = ServerRequest(
        kind="llama.cpp", model=resolve(str(demo_model)), ctx_size=256, extra_args=("--threads", "1")
    )
    made = plan(asked, nonce="n0nce")
    with launch(made, log_path=tmp_path / "log", ready_timeout_s=60, probe=False) as server:

        def fetch():
            return read_metrics(request(made.base_url, "/metrics").page())

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


def test_counters_go_on_growing_over_restarts():
    """A server that is started anew counts from nought; gauges are as they are."""
    readings_told = iter([
        ServerReading(prompt_tokens=100, generation_tokens=50, requests_running=4),
        None,
        ServerReading(prompt_tokens=0, generation_tokens=0, requests_running=0),
        ServerReading(prompt_tokens=30, generation_tokens=60, requests_running=2),
        ServerReading(prompt_tokens=10, generation_tokens=5, requests_running=1),
    ])  # fmt: skip
    metrics = ServerMetrics(lambda: next(readings_told))
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
    readings_told = iter([ServerReading(prompt_tokens=value) for life in values for value in life])
    metrics = ServerMetrics(lambda: next(readings_told))
    seen = [metrics.read().prompt_tokens for life in values for _ in life]
    assert seen == sorted(seen)
    assert seen[-1] == sum(life[-1] for life in values)
