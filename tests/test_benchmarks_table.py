"""`python -m tests.benchmarks`: a row is printed as soon as it is measured, so that a stop loses none."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

from tests.command_line import ROOT

TABLE = (sys.executable, "-m", "tests.benchmarks", "--only", "race", "--repeats")


@pytest.mark.parametrize(("ending", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=str)
def test_what_is_measured_is_printed_before_the_rest_is_measured(ending, code):
    """The race has a dozen scenarios: after the first one's row, the program is stopped."""
    with subprocess.Popen(
        [*TABLE, "30"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as program:
        heading, first = program.stdout.readline(), program.stdout.readline()
        program.send_signal(ending)
        rest, said = program.communicate(timeout=60)
    assert heading.index("benchmark") == first.index("race, ")
    assert "<= 0.05 of 1" in first
    assert "880 samples" not in rest
    assert program.returncode == code, said
    assert f"stopped by {ending.name}" in said


@pytest.mark.servers
def test_json_has_an_object_a_row():
    done = subprocess.run([*TABLE, "1", "--json"], cwd=ROOT, capture_output=True, text=True, check=False)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rows) > 20, done.stderr
    assert {row["benchmark"] for row in rows} == {"race"}
    assert done.returncode == (0 if all(row["kept"] for row in rows) else 1)
    assert rows[1]["name"].endswith("completions")
    assert 0 < rows[1]["value"] <= rows[1]["bound"]
