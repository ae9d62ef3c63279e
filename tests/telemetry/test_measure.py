"""The wait for a server's memory ends when it is back, when it takes too long, and at once where the server stays."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.slow

MEASURE = """
import json, os, subprocess, sys, time
from pathlib import Path
from telemetry.measure import Telemetry
server = subprocess.Popen(["sleep", "600"])
gone = []
telemetry = Telemetry(
    Path("__FOLDER__/telemetry.jsonl"),
    pids=lambda: [] if gone else [server.pid],
    fetch_metrics=lambda: None,
    memory_back_s=__PATIENCE__,
)
telemetry.start()
telemetry.phase("load")
Path("__FOLDER__/pid").write_text(str(server.pid))
time.sleep(0.5)
telemetry.phase("generate")
time.sleep(0.5)
telemetry.phase("stop")
if __ENDS__:
    server.kill()
    server.wait()
    gone.append(True)
began = time.monotonic()
telemetry.stop()
telemetry.stop()
waited_s = time.monotonic() - began
server.kill()
server.wait()
summary = telemetry.summary(completions=1, solved=1)
print(json.dumps([waited_s, summary.used, summary.memory_left_bytes]))
"""
CARD = "card GPU-aa\nmemory 80000000000 1000000000 0\npower 1000\nfollow {} 20000000000 {}\n"


@pytest.mark.parametrize(
    ("linger_s", "ends", "patience_s", "least_s", "most_s", "left"),
    [
        (2, True, 60.0, 0.8, 30.0, 0),
        (600, True, 1.0, 1.0, 30.0, 20_000_000_000),
        (600, False, 60.0, 0.0, 30.0, None),
    ],
    ids=["back in time", "not back", "the server stays"],
)
def test_the_wait_for_memory(nvml, python, tmp_path, linger_s, ends, patience_s, least_s, most_s, left):  # noqa: PLR0917 - a table
    lines = MEASURE.replace("__FOLDER__", str(tmp_path)).replace("__PATIENCE__", str(patience_s))
    environment = nvml(CARD.format(tmp_path / "pid", linger_s))
    waited_s, used, told = python(lines.replace("__ENDS__", str(ends)), environment)
    assert least_s <= waited_s <= most_s
    assert (used, told) == (["GPU-aa"], left)
