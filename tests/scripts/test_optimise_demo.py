"""All optimisers on a real, small model from end to end: they keep to their budget, and don't claim what isn't so."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from results.prompts.prompt_file import read_prompt_file
from servers.llama_cpp import EMBEDDED
from servers.plan import LaunchPlan
from servers.ports import free_port
from servers.supervisor import launch
from settings.base_url import parse_base_url
from settings.optimising.rows import OPTIMIZERS
from tests.evaluation.reference import MMLU

ROOT = Path(__file__).parents[2]
MOST_CALLS = 8


@pytest.fixture(scope="module")
def url(demo_model, tmp_path_factory):
    port = free_port()
    argv = (*EMBEDDED, "-m", str(demo_model), "--port", str(port), "-t", "1", "-c", "4096", "-np", "1")
    plan = LaunchPlan(kind="embedded", argv=argv, base_url=parse_base_url(f"http://127.0.0.1:{port}"))
    log = tmp_path_factory.mktemp("log") / "server.log"
    with launch(plan, log_path=log, ready_timeout_s=60) as server:
        yield server.plan.base_url.url


@pytest.mark.servers
@pytest.mark.timeout(400)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_it_runs_and_says_honestly_what_it_gained(url, optimizer, tmp_path):
    words = (
        "--base-url", url, "--model", "demo", "--output", tmp_path, "--dataset", MMLU, "--prompt-style", "chat",
        "--reflector-max-tokens", 24, "--optimizer", optimizer, "--max-calls", MOST_CALLS,
        "--datasets", '{"train": 2, "validation": 1, "test": 1}',
    )  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "scripts.run_mmlu", *map(str, words)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    end = json.loads(done.stdout.splitlines()[-1])["optimise"]
    assert end["evaluations"] + end["reflections"] <= MOST_CALLS
    assert "no gain shown" in end["gain"]["says"]  # a single sample shows none, whatever came out
    assert not end["gain"]["shown"]
    assert read_prompt_file(tmp_path / "prompt.json").prompt.sha256 == end["prompt_sha256"]
