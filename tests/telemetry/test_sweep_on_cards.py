"""A sweep on a machine with two cards: one run a card, what spans both has both, and no worker's end is the others'."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command_line import PROGRAM, PROGRAMS, bench_runner, command_server, lines, logged, wait_for
from tests.servers.gguf_file import STRING, gguf
from tests.sweep_runs import TWO_CARDS, models, own_devices, resume, server, status, sweep

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_devices")]
__all__ = ["own_devices"]


def telling_server(folder, *options):
    """One whose log begins with the cards that it sees."""
    option, command = command_server("canonical_server.py", *options)
    program = folder / "serve.sh"
    program.write_text(
        '#!/bin/sh\necho "visible ${HIP_VISIBLE_DEVICES:-$CUDA_VISIBLE_DEVICES}"\n'
        f"exec {command.replace('{port}', '$1')}\n"
    )
    program.chmod(0o755)
    return option, f"{program} {{port}}"


def test_each_card_has_one_run_at_a_time(tmp_path, nvml):
    results = tmp_path / "r"
    files = models(tmp_path / "m", "a", "b", "c")
    done = sweep(
        results, *files, *telling_server(tmp_path, "--delay", 0.05), "--limit", 6, env=nvml(TWO_CARDS)
    )
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


# A machine with AMD's driver and two of its cards, which do not tell whose memory they hold.
AMD_MACHINE = """
import pathlib
exists = pathlib.Path.exists
pathlib.Path.exists = lambda path, **more: str(path) == "/sys/module/amdgpu" or exists(path, **more)
"""
AMDSMI = """
class AmdSmiException(Exception): pass
class AmdSmiTemperatureType: EDGE, HOTSPOT = 0, 1
class AmdSmiTemperatureMetric: CURRENT = 0
class AmdSmiClkType: GFX, MEM = 1, 4
def amdsmi_init(): pass
def amdsmi_shut_down(): pass
def amdsmi_get_processor_handles(): return [0, 1]
def amdsmi_get_gpu_device_uuid(card): return f"{card}1ff74a1-0000-1000-80e3-d4d3ee7dd3b{card}"
def amdsmi_get_gpu_vram_usage(card): return {"vram_total": 24000, "vram_used": 100}
def amdsmi_get_power_info(card): return {"socket_power": 100}
def __getattr__(name):
    if not name.startswith("amdsmi_get_"): raise AttributeError(name)
    return lambda *_: {}
"""


def test_each_of_amd_s_cards_has_one_run_and_its_energy_is_that_run_s_alone(tmp_path):
    """Whose a card is that names no process is known by what the run's server was shown."""
    results, machine = tmp_path / "r", tmp_path / "machine"
    machine.mkdir()
    (machine / "sitecustomize.py").write_text(AMD_MACHINE)
    (machine / "amdsmi.py").write_text(AMDSMI)
    done = sweep(
        results, *models(tmp_path / "m", "a", "b"), *telling_server(tmp_path, "--delay", 0.05), "--limit", 6,
        env={"PYTHONPATH": str(machine), "CUDA_VISIBLE_DEVICES": ""},
    )  # fmt: skip
    assert done.code == 0, done.err
    shown = {}
    for record in logged(results):
        (uuid,) = record["telemetry"]["used"]
        log = (results / record["run_id"] / "server.log").read_text()
        shown[uuid[0]] = log.splitlines()[0].removeprefix("visible ")
    assert shown == {"0": "0", "1": "1"}


def test_with_one_run_at_a_time_it_sees_all_cards(tmp_path, nvml):
    results = tmp_path / "r"
    done = sweep(
        results, *models(tmp_path / "m", "a"), *telling_server(tmp_path), "--limit", 1, "--max-concurrent", 1,
        env={**nvml(TWO_CARDS), "CUDA_VISIBLE_DEVICES": "0,1"},
    )  # fmt: skip
    assert done.code == 0, done.err
    (record,) = logged(results)
    log = (results / record["run_id"] / "server.log").read_text()
    assert log.startswith("visible 0,1\n")


def llama_server(path, *, removes=None):
    """One that answers for any model; its start removes another one."""
    remove = f"rm -f {removes}" if removes else ":"
    path.write_text(
        "#!/bin/sh\n"
        'for word; do [ "$before" = --port ] && port=$word; [ "$before" = --alias ] && name=$word; before=$word; done\n'
        f'[ -n "$port" ] && {remove}\n'
        f'exec {sys.executable} {PROGRAMS}/canonical_server.py --port "$port" --name "$name"\n'
    )
    path.chmod(0o755)


