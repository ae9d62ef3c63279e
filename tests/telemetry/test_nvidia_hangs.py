"""A driver of NVIDIA's that does not answer holds up neither the search nor a signal, nor the other cards.

The library is a stub in C, the binding is the real one: see nvml_stub.c.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import psutil
import pytest

from tests.command_line import ENDINGS, command_server, logged, signalled

pytestmark = pytest.mark.slow


def test_a_driver_that_never_answers_ends_the_search(nvml, python):
    """What else there is, is found."""
    lines = """
import json, time
from telemetry import devices
devices.FIND_S = 0.3
began = time.monotonic()
found = devices.look()
print(json.dumps([time.monotonic() - began, found.absent[0]]))
"""
    seconds, words = python(lines, nvml("hang Init"))
    assert seconds < 30
    assert words == "NVIDIA: the driver gave no answer for 0.3 s"


def test_two_that_never_answer_cost_no_more_time_than_one(nvml, python, tmp_path):
    """They are asked at once: `doctor` and the start of a run wait for the slowest, not for the sum."""
    zone = tmp_path / "intel-rapl:0"
    zone.mkdir()
    os.mkfifo(zone / "name")  # nobody writes into it
    lines = f"""
import functools, json, time
from pathlib import Path
from telemetry import devices
devices.FIND_S = 2.0
devices.rapl.open_packages = functools.partial(devices.rapl.open_packages, Path({str(tmp_path)!r}))
began = time.monotonic()
found = devices.look()
print(json.dumps([time.monotonic() - began < 2 * devices.FIND_S, found.absent[0], found.absent[-1]]))
"""
    assert python(lines, nvml("hang Init")) == [
        True,
        "NVIDIA: the driver gave no answer for 2 s",
        "processor energy: the driver gave no answer for 2 s",
    ]


def waits_for_the_driver(pid):
    """Its library's binding is imported, and nothing is computed any more."""
    if "libnvidia-ml" not in Path(f"/proc/{pid}/maps").read_text():
        return False
    before = psutil.Process(pid).cpu_times()
    time.sleep(0.3)
    return psutil.Process(pid).cpu_times() == before


@pytest.mark.parametrize(("number", "code"), ENDINGS)
def test_a_signal_while_a_driver_does_not_answer_ends_the_run(nvml, tmp_path, number, code):
    words = ("run", "--benchmark", "human_eval", *command_server("fake_server.py"), "--results-dir", tmp_path)
    done = signalled(number, *words, when=waits_for_the_driver, env=nvml("hang Init"))
    assert (done.code, "Traceback" in done.err) == (code, False), done.err
    assert f"stopped by {number.name}" in done.err
    assert "NVIDIA: stopped" not in done.out + done.err


@pytest.mark.parametrize(("number", "code"), ENDINGS)
def test_a_signal_while_a_run_looks_for_its_devices_is_in_its_record(nvml, tmp_path, number, code):
    """The driver answers once, for the facts of the machine, and then no more."""
    words = ("run", "--benchmark", "human_eval", *command_server("fake_server.py"), "--results-dir", tmp_path)
    done = signalled(number, *words, env=nvml("hang Init 1"),
                     when=lambda pid: [*tmp_path.glob("*/run.json")] and waits_for_the_driver(pid))  # fmt: skip
    assert done.code == code, done.err
    (run,) = logged(tmp_path)
    assert (run["status"], run["error"]["kind"]) == ("interrupted", "interrupted")


def test_a_card_that_hangs_stops_neither_the_other_nor_the_sampler(nvml, python, tmp_path):
    lines = f"""
import json, time
from pathlib import Path
from telemetry.nvidia import open_gpus
from telemetry.sampler import Sampler
gpus, _ = open_gpus()
path = Path({str(tmp_path / "telemetry.jsonl")!r})
def enough():
    ticks = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return len(ticks) > 25 and ticks[-1]["devices"][0].get("error", "").startswith("no answer for")
with Sampler(path, gpus, interval_s=0.05):
    while not enough():
        time.sleep(0.1)
ticks = [json.loads(line) for line in path.read_text().splitlines()]
print(json.dumps(ticks))
"""
    script = "card GPU-aa\npower 1000\nhang PowerUsage 4\ncard GPU-bb\npower 2000\nenergy 0 2000"
    ticks = python(lines, nvml(script))
    hung, fine = zip(*(tick["devices"] for tick in ticks), strict=True)
    assert hung[0]["power_w"] == 1.0
    assert hung[-1]["error"].startswith("no answer for")
    # One late tick, not each: the others are not read behind it.
    assert sum("power_w" in reading for reading in fine) > len(fine) / 2
