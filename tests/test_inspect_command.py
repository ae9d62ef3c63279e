"""`inspect`, and `compare --show`, of real runs, as a user types them."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import re
import struct
import subprocess
from fcntl import ioctl
from termios import TIOCSWINSZ

import pytest

from results.failed_check import FailedCheck
from results.json_text import encode
from results.prompts.sent_prompts import Message, sent_prompt, write_prompts
from results.records import Completion, Outcome
from tests.command_line import PROGRAM, bench_runner, command_server
from tests.results.metric_runs import record_metric_run, span
from tests.results.recorded_runs import record_run

pytestmark = pytest.mark.slow

FIRST = "Please provide a self-contained Python script"


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Two runs of the same eight problems: one solves all, the other about half, with two completions in the third."""
    folder = tmp_path_factory.mktemp("results")
    run_ids = []
    for wrong, more in ((0, ()), (0.5, ()), (0.5, ("--n-samples", 2, "--temperature", 0.5))):
        done = bench_runner(
            *("run", "--benchmark", "human_eval", "--results-dir", folder, "--limit", 8, "--json", *more),
            *command_server("canonical_server.py", "--wrong", wrong),
        )
        assert done.code == 0, done.err
        run_ids.append(json.loads(done.out)["run_id"])
    return folder, run_ids


def inspect(results, *words, run=1, **how):
    folder, run_ids = results
    return bench_runner("inspect", run_ids[run], *words, "--results-dir", folder, **how)


def as_json(done):
    assert (done.code, done.err) == (0, "")
    return [json.loads(line) for line in done.out.splitlines()]


def on_terminal(columns, *words, **more):
    """What a terminal of that width shows; its pager only passes on."""
    main, other = pty.openpty()
    ioctl(other, TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
    env = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "NO_COLOR", "LESS"}}
    with subprocess.Popen(
        [PROGRAM, *map(str, words)],
        stdout=other,
        stdin=other,
        stderr=other,
        env={**env, "PAGER": "cat", "TERM": "xterm", **more},
    ) as process:
        os.close(other)
        parts = []
        while True:
            try:
                part = os.read(main, 65536)
            except OSError:
                break
            if not part:
                break
            parts.append(part)
        process.wait(60)
    os.close(main)
    return b"".join(parts).decode()


def test_prompts_are_kept_once_as_they_were_sent(results):
    folder, run_ids = results
    lines = [json.loads(line) for line in (folder / run_ids[2] / "prompts.jsonl").read_text().splitlines()]
    assert [line["task_id"] for line in lines] == [f"HumanEval/{n}" for n in range(8)]
    completions = [
        json.loads(line) for line in (folder / run_ids[2] / "completions.jsonl").read_text().splitlines()
    ]
    assert len(completions) == 16
    by_id = {line["task_id"]: line["sha256"] for line in lines}
    assert all(each["prompt_sha256"] == by_id[each["task_id"]] for each in completions)
    for line in lines:
        text = json.dumps(line["messages"], separators=(",", ":"), ensure_ascii=False)
        assert hashlib.sha256(text.encode()).hexdigest() == line["sha256"]


def test_one_answer_whole(results):
    failed = as_json(inspect(results, "--failed", "--json"))
    assert 0 < len(failed) < 8
    task_id = failed[0]["completion"]["task_id"]
    done = inspect(results, task_id)
    assert (done.code, done.err) == (0, "")
    assert f"{task_id}  failed" in done.out
    for part in (
        FIRST,
        "got          'nonsense'",
        "check        assert candidate(",
        "    return 'nonsense'",
        "It works.",
    ):
        assert part in done.out, part
    assert "\x1b" not in done.out
    assert inspect(results, task_id.rpartition("/")[2]).out == done.out


def test_the_failed_ones_are_listed_and_shown(results):
    failed = [each["completion"]["task_id"] for each in as_json(inspect(results, "--failed", "--json"))]
    brief = inspect(results, "--failed", "--brief").out.splitlines()
    assert [line.split("\t")[0] for line in brief] == ["task", *failed]
    assert all("got 'nonsense', not " in line or "TypeError: " in line for line in brief[1:])
    assert any("got 'nonsense', not " in line for line in brief)
    whole = inspect(results, "--failed").out
    assert whole.count("Executed code") == len(failed)
    every = inspect(results).out.splitlines()
    assert len(every) == 9