@pytest.mark.servers
def test_a_binary_that_goes_away_costs_its_own_runs(tmp_path, nvml):
    """Cards are leased by what a server needs, which its binary tells too."""
    results = tmp_path / "r"
    models(tmp_path / "m", "a", "b")
    llama_server(tmp_path / "one", removes=tmp_path / "two")
    llama_server(tmp_path / "two")
    manifest = tmp_path / "m.yaml"
    manifest.write_text(
        "defaults: {benchmark: human_eval, limit: 2, parallel: 2}\n"
        "matrix: {model: [m/a.gguf, m/b.gguf], server_binary: [./one, ./two]}\n"
    )
    done = bench_runner("sweep", manifest, "--results-dir", results, env=nvml(TWO_CARDS))
    assert done.code == 7, done.err
    outcomes = {record["sweep"]["label"]: (record["status"], record["error"]) for record in logged(results)}
    assert len(outcomes) == 4
    for model in "ab":
        assert outcomes[f"{model} human_eval server_binary=one"] == ("succeeded", None)
    status, error = outcomes["b human_eval server_binary=two"]
    assert status == "failed"
    assert "two: no such program" in error["message"]


@pytest.fixture
def slow_sweep(tmp_path, nvml):
    """One in progress on two cards, with completions of both on disk: its process, its results, its environment.

    Its answers are slow, so that it is not done before something happens to it.
    """
    results, environment = tmp_path / "r", nvml(TWO_CARDS)
    words = [*models(tmp_path / "m", "a", "b", "c"), *server(None, "--delay", 0.5)]
    process = subprocess.Popen(
        [PROGRAM, "sweep", *map(str, words), "--benchmark", "human_eval", "--limit", "20",
         "--results-dir", str(results)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment,
    )  # fmt: skip
    wait_for(
        lambda: sum(path.stat().st_size > 0 for path in results.glob("*/completions.jsonl")) == 2, seconds=40
    )
    return process, results, environment


def workers(process):
    """The processes of its lanes."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
                session = (entry / "environ").read_bytes()
            except OSError:
                continue
            if b"sweeps.lane_worker" in command and f"BENCH_PROCESS_TREE={process.pid}-".encode() in session:
                found.append(int(entry.name))
    return found


ALL_DONE = {f"{name} human_eval": "succeeded" for name in "abc"}


@pytest.mark.servers
def test_a_worker_that_is_killed_leaves_its_run_to_the_others(slow_sweep):
    process, results, _ = slow_sweep
    os.kill(workers(process)[0], signal.SIGKILL)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0, out.decode()
    assert b"killed by SIGKILL; see lane-" in out
    assert status(results) == ALL_DONE


@pytest.mark.servers
def test_cancel_ends_all_workers_in_order_and_resume_finishes(slow_sweep):
    process, results, environment = slow_sweep
    assert bench_runner("cancel", "last", "--results-dir", results).code == 0
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 143, out.decode()
    assert {record["status"] for record in logged(results)} == {"interrupted"}
    assert len(logged(results)) == 2
    done = resume(results, env=environment)
    assert done.code == 0, done.err
    assert status(results) == ALL_DONE


def test_quantisations_on_two_cards_are_asked_in_the_style_that_one_of_them_decided(tmp_path, nvml):
    """Both begin at once, in processes of their own; each would decide by itself otherwise."""
    results, folder = tmp_path / "r", tmp_path / "m"
    folder.mkdir()
    names = {name: {"general.name": (STRING, f"Small 1B {name}")} for name in ("Q4_0", "Q8_0")}
    files = [folder / f"{name}.gguf" for name in names]
    for path, pairs in zip(files, names.values(), strict=True):
        path.write_bytes(gguf(pairs))
    done = sweep(results, *files, *telling_server(tmp_path), "--limit", 2, env=nvml(TWO_CARDS))
    assert done.code == 0, done.err
    told = {record["run_id"]: record["config"]["family_style"] for record in logged(results)}
    assert len(told) == 2
    deciders = {style["run_id"] for style in told.values()}
    assert len(deciders) == 1, "one of them decided"
    assert deciders <= told.keys()
