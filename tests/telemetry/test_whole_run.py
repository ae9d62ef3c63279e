"""A whole run on a machine with two cards: what its record says of energy and memory."""

from __future__ import annotations

import pytest

from tests.command_line import bench_runner, command_server, lines, logged, only_run

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


def run(tmp_path, environment):
    server = command_server("canonical_server.py", "--delay", 0.02)
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
    assert telemetry["idle_power_w"] == pytest.approx(300)
    assert telemetry["energy_above_idle_j"] == pytest.approx(0, abs=0.15 * telemetry["energy_j"])
    assert telemetry["joules_per_completion"] == pytest.approx(telemetry["energy_j"] / 40)
    assert telemetry["joules_per_solved"] == telemetry["joules_per_completion"]
    assert record["score"]["score"] == 100.0
    assert "J a completion" in done.out
    phases = [tick["phase"] for tick in lines(only_run(tmp_path / "r") / "telemetry.jsonl")]
    assert list(dict.fromkeys(phases)) == ["baseline", "load", "generate", "stop"]


def test_a_card_that_is_lost_during_the_run_costs_its_figures_and_not_the_score(tmp_path, nvml):
    _, telemetry, record = run(tmp_path, {**nvml(CARDS + "error * 15 25\n"), "CUDA_VISIBLE_DEVICES": "1"})
    assert record["status"] == "succeeded"
    assert record["score"]["score"] == 100.0
    assert any("GPU-bbbb" in why for why in telemetry["not_comparable"])
