"""A whole run on a machine with two cards: what its record says of energy, memory and of what disturbed it."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys

import psutil
import pytest

from tests.command_line import (
    PROGRAM,
    PROGRAMS,
    bench_runner,
    command_server,
    lines,
    logged,
    only_run,
    wait_for,
)

pytestmark = pytest.mark.slow

CARDS = """\
driver 570.1
card GPU-aaaa
name First
memory 80000000000 2000000000 0
power 300000
energy 5000000 300000
utilization 2 1
temperature 60
reasons 1
card GPU-bbbb
name Second
memory 80000000000 1000000000 0
power 100000
energy 1000000 100000
utilization 1 1
temperature 40
"""


def run(tmp_path, environment, server=()):
    server = server or command_server("canonical_server.py", "--delay", 0.02)
    done = bench_runner(
        "run", "--benchmark", "human_eval", *server, "--limit", 40, "--results-dir", tmp_path / "r", env=environment
    )  # fmt: skip
    assert done.code == 0, done.err
    (record,) = logged(tmp_path / "r")
    return done, record["telemetry"], record


def test_the_energy_of_the_visible_card_by_its_own_counter(tmp_path, nvml):
    """300 W for as long as the model generated; the other card is measured and not added up."""
    done, telemetry, record = run(tmp_path, {**nvml(CARDS), "CUDA_VISIBLE_DEVICES": "0"})
    assert telemetry["used"] == ["GPU-aaaa"]
    assert [card["name"] for card in telemetry["devices"]] == ["First", "Second"]
    generate = telemetry["phases"]["generate"]
    first, second = generate["devices"]
    assert (first["energy_source"], first["peak_memory_bytes"]) == ("counter", 2_000_000_000)
    assert telemetry["energy_j"] == pytest.approx(300 * generate["seconds"], rel=0.15)
    assert second["energy_j"] == pytest.approx(100 * generate["seconds"], rel=0.15)
    assert telemetry["idle_power_w"] == pytest.approx(300, rel=0.02)
    assert telemetry["energy_above_idle_j"] == pytest.approx(0, abs=0.15 * telemetry["energy_j"])
    assert telemetry["joules_per_completion"] == pytest.approx(telemetry["energy_j"] / 40)
    assert telemetry["joules_per_solved"] == telemetry["joules_per_completion"]
    assert record["score"]["score"] == 100.0
    assert "J per completion" in done.out
    phases = [tick["phase"] for tick in lines(only_run(tmp_path / "r") / "telemetry.jsonl")]
    assert list(dict.fromkeys(phases)) == ["baseline", "load", "generate", "stop"]


def test_a_card_that_is_lost_during_the_run_costs_its_figures_and_not_the_score(tmp_path, nvml):
    _, telemetry, record = run(tmp_path, {**nvml(CARDS + "error * 15 25\n"), "CUDA_VISIBLE_DEVICES": "1"})
    assert record["status"] == "succeeded"
    assert record["score"]["score"] == 100.0
    assert any("GPU-bbbb" in why for why in telemetry["not_comparable"])


@pytest.mark.servers
def test_a_card_that_hangs_during_the_run_is_told_and_the_run_goes_on(tmp_path, nvml):
    slow = command_server("canonical_server.py", "--delay", 0.3)  # it is told after a second of silence
    _, telemetry, record = run(
        tmp_path, {**nvml(CARDS + "hang PowerUsage 12\n"), "CUDA_VISIBLE_DEVICES": "1"}, slow
    )
    assert record["score"]["score"] == 100.0
    assert any("GPU-bbbb: no answer for" in why for why in telemetry["not_comparable"])


def test_a_card_that_answers_garbage_is_null_in_the_record(tmp_path, nvml):
    garbage = """\