def test_the_flipped_ones_against_another_run(results):
    folder, run_ids = results
    flipped = as_json(inspect(results, "--flipped", run_ids[0], "--json"))
    failed = as_json(inspect(results, "--failed", "--json"))
    assert flipped == failed
    assert "\tpassed\tfailed\t" in inspect(results, "--flipped", run_ids[0], "--brief").out
    none = bench_runner("inspect", run_ids[0], "--failed", "--results-dir", folder)
    assert (none.code, none.out) == (0, f"{run_ids[0]}: none of 8 answers is of that kind\n")


def test_several_completions_are_listed_and_one_is_shown(results):
    done = inspect(results, "HumanEval/0", run=2)
    assert [line.split("\t")[:2] for line in done.out.splitlines()][1:] == [
        ["HumanEval/0", "0"],
        ["HumanEval/0", "1"],
    ]
    one = inspect(results, "HumanEval/0", "--completion", 1, run=2)
    assert "HumanEval/0 #1  " in one.out
    assert inspect(results, "HumanEval/0", "--completion", 5, run=2).code == 2


def test_a_sample_that_is_not_there_is_named(results):
    done = inspect(results, "HumanEval/99")
    assert (done.code, done.out) == (2, "")
    assert "has no answer to 'HumanEval/99'" in done.err
    assert "try: it has 8 samples, such as HumanEval/" in done.err


def test_a_run_without_prompts_says_so(results, tmp_path):
    folder, run_ids = results
    old = tmp_path / run_ids[0]
    old.mkdir()
    for name in ("run.json", "completions.jsonl"):
        (old / name).write_bytes((folder / run_ids[0] / name).read_bytes())
    done = bench_runner("inspect", run_ids[0], 3, "--results-dir", tmp_path)
    assert "not kept: by a version of bench-runner" in done.out
    (old / "completions.jsonl").unlink()
    done = bench_runner("inspect", run_ids[0], 3, "--results-dir", tmp_path)
    assert (done.code, done.out) == (6, "")
    assert "keeps no single answers" in done.err


def test_both_answers_side_by_side_where_there_is_room(results):
    folder, run_ids = results
    (one, *_) = as_json(inspect(results, "--failed", "--json"))
    words = ("compare", *run_ids[:2], "--show", one["completion"]["task_id"], "--results-dir", folder)
    wide, narrow = on_terminal(140, *words), on_terminal(80, *words)
    assert f"A  {run_ids[0]}" in wide
    assert any("Here it is:" in line[20:] and line.startswith("  Here it is:") for line in wide.splitlines())
    assert not any(line.count("Here it is:") > 1 for line in narrow.splitlines())
    for text in (wide, narrow):
        assert "+    return 'nonsense'" in text
        assert "they differ from character" in text
    piped = bench_runner(*words)
    assert "\x1b" not in piped.out
    assert "+    return 'nonsense'" in piped.out
    (pair,) = [json.loads(line) for line in bench_runner(*words, "--json").out.splitlines()]
    assert {"kind": "added", "text": "    return 'nonsense'"} in pair["diff"]
    assert pair["first"]["passed"]
    assert not pair["second"].get("passed", False)


def test_compare_counts_changed_answers_apart_from_the_score(results):
    folder, run_ids = results
    failed = len(as_json(inspect(results, "--failed", "--json")))
    done = bench_runner("compare", *run_ids[:2], "--results-dir", folder)
    assert f"changed answers  {failed} of 8 word for word, first at character " in done.out
    assert f"; {failed} outcomes flipped ({failed} from passed)" in done.out
    facts = json.loads(bench_runner("compare", *run_ids[:2], "--json", "--results-dir", folder).out)[
        "answers"
    ]
    assert (facts["compared"], facts["changed"], facts["to_fail"], facts["to_pass"]) == (8, failed, failed, 0)


def test_colours_are_off_where_they_are_not_wanted(results, tmp_path):
    folder, run_ids = results
    words = ("inspect", run_ids[1], "--brief", "--results-dir", folder)
    assert "\x1b[" in on_terminal(120, *words)
    assert "\x1b[" not in on_terminal(120, *words, NO_COLOR="1")
    (tmp_path / "less").write_text('#!/bin/sh\necho "flags $LESS"\nexec cat\n')
    (tmp_path / "less").chmod(0o755)
    whole = ("inspect", run_ids[1], "--results-dir", folder, 0)
    shown = on_terminal(120, *whole, PAGER=str(tmp_path / "less"))
    assert "flags -FRX" in shown
    assert "\x1b[1mtokens" in shown


