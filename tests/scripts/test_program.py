"""The life of a benchmark program: every end has its exit code and says what to do."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from scripts.arguments import parse
from tests.command_line import ENDINGS, ROOT

TIDY = """
import asyncio, sys
from results.leaving import leave
from scripts.program import run_program

async def main(arguments, events):
    try:
        events.say("working")
        await asyncio.sleep(60)
    finally:
        events.say("tidying")
        await asyncio.sleep(0.3)
        events.say("tidy")

leave(run_program(lambda: None, main))
"""
READING = """
import sys, time
from results.leaving import leave
from scripts.program import run_program

def read():
    print("working", file=sys.stderr, flush=True)
    time.sleep(60)

leave(run_program(read, None))
"""
STARVED = """
import os, resource, sys
from scripts.program import run_program
async def main(arguments, events):
    held = [os.dup(1) for _ in range(40)]
if "low" in sys.argv:
    resource.setrlimit(resource.RLIMIT_NOFILE, (30, 30))
else:
    resource.setrlimit(resource.RLIMIT_NOFILE, (30, 4096))
sys.exit(run_program(lambda: None, main))
"""


def starved(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", STARVED, *words], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_a_program_that_may_have_no_more_files_names_the_hard_limit():
    """Else all that is seen is a traceback in a log."""
    done = starved("low")
    assert done.returncode == 4
    (event,) = map(json.loads, done.stdout.splitlines())
    assert event["hint"] == (
        "raise the hard limits of the shell or batch system: 30 open files instead of 128 (ulimit -n)"
    )


def test_a_limit_that_is_not_at_fault_is_not_blamed():
    done = starved()
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "ulimit" not in done.stdout + done.stderr


def start(code, **pipes):
    return subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stderr=subprocess.PIPE, text=True, **pipes
    )


@pytest.mark.parametrize(("number", "code"), ENDINGS)
def test_a_second_signal_does_not_cut_the_orderly_end_short(number, code):
    """What is being written then, such as the last completions, is written."""
    with start(TIDY, stdout=subprocess.DEVNULL) as process:
        assert process.stderr.readline() == "working\n"
        process.send_signal(number)
        assert process.stderr.readline() == "tidying\n"
        process.send_signal(number)
        assert process.stderr.readline() == "tidy\n"
        assert process.wait(30) == code
        assert process.stderr.read().startswith(f"stopped by {number.name}")


def test_ctrl_c_while_the_arguments_are_read_is_told_in_a_line():
    with start(READING, stdout=subprocess.PIPE) as process:
        assert process.stderr.readline() == "working\n"
        process.send_signal(ENDINGS[0][0])
        out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "stopped by SIGINT\n")
    assert '"kind":"interrupted"' in out


TALKS = """
from results.leaving import leave
from scripts.program import run_program

async def main(arguments, events):
    events.say("for people")
    events.emit("progress", done=1, total=1)

leave(run_program(lambda: None, main))
"""


def test_words_for_people_never_get_among_the_events(tmp_path):
    """With a closed stderr Python would print them to stdout; with one that nobody reads it would raise."""
    command = ["sh", "-c", 'exec "$@" 2>&-', "sh", sys.executable, "-c", TALKS]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0
    assert json.loads(done.stdout).items() >= {"event": "progress", "done": 1, "total": 1}.items()
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-c", TALKS], cwd=ROOT, stdout=subprocess.PIPE, stderr=write, check=False
    )
    os.close(write)
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("provider", "url"),
    [
        (None, "http://127.0.0.1:9/v1"),
        ("openai", "http://127.0.0.1:9/v1"),
        ("compatible", "http://127.0.0.1:9/v1"),
        ("anthropic", None),
        ("openrouter", None),
    ],
)
def test_an_address_in_the_environment_gets_no_other_providers_key(provider, url, monkeypatch, tmp_path):
    """A proxy for OpenAI's API got Anthropic's key."""
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.delenv("BENCH_BASE_URL", raising=False)
    words = ["--provider", provider] if provider else []
    found = parse(
        [*words, "--model", "m", "--output", str(tmp_path)], benchmark="gsm8k", about="", defaults={}
    )
    assert found.base_url == url
