"""Tool calling as a whole: the program against a server that does all right, or that takes no tools."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from evaluation.benchmarks.tools.task import OWN_SCENARIOS
from tests.command_line import bench_runner, bench_runners, lines
from tests.evaluation.running_servers import OPENER, tool_server

ROOT = Path(__file__).parents[2]


def program(*words):
    return subprocess.run(
        [sys.executable, "-m", "scripts.run_tools", *map(str, words)],
        capture_output=True, text=True, cwd=ROOT, timeout=60, check=False,
    )  # fmt: skip


def run(url, output, *options, code=0):
    """Its last event and what it said to people."""
    done = program("--base-url", url, "--model", "m", "--output", output, *options)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), done.stderr


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """Its folder, its summary, and what the server was asked: all right but for one scenario."""
    folder = tmp_path_factory.mktemp("first")
    with tool_server("--wrong", "novel") as url:
        summary, _ = run(url, folder)
        return folder, summary, json.load(OPENER.open(f"{url}/asked"))


def test_scores_are_given_by_category_and_tokens_are_summed_over_turns(first):
    folder, summary, asked = first
    assert (summary["outcomes"]["passed"], summary["outcomes"]["failed"], summary["warnings"]) == (77, 1, [])
    assert summary["metrics"]["pass@1 category=turns"]["value"] == 1.0
    assert summary["metrics"]["pass@1 category=none"]["value"] == 10 / 11  # no Austen in the answer
    assert (summary["prompt_tokens"], summary["completion_tokens"]) == (100 * len(asked), 10 * len(asked))
    assert all(body["tools"] and body["parallel_tool_calls"] is True for body in asked)
    longest = max(asked, key=lambda body: len(body["messages"]))["messages"]
    assert [message["role"] for message in longest] == ["user", *["assistant", "tool"] * 4]
    assert longest[1]["tool_calls"][0]["function"] == {"name": "read_file", "arguments": '{"path": "a.txt"}'}
    assert longest[2] == {"role": "tool", "content": "The next file is k.txt", "tool_call_id": "c00"}
    kept = {line["task_id"]: line for line in lines(folder / "completions.jsonl")}
    assert len(kept["tools/paper-chase"]["transcript"]) == 9
    settings = json.loads((folder / "settings.json").read_text())
    assert (settings["max_tokens"], settings["prompt_style"]) == (2048, "chat")


def test_answers_are_judged_again_from_the_journal_alone(first, tmp_path):
    folder, summary, _ = first
    done = program("--rejudge", folder, "--output", tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["outcomes"] == summary["outcomes"]
    before, after = (sorted(lines(each / "completions.jsonl"), key=str) for each in (folder, tmp_path))
    assert before == after


def test_other_scenarios_are_another_run(first, tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text(OWN_SCENARIOS.read_text().replace("Turn the", "Switch the"))
    _, said = run("http://127.0.0.1:1", first[0], "--dataset", own, code=6)
    assert "data_sha256" in said


def test_a_server_that_takes_no_tools_ends_the_run_at_once_and_says_what_to_do(tmp_path):
    with tool_server("--refuse", "tools param requires --jinja flag", "--status", "500") as url:
        error, said = run(url, tmp_path, code=3)
        asked = json.load(OPENER.open(f"{url}/asked"))
    assert "the server takes no tools" in error["message"]
    assert "--jinja" in said
    assert "--tool-call-parser" in said
    assert len(asked) <= 16


@pytest.mark.servers
def test_a_run_shows_categories_and_the_conversation(tmp_path):
    kept = ("--results-dir", tmp_path)
    with tool_server("--wrong", "try-again", "--lacks", "parallel_tool_calls") as url:
        done = bench_runner("run", "--benchmark", "tools", "--base-url", url, "--model", "m", *kept)
    assert done.code == 0, done.err
    shown, whole, wrong = bench_runners(
        ("show", "last", *kept),
        ("inspect", "last", "paper-chase", *kept),
        ("inspect", "last", "try-again", *kept),
    )
    assert "category=errors" in shown.out
    assert "the server does not take parallel_tool_calls" in shown.out
    assert '-> read_file({"path": "a.txt"})' in whole.out
    assert "The secret word is heron." in whole.out
    assert "tools:" in whole.out
    assert "it called nothing" in wrong.out
