"""Each shipped suite from its file to its score, on the built-in server, over rows of our own in its data's form."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from evaluation.suites.loader import read_suite_file
from servers.llama_cpp import EMBEDDED
from servers.plan import LaunchPlan
from servers.ports import free_port
from servers.supervisor import launch
from settings.base_url import parse_base_url
from settings.suites import shipped_suites
from tests.command_line import ROOT, lines
from tests.evaluation.shipped_rows import NAMES, environment

pytestmark = pytest.mark.servers
LIMIT = 20  # more than the rows of most


@pytest.fixture(scope="module")
def url(demo_model, tmp_path_factory):
    port = free_port()
    argv = (*EMBEDDED, "-m", str(demo_model), "--port", str(port), "-t", "1", "-c", "2048")
    plan = LaunchPlan(kind="embedded", argv=argv, base_url=parse_base_url(f"http://127.0.0.1:{port}"))
    with launch(plan, log_path=tmp_path_factory.mktemp("log") / "server.log", ready_timeout_s=60):
        yield plan.base_url.url


@pytest.fixture(scope="module")
def rows_at_hand(tmp_path_factory):
    return environment(tmp_path_factory.mktemp("user"))


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_suite_gives_a_score(url, rows_at_hand, tmp_path, name):
    suite = read_suite_file(shipped_suites()[name]).suite
    done = subprocess.run(
        [sys.executable, "-m", "scripts.run_suite", "--suite", shipped_suites()[name], "--base-url", url,
         "--model", "demo", "--output", tmp_path, "--limit", str(LIMIT), "--max-tokens", "24"],
        env={**os.environ, **rows_at_hand}, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answered = lines(tmp_path / "completions.jsonl")
    asked = {line["task_id"].split("/")[1] for line in answered} if len(suite.tasks) > 1 else set(suite.tasks)
    assert asked == set(suite.tasks)
    assert all(line["outcome"] != "infrastructure_error" for line in answered), answered
    assert all(0 <= value <= 1 for line in answered for value in line.get("metrics", {}).values())
    assert '"event":"summary"' in done.stdout.splitlines()[-1]
