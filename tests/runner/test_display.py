"""What a person sees while a run goes on."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

from runner.display import Lines, TimeLeft, TokenRate, TrialLines
from tests.command_line import PROGRAM, ROOT
from tests.evaluation.running_servers import canonical_server


def on_a_terminal(command):
    """What the command shows there, with its control codes."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=ROOT,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
    )
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 65536):
            shown += part
    except OSError:  # how the other end's close shows itself
        pass
    finally:
        os.close(ours)
    assert process.wait() == 0, shown
    return shown.decode()


def test_a_terminal_shows_a_bar_with_completions_rate_and_eta(tmp_path):
    with canonical_server("--delay", 0.1) as url:
        shown = on_a_terminal(
            [
                PROGRAM,
                "run",
                "--benchmark",
                "human_eval",
                "--base-url",
                url,
                "--limit",
                "20",
                "--results-dir",
                tmp_path,
            ]
        )
    assert "20/20" in shown
    assert "tokens/s" in shown
    assert "eta" in shown
    assert "\x1b[?25h" in shown  # the cursor is back
    assert "\x1b[1mscore" in shown


def test_plain_lines_come_rarely_and_the_last_always(capsys):
    lines = Lines()
    for done in range(101):
        lines.progress({"done": done, "total": 100, "completion_tokens": done * 7})
    said = capsys.readouterr().err.splitlines()
    assert said[-1].startswith("  100/100 completions")
    assert len(said) <= 3


def test_each_run_of_a_sweep_is_counted_from_its_own_start(capsys):
    """With the counts of the run before it, a second run of the same length had no line at all."""
    lines = Lines()
    for _ in range(2):
        for done in range(101):
            lines.progress({"done": done, "total": 100, "completion_tokens": done * 7})
        lines.close()
    said = capsys.readouterr().err.splitlines()
    assert sum(line.startswith("  100/100 completions") for line in said) == 2
    lines.progress({"done": 1, "total": 1, "completion_tokens": 9})
    assert capsys.readouterr().err == "  1/1 completions\n", "of one mark nothing is known of the speed"


def test_a_search_tells_its_best_prompts_and_its_last_trial():
    lines = TrialLines()
    best = [40.0, 40.0, 55.0, *[55.0] * 16, 55.0]
    events = [
        {"trial": trial, "of": 20, "best": value, "seed": 40.0, "calls": 9 * trial}
        for trial, value in enumerate(best, 1)
    ]
    assert [line for line in map(lines.line, events) if line] == [
        "  trial 1 of 20: best 40.0 of 100 on validation, seed prompt 40.0; 9 requests",
        "  trial 3 of 20: best 55.0 of 100 on validation, seed prompt 40.0; 27 requests",
        "  trial 20 of 20: best 55.0 of 100 on validation, seed prompt 40.0; 180 requests",
    ]


TWO_RUNS = """
from runner.display import Bar
bar = Bar()
for tokens in (0, 1000):
    bar.progress({"done": 1, "total": 2, "completion_tokens": tokens})
bar.close()
bar.say("the second run")
bar.progress({"done": 1, "total": 2, "completion_tokens": 5})
bar.close()
"""


def test_a_terminal_s_rate_is_that_of_the_run():
    shown = on_a_terminal([sys.executable, "-c", TWO_RUNS])
    first, second = shown.split("the second run")
    assert "tokens/s" in first
    assert "tokens/s" not in second, "the speed since the first run's start"


def test_an_event_without_its_numbers_does_no_harm(capsys):
    Lines().progress({"done": "many", "total": None})
    assert not capsys.readouterr().err


def test_the_token_rate_leaves_out_what_was_there_before():
    """A run that goes on has thousands of tokens from the first second."""
    rate = TokenRate()
    assert rate.update(5.0, 9000) is None
    assert rate.update(15.0, 10000) == 100.0
    assert rate.update(25.0, 10000) == 50.0


def test_the_time_left_is_known_from_the_first_answer_however_slow():
    """One in two minutes, of twenty, of which four were there before; it counts down in between."""
    left = TimeLeft()
    left.update(0.0, 4, 20)
    assert left.seconds(60.0) is None
    assert str(left) == "-:--:--"
    left.update(120.0, 5, 20)
    assert left.seconds(120.0) == 15 * 120
    assert left.seconds(150.0) == 15 * 120 - 30
    left.update(180.0, 5, 20)  # nothing new
    assert left.seconds(180.0) == 15 * 120 - 60
    left.update(360.0, 6, 20)
    assert left.seconds(360.0) == 14 * 180
    assert left.seconds(36_000.0) == 0


def test_the_bar_shows_the_time_left_of_slow_answers():
    program = """
import time
from runner.display import Bar
now = 0.0
time.monotonic = lambda: now
bar = Bar()
bar.progress({"done": 0, "total": 20})
now = 120.0
bar.progress({"done": 1, "total": 20})
now = 150.0
bar.close()
"""
    assert "eta 0:37:30" in on_a_terminal([sys.executable, "-c", program])