card GPU-aaaa
memory -1 -1 0
power -1
energy -1 0
utilization -1 250
temperature -1
clocks -1 -1
reasons -1
limits -1 -1 -1
max_clocks -1 -1
link 0 -1 -1
"""
    _, telemetry, record = run(tmp_path, {**nvml(garbage), "CUDA_VISIBLE_DEVICES": "0"})
    assert record["score"]["score"] == 100.0
    (facts,), (use,) = telemetry["devices"], telemetry["phases"]["generate"]["devices"]
    assert {name for name, value in facts.items() if value is not None} == {
        "kind", "uuid", "index", "driver", "ecc", "cuda_version",
    }  # fmt: skip
    assert {name for name, value in use.items() if value} == {"uuid"}
    assert (telemetry["energy_j"], telemetry["peak_memory_bytes"]) == (None, None)


def announced_server(pid_file):
    """The options of a server that writes down its process id first, for the card to follow."""
    words = [sys.executable, str(PROGRAMS / "canonical_server.py"), "--delay", "0.02"]
    script = f"echo $$ > {shlex.quote(str(pid_file))}; exec {shlex.join(words)} --port $0"
    return ("--server-command", f"sh -c {shlex.quote(script)} {{port}}")


@pytest.mark.parametrize("named", [True, False])
def test_a_card_that_somebody_else_uses_is_marked_in_the_record_and_in_every_table(tmp_path, nvml, named):
    """Whether the driver names whose memory it is, or not, as in a container."""
    cards = CARDS.replace("80000000000 1000000000", "80000000000 24000000000")
    if named:
        cards += f"compute 1 24000000000\nfollow {tmp_path / 'pid'} 20000000000 0\n"
    server = announced_server(tmp_path / "pid")
    done, telemetry, record = run(tmp_path, {**nvml(cards), "CUDA_VISIBLE_DEVICES": "GPU-bbbb"}, server)
    assert telemetry["used"] == ["GPU-bbbb"]
    why = "30% of the memory of GPU-bbbb was used by other programs before the start"
    assert why in telemetry["not_comparable"]
    use = telemetry["phases"]["generate"]["devices"][1]
    assert use["others_peak_memory_bytes"] == (24_000_000_000 if named else None)
    assert f"not comparable  the speed: {why}" in done.out
    where = ("--results-dir", tmp_path / "r")
    assert why in bench_runner("show", record["run_id"], *where).out
    head, row = (line.split("\t") for line in bench_runner("list", *where).out.splitlines())
    assert "speed not comparable" in row[head.index("note")]


def test_the_memory_of_the_server_is_waited_for_after_its_end(tmp_path, nvml):
    """The driver gives it back seconds after the process is gone; until then the next server would lack it."""
    follow = f"follow {tmp_path / 'pid'} 20000000000 2\n"
    _, telemetry, _ = run(tmp_path, nvml(CARDS + follow), announced_server(tmp_path / "pid"))
    assert telemetry["used"] == ["GPU-bbbb"]
    assert telemetry["memory_left_bytes"] == 0
    use = telemetry["phases"]["generate"]["devices"][1]
    assert (use["peak_memory_bytes"], use["own_peak_memory_bytes"]) == (21_000_000_000, 20_000_000_000)
    ticks = lines(only_run(tmp_path / "r") / "telemetry.jsonl")
    held = [tick["devices"][1].get("memory_used_bytes") for tick in ticks if tick["phase"] == "stop"]
    assert held.count(21_000_000_000) >= 8
    assert held[-1] == 1_000_000_000


@pytest.mark.servers  # a real one, and two loads of it
def test_a_server_that_dies_in_mid_run_does_not_spoil_its_counters(tmp_path):
    """A real server: its successor counts from nought, and the record has what both did."""

    def generated():
        ticks = [tick for path in tmp_path.glob("*/telemetry.jsonl") for tick in lines(path)[:-1]]
        return max((tick.get("server", {}).get("generation_tokens", 0) for tick in ticks), default=0)

    def listens(process):
        return any(each.status == psutil.CONN_LISTEN for each in process.net_connections("tcp"))

    words = (
        "run",
        "--benchmark",
        "human_eval",
        "--limit",
        8,
        "--max-tokens",
        32,
        "--parallel",
        1,
        "--results-dir",
        tmp_path,
    )
    with subprocess.Popen(
        [PROGRAM, *map(str, words), "--", "-t", "1"], stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            # One answer is counted, which is more than the token that showed that the server is ready.
            wait_for(lambda: process.poll() is not None or generated() > 20, 60)
            before = generated()
            assert process.poll() is None, process.stderr.read()
            below = psutil.Process(process.pid).children(recursive=True)
            (server,) = [child for child in below if listens(child)]
            os.kill(server.pid, signal.SIGKILL)
            assert process.wait(90) == 0, process.stderr.read()
        finally:
            process.terminate()
    (record,) = logged(tmp_path)
    assert len(record["incidents"]) == 1
    ticks = lines(only_run(tmp_path) / "telemetry.jsonl")
    told = [tick["server"]["generation_tokens"] for tick in ticks if "server" in tick]
    assert told == sorted(told)
    assert told[-1] >= before + 32
