"""The life of a benchmark program: every end has its exit code and says what to do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
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
