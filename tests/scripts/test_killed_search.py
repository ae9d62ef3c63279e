"""A search that is killed while answers wait for their judging: what it may have lost is bounded, and known before."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.command_line import lines
from tests.evaluation.running_servers import asked_of, scripted_provider

ROOT = Path(__file__).parents[2]
SLOW_TO_JUDGE = "```python\nimport time\ntime.sleep(0.7)\n```"


@pytest.mark.servers
def test_no_more_is_asked_before_it_is_written_down_than_a_resume_charges(tmp_path):
    """The server answers at once, and an answer takes most of a second to judge: all would be asked long before."""
    out, said = tmp_path / "out", tmp_path / "said.json"
    said.write_text(json.dumps([["", SLOW_TO_JUDGE]]))
    journal = out / "evaluations.jsonl"

    def written(kind):
        found = lines(journal) if journal.exists() else []
        return [line for line in found if line["type"] == kind]

    with scripted_provider("--answers", said) as url:
        words = (
            "--base-url", url, "--model", "m", "--output", out, "--prompt-style", "chat", "--concurrency", 2,
            "--optimizer", "few_shot", "--datasets", '{"train": 2, "validation": 60, "test": 0}',
        )  # fmt: skip
        process = subprocess.Popen(
            [sys.executable, "-m", "scripts.run_human_eval", *map(str, words)],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=ROOT, text=True,
        )  # fmt: skip
        try:
            give_up = time.monotonic() + 60
            while not written("outcome") and process.poll() is None and time.monotonic() < give_up:
                time.sleep(0.01)
        finally:
            process.send_signal(signal.SIGKILL)
            said_last = process.communicate()[1]
        outcomes, batch = len(written("outcome")), written("asked")[0]
        assert outcomes, said_last
        asked = sum("chat/completions" in each["path"] for each in asked_of(url))
    assert batch["calls"] == 60
    assert asked - outcomes <= batch["in_flight"] < batch["calls"]
