"""A benchmark goes on whatever the server answers: it is understood, or that sample's infrastructure error."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.evaluation.running_servers import raw_server
from tests.odd_values import DEEPER

ROOT = Path(__file__).parents[2]


def chat(**facts):
    return {"json": {"choices": [{"message": {"content": "no code"}, "finish_reason": "stop"}], **facts}}


ANSWERS = [
    chat(usage=[1, 2]),
    chat(usage="lots"),
    chat(timings=[1]),
    chat(usage={"prompt_tokens": 3.0, "completion_tokens": 2.5}),
    {"text": DEEPER},
    {"text": "x" * 1024, "repeat": 70 * 1024},
]


def test_odd_answers_cost_their_own_sample_at_most(tmp_path):
    scenario = {
        "/v1/chat/completions": {"replies": ANSWERS},
        "*": {"json": {}},
    }
    output = tmp_path / "out"
    with raw_server(tmp_path, scenario) as url:
        done = subprocess.run(
            [sys.executable, "-m", "scripts.run_human_eval", "--base-url", url, "--model=--m", "--output", output,
             "--limit", "6", "--concurrency", "1", "--max-retries", "0", "--prompt-style", "chat"],
            capture_output=True, text=True, cwd=ROOT, timeout=100, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    rows = [json.loads(line) for line in (output / "completions.jsonl").read_text().splitlines()]
    outcomes = {
        row["task_id"]: (row["outcome"], row.get("prompt_tokens"), row.get("completion_tokens"))
        for row in rows
    }
    assert [outcomes[f"HumanEval/{n}"] for n in range(6)] == [
        ("failed", None, None),
        ("failed", None, None),
        ("failed", None, None),
        ("failed", 3, None),
        ("infrastructure_error", None, None),
        ("infrastructure_error", None, None),
    ]
    details = {row["task_id"]: row["detail"] for row in rows}  # an answer that is judged may be written later
    assert details["HumanEval/5"] == "an answer of more than 64 MiB"
