"""Processes that race for places, jobs and devices, and one that is killed while it posts. See tests/web/racing.py."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.web
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_no_place_too_many_no_job_lost_and_none_started_twice(kind, request):
    command = [sys.executable, "-m", "tests.web.racing", "--kills", "2"]
    if kind == "postgresql":
        command += ["--database", request.getfixturevalue("postgres").new_database()]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode in {0, 1}, done.stderr
    figures = json.loads(done.stdout)
    assert figures["broken"] == {}, (figures, done.stderr)
    assert figures["acknowledged"] > 0


@pytest.mark.web
def test_no_acknowledged_job_is_lost_when_serve_is_killed_while_jobs_are_posted():
    command = [sys.executable, "-m", "tests.web.web_kills", "--kills", "2"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode in {0, 1}, done.stderr
    figures = json.loads(done.stdout)
    assert figures["broken"] == {}, (figures, done.stderr)
    assert figures["acknowledged"] > 0
