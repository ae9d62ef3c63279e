"""Suites with choices, as whole programs: by likelihood on a llama-server, by letter elsewhere, and never mixed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.evaluation.running_servers import OPENER, canonical_server, raw_server

ROOT = Path(__file__).parents[2]
SUITE = """\
name: two
version: "1"
about: Two rows.
licence: CC0-1.0
data: {file: rows.jsonl}
prompt: "{{ question }}\\nAnswer:"
answer: {kind: choice, choices: options, correct: right}
metrics: [acc_norm, acc]
"""
ROWS = [
    {"question": "Which is a colour?", "options": ["blue", "a very long wrong answer"], "right": 0},
    {"question": "Which is a bird?", "options": ["stone", "heron"], "right": 1},
]


def token(number, logprob, best=-0.5):
    return {"id": number, "logprob": logprob, "top_logprobs": [{"id": 9, "logprob": best}]}


def tokens(*ids):
    return {"json": {"tokens": list(ids)}}


def scores(*logprobs):
    """The answer to a request that only reads the prompt, and one for each choice."""
    return [{"json": {}}, *({"json": {"completion_probabilities": [token(3, each)]}} for each in logprobs)]


ROW = [tokens(1, 2), tokens(1, 2, 3), tokens(1, 2, 3)]
LLAMA = {
    "/v1/models": {"json": {"data": [{"id": "m", "owned_by": "llamacpp"}]}},
    "/props": {"json": {"total_slots": 1, "default_generation_settings": {"n_ctx": 512}}},
    "/tokenize": {"replies": [tokens(1, 2), tokens(1, 2, 3), tokens(1), *ROW, *ROW]},
    # Of the first row the short choice is the likeliest, and the long one for its length.
    "/completion": {"replies": [*scores(-1.0), *scores(-4.0, -6.0), *scores(-9.0, -1.5)]},
}


@pytest.fixture
def suite(tmp_path):
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    path = tmp_path / "two.yaml"
    path.write_text(SUITE)
    return path


def run(suite, url, *options, code=0):
    """The program's events."""
    words = ["--suite", suite, "--base-url", url, "--model", "m", "--output", suite.parent / "out", *options]
    done = subprocess.run(
        [sys.executable, "-m", "scripts.run_suite", *map(str, words)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")], done.stderr


def test_choices_are_scored_as_texts_without_a_probe_of_the_model(suite):
    with raw_server(suite.parent, LLAMA) as url:
        events, said = run(suite, url)
        with OPENER.open(url + "/asked") as response:
            paths = {path for method, path, _, _ in json.load(response) if method == "POST"}
    assert paths == {"/tokenize", "/completion"}
    assert "choices are answered by likelihood (grammar of token ids)" in said
    lines = [
        json.loads(line) for line in (suite.parent / "out" / "completions.jsonl").read_text().splitlines()
    ]
    assert [line["continuations"] for line in lines] == [
        [[-4.0, 1, False], [-6.0, 1, False]],
        [[-9.0, 1, False], [-1.5, 1, False]],
    ]
    assert [line["metrics"] for line in lines] == [
        {"acc_norm": 0.0, "acc": 1.0},
        {"acc_norm": 1.0, "acc": 1.0},
    ]
    assert [line["answer"] for line in lines] == ["blue", "heron"]
    (summary,) = [event for event in events if event["event"] == "summary"]
    assert summary["score"] == 50.0
    assert summary["likelihoods"] == "grammar of token ids"
    # It says nothing of how a model wants to be asked, so that other benchmarks of a sweep find that out.
    assert not [event for event in events if event["event"] == "style"]
    settings = json.loads((suite.parent / "out" / "settings.json").read_text())
    assert settings["options"]["answered_by"] == "likelihood"
    assert settings["prompt_style"] == "completion"
    # Judged again, from the scores that are kept; the server is gone.
    events, _ = run(suite, url, "--rejudge", suite.parent / "out", "--output", suite.parent / "again")
    (again,) = [event for event in events if event["event"] == "summary"]
    assert again["score"] == 50.0
    verdicts = [
        json.loads(line) for line in (suite.parent / "again" / "completions.jsonl").read_text().splitlines()
    ]
    assert sorted(each["task_id"] for each in verdicts if each["outcome"] == "passed") == ["two/1"]


def test_elsewhere_letters_answer_and_a_run_never_mixes_the_two(suite):
    with canonical_server() as url:
        _, said = run(suite, url, "--prompt-style", "completion", "--limit", 1)
    assert "choices are answered by letter: only llama-server and vLLM tell" in said
    settings = json.loads((suite.parent / "out" / "settings.json").read_text())
    assert settings["options"]["answered_by"] == "letter"
    with raw_server(suite.parent, LLAMA) as url:
        _, said = run(suite, url, "--prompt-style", "completion", code=6)
    assert "choices were answered by letter, and this server only takes likelihood" in said


def test_a_suite_that_needs_likelihoods_says_what_gives_them(suite):
    suite.write_text(SUITE.replace("correct: right}", "correct: right, letters: false}"))
    with canonical_server() as url:
        _, said = run(suite, url, "--prompt-style", "completion", code=3)
    assert "this suite needs the likelihoods of its choices" in said
    assert "take llama-server or vLLM" in said
