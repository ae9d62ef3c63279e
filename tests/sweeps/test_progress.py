"""`status` says how far a run is while another process works on it."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import time

import msgspec
import pytest

from results.records import Incident, RunStatus
from results.store.run_folder import RunFolder
from runner.progress import ProgressReader
from sweeps.status import print_run_status, print_status
from telemetry.contract import DeviceReading, Tick
from tests.command_line import PROGRAM, bench_runner, command_server, wait_for
from tests.results.conftest import a_record
from tests.results.recorded_runs import P, begin_sweep, place, record_run
from tests.sweep_runs import own_devices

pytestmark = pytest.mark.usefixtures("own_devices")
__all__ = ["own_devices"]
GPU = DeviceReading(
    uuid="GPU-1", memory_used_bytes=12 << 30, utilization=0.98, power_w=320.4, temperature_c=71.0,
    throttle_reasons=("sw_power_cap", "gpu_idle"),
)  # fmt: skip


@pytest.fixture
def running(tmp_path):
    """A run in progress: 3 of 20 answers, one every two minutes."""
    folder = RunFolder(tmp_path / "20261121T040000Z-human_eval-slow-0001")
    folder.path.mkdir()
    incident = Incident(time="2026-11-21T04:05:00+00:00", what="the server died")
    folder.write_record(
        a_record(folder.run_id, status=RunStatus.STARTED, model="slow", score=None, incidents=(incident,))
    )
    events = [
        {"event": "start", "finished": 0, "total": 20, "completion_tokens": 0, "time_s": 1000.0},
        *(
            {
                "event": "progress",
                "done": n,
                "total": 20,
                "completion_tokens": 600 * n,
                "time_s": 1000.0 + 120 * n,
            }
            for n in (1, 2, 3)
        ),
    ]
    folder.script_out.write_text("".join(json.dumps(event) + "\n" for event in events) + '{"event": "prog')
    tick = json.dumps({"time_s": 1.0, "phase": "generate", "devices": [{"uuid": "GPU-1"}]})

    folder.telemetry.write_bytes(
        tick.encode()
        + b"\n"
        + msgspec.json.encode(Tick(time_s=2.0, phase="generate", devices=(GPU,)))
        + b'\n{"ti'
    )
    (tmp_path / ".unlogged").mkdir()
    (tmp_path / ".unlogged" / folder.run_id).touch()
    with folder.claim():
        yield folder


def test_the_time_left_is_told_at_one_answer_in_two_minutes(running):
    reader = ProgressReader(running)
    told = reader.read(now_s=1400.0)  # 40 s after the third answer
    assert (told.done, told.total, told.tokens_per_s) == (3, 20, 5.0)
    assert told.left_s == 17 * 120 - 40
    assert told.devices == ("GPU 0: 98 %, 12.0 GiB, 320 W, 71 °C, slowed down: sw_power_cap",)
    with running.script_out.open("a") as file:
        file.write('ress", "done": 4, "total": 20, "completion_tokens": 2400, "time_s": 1480.0}\n')
    assert reader.read(now_s=1480.0).done == 4, "a line may come in two parts"


def test_before_the_first_answer_and_of_a_resumed_run_only_this_try_counts(running):
    with running.script_out.open("a") as file:
        file.write(
            '\n{"event": "start", "finished": 3, "total": 20, "completion_tokens": 1800, "time_s": 9000.0}\n'
        )
    reader = ProgressReader(running)
    assert (reader.read(9100.0).done, reader.read(9100.0).left_s) == (3, None)
    with running.script_out.open("a") as file:
        file.write(
            '{"event": "progress", "done": 4, "total": 20, "completion_tokens": 2100, "time_s": 9060.0}\n'
        )
    told = reader.read(9060.0)
    assert (told.tokens_per_s, told.left_s) == (5.0, 16 * 60.0)


def test_the_status_of_a_run_has_all_of_it(running, capsys):
    print_run_status(running)
    shown = capsys.readouterr().out
    row = shown.splitlines()[1].split("\t")
    assert row[:2] == ["slow human_eval", "running"]
    assert row[3:5] == ["3/20", "5.0"]
    assert "GPU 0: 98 %" in shown
    assert "slow human_eval: the server died" in shown
    listed = bench_runner("status", "--results-dir", running.path.parent)
    assert "3/20" in listed.out, "without a name, single runs in progress are there too"
    last = bench_runner("status", "last", "--results-dir", running.path.parent)
    assert "3/20" in last.out


def test_a_sweep_in_progress_tells_when_it_ends(running, tmp_path, capsys):
    sweep = begin_sweep(tmp_path, ["slow human_eval", "done human_eval", "later human_eval"])
    record = running.read_record()

    running.write_record(msgspec.structs.replace(record, sweep=place(sweep, "slow human_eval")))
    record_run(tmp_path, (P, P), sweep=place(sweep, "done human_eval"))
    print_status(sweep, warn=pytest.fail)
    assert "left" not in capsys.readouterr().out.splitlines()[0], "nobody works on it"
    with sweep.claim():
        events = (
            running.script_out.read_text().rpartition("\n")[0].replace('"time_s": 1', '"time_s": 9999991')
        )
        running.script_out.write_text(f"{events}\n")
        print_status(sweep, warn=pytest.fail)
        head = capsys.readouterr().out.splitlines()[0]
    assert "1 running, 1 succeeded, 1 waiting; about 34 min left" in head


def test_watch_shows_a_real_run_until_it_ends(tmp_path):
    results = tmp_path / "r"
    words = ("run", "--benchmark", "human_eval", "--limit", "4", "--parallel", "1", "--results-dir", results)
    with subprocess.Popen(
        [PROGRAM, *map(str, words), *command_server("canonical_server.py", "--delay", 0.4)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as run:  # fmt: skip
        try:
            wait_for(lambda: [*results.glob("*/run.json")], 60)
            shown = watched(results, 60)
            assert run.wait(60) == 0
        finally:
            run.kill()
    assert "/4" in shown
    assert "succeeded" in shown


def watched(results, seconds) -> str:
    """What `status last --watch` shows on a terminal until it ends by itself."""
    parent, child = pty.openpty()
    with subprocess.Popen(
        [PROGRAM, "status", "last", "--watch", "--results-dir", str(results)],
        stdout=child, stderr=child, stdin=child, env={**os.environ, "COLUMNS": "160", "TERM": "xterm"},
    ) as process:  # fmt: skip
        os.close(child)
        shown, deadline = b"", time.monotonic() + seconds
        try:
            while time.monotonic() < deadline:
                if select.select([parent], [], [], 0.2)[0]:
                    try:
                        shown += os.read(parent, 65536)
                    except OSError:
                        break
                elif process.poll() is not None:
                    break
        finally:
            process.kill()
            os.close(parent)
    return shown.decode(errors="replace")
