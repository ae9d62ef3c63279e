"""MBPP as a whole: against a server that answers as it is told, in the real sandbox."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.evaluation.mbpp_problems import PROBLEMS, full

ROOT = Path(__file__).parents[2]
SERVER = ROOT / "tests" / "programs" / "answering_server.py"
RIGHT = {problem.row["text"]: f"{problem.attempts[0].code}\n[DONE]" for problem in PROBLEMS}


@contextlib.contextmanager
def answering(folder, answers):
    """Give the URL of a server that answers so."""
    file = folder / "answers.json"
    file.write_text(json.dumps(answers))
    with subprocess.Popen([sys.executable, SERVER, file], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield f"http://127.0.0.1:{json.loads(process.stdout.readline())['port']}"
        finally:
            process.kill()


def run(url, folder, *options, code=0):
    """Its last event."""
    words = ("--base-url", url, "--model", "m", "--output", folder / "out", *options)
    done = subprocess.run(
        [sys.executable, "-m", "scripts.run_mbpp", *map(str, words)],
        capture_output=True, text=True, cwd=ROOT, timeout=100, check=False,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(folder)},
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(("tests", "passed"), [("given", 5), ("all", 4)])
def test_the_score_counts_what_passes_all_assertions(tmp_path, tests, passed):
    answers = {
        **RIGHT,
        PROBLEMS[0].row["text"]: "def without_blanks(text):\n    return ''.join(text.split())",
        PROBLEMS[-1].row["text"]: PROBLEMS[-1].attempts[1].code,
    }
    with answering(tmp_path, answers) as url:
        summary = run(
            url, tmp_path, "--dataset", full(tmp_path / "mbpp.jsonl"), "--prompt-style", "completion",
            "--mbpp-tests", tests,
        )  # fmt: skip
    assert (summary["samples"], summary["outcomes"]["passed"]) == (6, passed)
    assert summary["score"] == pytest.approx(100 * passed / 6)
    settings = json.loads((tmp_path / "out" / "settings.json").read_text())
    assert (settings["options"], settings["stop"]) == ({"mbpp_tests": tests}, ["[DONE]"])


def test_without_network_it_says_what_to_do(tmp_path):
    error = run("http://127.0.0.1:9", tmp_path, code=4)
    assert "google-research-datasets/mbpp" in error["message"]
    assert "--dataset FILE" in error["hint"]
    both = run(
        "http://127.0.0.1:9", tmp_path, "--dataset", full(tmp_path / "m.jsonl"), "--mbpp-set", "full", code=2
    )
    assert "exclude each other" in both["message"]
