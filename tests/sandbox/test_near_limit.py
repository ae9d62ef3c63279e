"""A verdict that another machine might not give is marked: the program ended near its limit of processor time."""

from __future__ import annotations

import pytest

from sandbox import NEAR, Limits, Program
from sandbox.worker import Worker

pytestmark = pytest.mark.slow

LIMIT_S = 0.4
BURN = "import time\nwhile time.process_time() < {}: pass\n"
CHILDREN = """
import os, time
for _ in range(2):
    if os.fork() == 0:
        while time.process_time() < {}: pass
        os._exit(0)
for _ in range(2): os.wait()
"""


@pytest.mark.parametrize(
    ("code", "kind", "near"),
    [
        (BURN.format(0.02), "passed", False),
        (BURN.format(0.28), "passed", True),
        (BURN.format(0.28) + "assert False", "wrong_answer", True),
        (BURN.format(0.6), "timeout", True),
        (BURN.format(9), "timeout", False),
        (CHILDREN.format(0.02), "passed", False),
        (CHILDREN.format(0.28), "passed", True),
        (CHILDREN.format(0.6), "timeout", True),
        (CHILDREN.format(9), "timeout", False),
        ("import time\ntime.sleep(9)", "timeout", False),
    ],
)
def test_what_ends_within_a_factor_of_two_of_the_limit_is_marked(judged, code, kind, near):
    """All processes together may take twice as long."""
    verdict = judged(code, limits=Limits(cpu_s=LIMIT_S, overtime=NEAR), replaced=kind == "timeout")
    assert (verdict.kind, verdict.near_time_limit) == (kind, near), verdict


def test_a_program_that_ends_a_little_too_late_is_out_of_time_however_late_that_is_seen(judged):
    """It ends by itself while it is still watched, and its own time decides."""
    limits = Limits(cpu_s=LIMIT_S, overtime=10)
    verdict = judged(BURN.format(LIMIT_S + 0.1), limits=limits, replaced=True)
    assert (verdict.kind, verdict.detail) == ("timeout", f"used {LIMIT_S} s of processor time")


def test_what_ends_a_little_too_late_is_taken_once_more_alone_before_it_counts(box, monkeypatch):
    """Processors that share caches and threads count more time for the same work."""
    taken = []
    run = Worker.run
    monkeypatch.setattr(Worker, "run", lambda *call: taken.append(call) or run(*call))
    limits = Limits(cpu_s=LIMIT_S, overtime=NEAR)
    assert box.run(Program(code=BURN.format(0.6)), limits).kind == "timeout"
    assert len(taken) == 2
    assert box.run(Program(code=BURN.format(9)), limits).kind == "timeout"
    assert len(taken) == 3, "nothing is to be gained by it"