EVIL = (
    "x\x1b]0;owned\x07\x1b[2J\x9b31m\rgsm8k/9  passed\nerror: forged\nExecuted code\u202e\u200b\u2028\x00 <b>"
)


def test_a_hostile_answer_steers_no_terminal_and_forges_no_line(tmp_path):
    folders = []
    for words in (EVIL, f"{EVIL}2"):
        folder = record_run(tmp_path)
        check = FailedCheck(
            check=EVIL,
            call=EVIL,
            given=EVIL,
            returned=EVIL,
            got=EVIL,
            relation=EVIL,
            expected=EVIL,
            line=1,
            code=EVIL,
        )
        line = Completion(
            task_id="owned/1\x1b[2J",
            answer=words, reasoning=EVIL, completion=words, detail=EVIL, outcome=Outcome.FAILED,
            expected=EVIL, read_in=EVIL, failed_check=check,
        )  # fmt: skip
        folder.completions.write_bytes(encode(line) + b"\n")
        write_prompts(
            folder.path, [sent_prompt("owned/1\x1b[2J", (Message(EVIL, EVIL), Message("user", EVIL)))]
        )
        folders.append(folder.run_id)
    for words in (
        ("inspect", "last"),
        ("inspect", "last", "--failed"),
        ("inspect", "last", "owned"),
        ("inspect", "last", "no such"),
        ("compare", *folders, "--show", "owned"),
    ):
        for width in (80, 140):
            shown = on_terminal(width, *words, "--results-dir", tmp_path, NO_COLOR="1").replace("\r\n", "\n")
            assert "owned" in shown
            assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u2028\u202e]", shown), ascii(shown)
            begins = ("gsm8k/9", "error: forged", "Executed code\\u202e")
            assert not any(line.startswith(begins) for line in shown.splitlines()), shown


def test_samples_are_completed_in_the_shell(results):
    folder, run_ids = results
    env = {
        "_BENCH_RUNNER_PY_COMPLETE": "bash_complete",
        "BENCH_RESULTS_DIR": str(folder),
        "COMP_WORDS": f"bench_runner.py inspect {run_ids[0]} HumanEval/",
        "COMP_CWORD": "3",
    }
    assert bench_runner(env=env).out.split() == [f"plain,HumanEval/{n}" for n in range(8)]


@pytest.mark.servers
def test_prompts_grow_with_a_resumed_run_and_go_with_a_rejudgement(tmp_path):
    """Also where a run of an earlier version kept none; `rerun` says how far the answers could be repeated."""
    words = ("run", "--benchmark", "human_eval", "--results-dir", tmp_path, "--json")
    server = command_server("canonical_server.py")
    run_id = json.loads(bench_runner(*words, "--limit", 2, *server).out)["run_id"]
    prompts = tmp_path / run_id / "prompts.jsonl"
    first = prompts.read_bytes()
    prompts.unlink()
    resumed = bench_runner(*words, "--limit", 3, "--resume", "last", *server)
    assert resumed.code == 0, resumed.err
    assert prompts.read_bytes().startswith(first)
    assert len(prompts.read_bytes().splitlines()) == 3
    again = json.loads(bench_runner("rejudge", "last", "--json", "--results-dir", tmp_path).out)["record"][
        "run_id"
    ]
    assert (tmp_path / again / "prompts.jsonl").read_bytes() == prompts.read_bytes()
    assert FIRST in bench_runner("inspect", again, 2, "--results-dir", tmp_path).out
    repeated = bench_runner("rerun", run_id, "--results-dir", tmp_path)
    assert "changed answers  0 of 3 word for word; 0 outcomes flipped" in repeated.out, repeated.err


def test_answers_whose_metric_changed_are_flipped_though_neither_passed(tmp_path):
    runs = [
        record_metric_run(tmp_path, [span(number, value) for number, value in enumerate(values)])
        for values in ([0.25, 0.5, 1.0], [0.75, 0.5, 1.0])
    ]
    first, second = (run.run_id for run in runs)
    done = bench_runner("inspect", second, "--flipped", first, "--results-dir", tmp_path)
    assert done.code == 0, done.err
    assert re.search(r"hotpot/0\s+failed", done.out)
    assert "token_f1 0.75, exact_match 0" in done.out
    assert "hotpot/1" not in done.out
    done = bench_runner("inspect", second, "--flipped", first, "--brief", "--results-dir", tmp_path)
    assert re.search(r"hotpot/0\s+failed 0\.25\s+failed", done.out)
