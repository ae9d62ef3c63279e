"""The needle benchmark as a whole: its lengths in the server's tokens, its figures, and a real model."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from results.errors import UsageError
from scripts.run_needle import read_arguments
from tests.command_line import bench_runner, bench_runners, lines, only_run
from tests.evaluation.running_servers import OPENER

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "tests" / "programs" / "needle_server.py"
FEW = ("--lengths", "512,1k,2k", "--per-cell", 1, "--depth-percent", "0,50,100")


@contextlib.contextmanager
def needle_server(*options):
    """Give its URL while it runs."""
    words = [sys.executable, PROGRAM, *map(str, options)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield f"http://127.0.0.1:{json.loads(process.stdout.readline())['port']}"
        finally:
            process.kill()


def run(url, output, *options, code=0):
    """Its last event and what it said to people."""
    words = ("--base-url", url, "--model", "m", "--output", output, "--prompt-style", "chat", *options)
    done = subprocess.run(
        [sys.executable, "-m", "scripts.run_needle", *map(str, words)],
        capture_output=True, text=True, cwd=ROOT, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), done.stderr


@pytest.mark.parametrize("style", ["chat", "completion"])
def test_prompts_have_nearly_the_length_asked_for_and_leave_room_for_the_answer(tmp_path, style):
    with needle_server() as url:
        summary, _ = run(url, tmp_path, *FEW, "--prompt-style", style)
    assert (summary["score"], summary["metrics"]["recall"]["value"], summary["warnings"]) == (100.0, 1.0, [])
    assert summary["completions"] == 5 * 3 * 3
    for line in lines(tmp_path / "completions.jsonl"):
        most = int(line["tags"]["length"]) - 128
        assert most - max(50, 0.03 * most) <= line["prompt_tokens"] <= most


def test_without_lengths_they_are_the_powers_of_two_that_the_context_holds(tmp_path):
    options = ("--kinds", "single", "--per-cell", 1, "--depth-percent", "50")
    with needle_server("--n-ctx", 4096) as url:
        summary, said = run(url, tmp_path / "a", *options)
        longer, also = run(url, tmp_path / "b", *options, "--max-tokens", 2000)
    assert [row["length"] for row in summary["context"]["lengths"]] == [1024, 2048, 4096]
    assert "making prompts of 1k, 2k, 4k tokens" in said
    assert [row["length"] for row in longer["context"]["lengths"]] == [1024, 2048]
    assert "4k left out: no room for answers of 2,000 tokens in 4,096 of context" in also


def test_a_length_that_no_slot_holds_is_refused_before_anything_is_asked(tmp_path):
    with needle_server("--n-ctx", 2048) as url:
        error, _ = run(url, tmp_path / "a", "--lengths", "1k,4k", code=2)
        longer, _ = run(url, tmp_path / "b", "--lengths", "2k", "--max-tokens", 500, code=2)
        prompts = json.load(OPENER.open(f"{url}/prompts"))
    assert error["message"].startswith("--lengths 4k needs 4,096 tokens of context")
    assert "2,420 tokens" in longer["message"]
    assert prompts == []


def test_a_server_that_tells_no_context_needs_lengths(tmp_path):
    with needle_server("--n-ctx", 0) as url:
        error, _ = run(url, tmp_path, code=2)
    assert (error["message"], error["hint"][:14]) == (
        "the server doesn't tell how long its context is",
        "give --lengths",
    )


@pytest.mark.parametrize("option", ["--no-tokenize", "--no-usage"])
def test_without_tokenize_lengths_are_estimated_and_that_is_said(tmp_path, option):
    with needle_server("--no-tokenize", option) as url:
        summary, _ = run(url, tmp_path, "--lengths", "2k", "--per-cell", 1, "--depth-percent", "50")
        prompts = json.load(OPENER.open(f"{url}/prompts"))
    (warning,) = summary["warnings"]
    assert ("estimated from the counts" if option == "--no-tokenize" else "guessed") in warning
    lengths = [row["prompt_tokens"] for row in summary["context"]["lengths"]]
    assert (1700 < lengths[0] < 1920) if option == "--no-tokenize" else lengths == [None]
    assert summary["score"] == 100.0
    assert len(set(prompts)) == 5


def test_a_prompt_that_the_server_cuts_silently_is_no_wrong_answer(tmp_path):
    with needle_server("--cut", 1000) as url:
        summary, _ = run(url, tmp_path, *FEW)
    by_length = Counter(
        (line["tags"]["length"], line["outcome"], line.get("loss"))
        for line in lines(tmp_path / "completions.jsonl")
    )
    assert by_length == {
        ("512", "passed", None): 15,
        ("1024", "passed", None): 15,
        ("2048", "infrastructure_error", "prompt_too_long"): 15,
    }
    assert summary["warnings"][0].startswith("15 of 45 prompts do not fit the context of a slot")


def test_the_effective_context_is_the_longest_up_to_which_enough_is_found(tmp_path):
    with needle_server("--forget-beyond", 1000) as url:
        summary, _ = run(url, tmp_path / "a", *FEW)
    with needle_server("--forget-beyond", 100) as url:
        nothing, _ = run(url, tmp_path / "b", *FEW, "--limit", 15)
    found = summary["context"]
    assert (found["effective_context"], found["threshold"]) == (1024, 0.856)
    assert [row["recall"]["value"] for row in found["lengths"]] == [1.0, 1.0, 0.0]
    assert summary["metrics"]["pass@1 length=2048"]["value"] == 0.0
    assert nothing["context"]["effective_context"] == 0


def test_a_run_goes_on_where_it_was_with_the_lengths_it_had(tmp_path):
    """The lengths followed a context of 2k; the server that the run goes on with has another."""
    options = ("--per-cell", 1, "--depth-percent", "0,100")
    with needle_server("--n-ctx", 2048) as url:
        run(url, tmp_path, *options, "--limit", 7)
    first = lines(tmp_path / "completions.jsonl")
    with needle_server("--n-ctx", 8192) as url:
        summary, _ = run(url, tmp_path, *options)
        prompts = json.load(OPENER.open(f"{url}/prompts"))
    after = lines(tmp_path / "completions.jsonl")
    assert after[:7] == first
    assert (summary["completions"], len(prompts)) == (20, 13)
    assert {line["tags"]["length"] for line in after} == {"1024", "2048"}
    done, _ = run("http://127.0.0.1:9", tmp_path, *options)  # nothing is missing: no server is needed
    assert done["score"] == summary["score"]
    error, _ = run("http://127.0.0.1:9", tmp_path, *options, "--lengths", "1k", code=6)
    assert "lengths was [1024, 2048] and is now [1024]" in error["message"]


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--lengths", "100", "100 is not between 512 and 1024k tokens"),
        ("--lengths", "4m", "'4m' is not a number of tokens"),
        ("--kinds", "double", "'double' is none of single, multikey"),
        ("--depth-percent", "101", "101 is not between 0 and 100"),
        ("--per-cell", "0", "0 is not between 1 and 9999"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(option, value, says, monkeypatch):
    words = ["--base-url", "http://127.0.0.1:9", "--model", "m", "--output", "o", option, value]
    monkeypatch.setattr(sys, "argv", ["run_needle", *words])
    with pytest.raises(UsageError, match=says) as refused:
        read_arguments()
    assert option in refused.value.message


@pytest.mark.servers
def test_a_real_model_finds_needles_in_a_short_text(tmp_path):
    """The demo model on the built-in llama.cpp, from the command line to the table."""
    done = bench_runner(
        "run", "--benchmark", "needle", "--lengths", "512", "--kinds", "single,multikey", "--per-cell", 1,
        "--depth-percent", "0,25", "--max-tokens", 32, "--results-dir", tmp_path, "--", "--threads", 1,
    )  # fmt: skip
    assert done.code == 0, done.err
    folder = only_run(tmp_path)
    record = json.loads((folder / "run.json").read_text())
    figures = record["score"]["details"]["context"]
    assert record["score"]["outcomes"]["passed"] >= 2
    assert 340 < figures["lengths"][0]["prompt_tokens"] <= 384
    assert {line["tags"]["kind"] for line in lines(folder / "completions.jsonl")} == {"single", "multikey"}
    assert "passed at depth" in done.out


def test_runs_that_no_server_could_hold_are_refused_before_anything_starts(tmp_path):
    refused = {
        ("--lengths", "16k"): (
            "--lengths 16,384 needs 16,384 tokens of context",
            "--lengths 8192 is the most",
        ),
        ("--lengths", "4k", "--ctx-size", 2048): (
            "--ctx-size gives each slot 2,048",
            "--lengths 2048 is the most",
        ),
        ("--lengths", "4k", "--max-tokens", 8000): (
            "with answers of 8,000 tokens",
            "shorter answers: --max-tokens",
        ),
        ("--kinds", "double"): ("--kinds: 'double' is not KIND,..., such as single,dense", "--help"),
    }
    common = ("run", "--benchmark", "needle", "--results-dir", tmp_path)
    for done, (says, hint) in zip(
        bench_runners(*((*common, *each) for each in refused)), refused.values(), strict=True
    ):
        assert done.code == 2
        assert says in done.err
        assert hint in done.err.partition("try: ")[2]
    assert not list(tmp_path.glob("*needle*"))
