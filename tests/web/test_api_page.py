"""docs/api.md followed from top to bottom, with real jobs on the demo model."""

from __future__ import annotations

import json
import os
import re
import subprocess

import pytest

from tests.command_line import ROOT
from tests.web.serve_process import Serve
from web.api import endpoints
from web.config import API_ROOT

PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
PATIENCE_S = 540.0
COMMANDS = "\n".join(re.findall(r"^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))


def test_every_endpoint_has_an_example():
    """By its path, with names of variables for what differs."""
    commands = re.sub(r"\$\([^)]*\)|\$(?!API)[A-Z]+", "*", COMMANDS)
    asked = set(re.findall(r'\$API(/[^"?\s]*)', commands))
    asked |= {re.sub(r"\*/.+", "*/*", path) if path.startswith("/samples/") else path for path in asked}
    known = {
        re.sub(r"\{[^}]*\}", "*", route.path.removeprefix(API_ROOT))
        for router in endpoints.ROUTERS
        for route in router.routes
    }
    assert known <= asked


def on_one_thread(commands):
    """The same on the operator's server of one thread: two on two busy processors wait for each other."""
    found = commands.replace('"config": {', '"config": {"server": "small", ')
    return found.replace('"defaults": {', '"defaults": {"server": "small", ')


@pytest.mark.web
def test_the_page_can_be_followed(tmp_path):
    """Its jobs run for real: posted, followed, read, compared, cancelled."""
    operators = tmp_path / "serve.yaml"
    operators.write_text("servers:\n  small: {server_args: -t 1}\n")
    with Serve(tmp_path / "results", "--port", 0, "--config", operators) as served:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", on_one_thread(COMMANDS)],
            cwd=tmp_path,
            env={**os.environ, "BENCH_URL": served.url, "BENCH_KEY": served.add_key("run", "ada")},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}\n{served.said()[-2000:]}"
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["status"] == "completed"
    assert results["summary"]["total_evaluations"] == 2
    assert set(results["performance_data"]["human_eval"]["pass@1"]) == {"mean", "stderr", "low", "high"}
    assert sum(results["outcomes"].values()) == 2
    assert results["completed_at"]
    assert results["runs"][0]["telemetry"]["peak_host_memory_bytes"] > 0
    assert "event: end" in done.stdout
    assert (
        "are not comparable, they differ in temperature" in done.stdout
    )  # what makes the two runs incomparable
