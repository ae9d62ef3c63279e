"""A sweep on a machine with two cards: one run a card, and what spans both has both."""

from __future__ import annotations

import itertools
import json

import pytest

from tests.command_line import bench_runner, command_server, lines, logged
from tests.servers.gguf_file import STRING, gguf

CARDS = "driver 570.1\n" + "".join(
    f"card {uuid}\nname Card\nmemory 24000000000 100000000 0\npower 50000\nutilization 1 1\ntemperature 40\n"
    for uuid in ("GPU-aaaa", "GPU-bbbb")
)


@pytest.fixture(autouse=True)
def own_devices(tmp_path, monkeypatch):
    """Leases of devices are kept below $TMPDIR: tests at the same time wait for each other else."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))


def test_each_card_has_one_run_at_a_time(tmp_path, nvml):
    models = []
    for name in ("a", "b", "c"):
        models.append(tmp_path / f"{name}.gguf")
        models[-1].write_bytes(gguf({"general.name": (STRING, name)}))
    option, command = command_server("canonical_server.py", "--delay", 0.05)
    program = tmp_path / "serve.sh"
    program.write_text(
        f'#!/bin/sh\necho "visible $CUDA_VISIBLE_DEVICES"\nexec {command.replace("{port}", "$1")}\n'
    )
    program.chmod(0o755)
    results = tmp_path / "r"
    done = bench_runner(
        "sweep", *models, option, f"{program} {{port}}", "--benchmark", "human_eval", "--limit", 6,
        "--results-dir", results, env=nvml(CARDS),
    )  # fmt: skip
    assert done.code == 0, done.err
    records = logged(results)
    assert sorted(record["model"] for record in records) == ["a", "b", "c"]
    visible, spans = {}, []
    for record in records:
        folder = results / record["run_id"]
        visible[record["model"]] = (
            (folder / "server.log").read_text().splitlines()[0].removeprefix("visible ")
        )
        seconds = lines(folder / "telemetry.jsonl")[-1]["time_s"]
        end = (folder / "telemetry.jsonl").stat().st_mtime
        spans.append((visible[record["model"]], end - seconds, end))
    assert set(visible.values()) == {"GPU-aaaa", "GPU-bbbb"}, done.err
    by_card = sorted(spans)
    for (card, _, end), (next_card, start, _) in itertools.pairwise(by_card):
        assert card != next_card or start >= end - 0.5, "two runs at once on one card"
    assert "(1) " in done.err
    assert "(2) " in done.err
    assert json.loads((results / "benchmark_results.json").read_text())


def test_with_one_run_at_a_time_it_sees_all_cards(tmp_path, nvml):
    (tmp_path / "a.gguf").write_bytes(gguf())
    option, command = command_server("canonical_server.py")
    program = tmp_path / "serve.sh"
    program.write_text(
        f'#!/bin/sh\necho "visible $CUDA_VISIBLE_DEVICES"\nexec {command.replace("{port}", "$1")}\n'
    )
    program.chmod(0o755)
    done = bench_runner(
        "sweep", tmp_path / "a.gguf", option, f"{program} {{port}}", "--benchmark", "human_eval", "--limit", 1,
        "--max-concurrent", 1, "--results-dir", tmp_path / "r", env={**nvml(CARDS), "CUDA_VISIBLE_DEVICES": "0,1"},
    )  # fmt: skip
    assert done.code == 0, done.err
    (record,) = logged(tmp_path / "r")
    log = (tmp_path / "r" / record["run_id"] / "server.log").read_text()
    assert log.startswith("visible 0,1\n")
