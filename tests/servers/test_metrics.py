"""What servers say of themselves: pages of real ones, and pages that are none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.telemetry import ServerReading
from servers.metrics import read_metrics, read_work
from servers.watchdog import from_metrics

FIXTURES = Path(__file__).parent / "fixtures"


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
                draft_tokens=0,
                accepted_draft_tokens=0,
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
                draft_tokens=0,
                accepted_draft_tokens=0,
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
    for odd in ("NaN", "+Inf", "1e999", "-5", "1e300"):
        page = f"llamacpp:prompt_tokens_total {odd}\nllamacpp:requests_processing {odd}\n"
        assert read_metrics(page) is None
        assert from_metrics(page) is None


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
    assert read_metrics(text) is None
    assert read_work(text) == {}


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["vllm:num_requests_running", "llamacpp:n_decode_total", "# TYPE", ""]),
            st.text('{}"=, \\a1.e+-\t\x00é_', max_size=12),
        )
    )
)
def test_any_page_is_read_or_none(lines):
    text = "\n".join(name + rest for name, rest in lines)
    reading, marker = read_metrics(text), from_metrics(text)
    assert reading is None or reading.requests_running is not None
    assert marker is None or marker.in_flight >= 0


def test_the_parser_is_imported_only_by_who_measures():
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, servers.metrics, servers.watchdog; print('prometheus_client' in sys.modules)",
        ],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert done.stdout.strip() == "False"
