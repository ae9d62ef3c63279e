"""Whole runs on providers with limits, and by Anthropic's API: nothing is lost, and nothing is asked twice."""

from __future__ import annotations

import json
import urllib.request

import pytest

from tests.command_line import bench_runner, only_run
from tests.evaluation.running_servers import OPENER, asked_of, scripted_provider

pytestmark = pytest.mark.servers
KEY = "sk-ant-of-nobody"


def run(folder, url, *options, provider="anthropic", benchmark="human_eval"):
    return bench_runner(
        "run", "--benchmark", benchmark, "--provider", provider, "--model", "claude-x", "--base-url", url,
        "--results-dir", folder, *options, env={"ANTHROPIC_API_KEY": KEY},
    )  # fmt: skip


def record_of(folder):
    return json.loads((only_run(folder) / "run.json").read_text())


def counts(url):
    with OPENER.open(urllib.request.Request(url + "/counts")) as response:
        return json.load(response)


def test_a_run_that_a_limit_ends_keeps_what_is_on_its_way_and_goes_on(tmp_path):
    """Three are answered, slowly; the fourth is to come back in three hours, and what it says comes first."""
    refusing = ("--rate", 0.0001, "--burst", 3, "--retry-after", 10_000, "--latency", 1)
    options = ("--answers", "canonical", "--key", KEY)
    with scripted_provider(*options, *refusing) as url:
        port = url.rpartition(":")[2]
        ended = run(tmp_path, url, "--limit", 6)
        assert counts(url)["answered"] == 3
    record = record_of(tmp_path)
    assert ended.code == 3
    assert "takes no more requests (429, asks to wait 10000 s)" in ended.err
    assert f"--resume {record['run_id']} later" in ended.err
    assert (record["status"], record["error"]["kind"]) == ("interrupted", "rate_limited")
    with scripted_provider(*options, "--port", port) as url:
        done = run(tmp_path, url, "--limit", 6, "--resume", "last")
        assert counts(url)["answered"] == 3
    assert done.code == 0, done.err
    assert record_of(tmp_path)["results"]["score"] == 100.0


def test_a_speed_that_is_that_of_the_limits_is_called_so(tmp_path):
    options = ("--answers", "canonical", "--key", KEY, "--rate", 10, "--burst", 2, "--told", "anthropic")
    with scripted_provider(*options) as url:
        done = run(tmp_path, url, "--limit", 12)
        refused = counts(url)["refused"]
    assert done.code == 0, done.err
    (warning,) = [each for each in record_of(tmp_path)["score"]["warnings"] if "rate limits" in each]
    assert warning.startswith(f"requests refused for rate limits, and sent again: {refused};")


def test_scenarios_of_tools_are_done_right_by_anthropics_api(tmp_path):
    """With thoughts, whose signed turns go back as they came."""
    with scripted_provider("--answers", "tools", "--key", KEY) as url:
        done = run(
            tmp_path, url, "--limit", 78, "--thinking-budget", 1024, "--max-tokens", 2000, benchmark="tools"
        )
        asked = [each["body"] for each in asked_of(url) if each["body"]]
    assert done.code == 0, done.err
    assert record_of(tmp_path)["results"]["score"] == 100.0
    assert {body["thinking"]["budget_tokens"] for body in asked} == {1024}
    later = [body["messages"] for body in asked if len(body["messages"]) > 2]
    assert later
    for messages in later:
        for message in messages:
            if message["role"] == "assistant" and "toolu_" in json.dumps(message):
                assert message["content"][0]["type"] == "thinking"
