"""Programs that a test of the telemetry starts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def python():
    """Runs lines of Python in an environment; returns what they printed as JSON, last."""

    def run(lines, environment, timeout_s=30):
        done = subprocess.run(
            [sys.executable, "-c", lines],
            env=environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return run
