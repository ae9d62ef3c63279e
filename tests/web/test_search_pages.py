"""Searches for a better prompt in the dashboard: the gain first, then the prompt; their texts do not act."""

from __future__ import annotations

import pytest

from tests.results.recorded_searches import record_search
from tests.web.page_app import page_app, reader


@pytest.fixture
def get(tmp_path):
    client = reader(page_app(tmp_path / "results", tmp_path))
    return lambda path: client.get(path).text


def test_the_page_of_a_search_begins_with_its_gain(tmp_path, get):
    run = record_search(tmp_path / "results", instruction="Check <b>each</b> step. {{ 1 }}")
    text = get(f"/runs/{run.run_id}")
    assert '<h2 class="lead">Gain shown: 40.0 -&gt; 70.0 on 50 test samples</h2>' in text
    for told in (
        "Seed prompt",
        "Found prompt",
        "330",
        "seed 5",
        "It is 42.",
        "Check &lt;b&gt;each&lt;/b&gt; step. {{ 1 }}",
    ):
        assert told in text
    assert "evaluations.jsonl" in text
    assert "other than right and wrong" not in text


def test_the_list_of_runs_says_what_a_search_came_to(tmp_path, get):
    record_search(tmp_path / "results")
    assert "search by gepa: 40.0 to 70.0 on test, gain shown" in get("/runs")
