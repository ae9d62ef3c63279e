"""Before a sweep starts it is said what will not work, what may not fit, and how long it may take."""

from __future__ import annotations

import dataclasses
import json
import re
import socket
import textwrap

import msgspec
import pytest

from results.records import Incident, ModelIdentity, Phases, RunRecord, RunStatus, Score
from results.telemetry import TelemetrySummary
from runner.machine import Gpu, Machine, this_machine
from sweeps.manifest.reader import parse_manifest
from sweeps.plan import plan_runs
from sweeps.preflight.checks import inspect, preflight
from sweeps.preflight.report import HEADER, duration, print_preflight, remarks
from tests.command_line import bench_runner
from tests.servers.gguf_file import STRING, U32, gguf
from tests.sweep_runs import TWO_CARDS

GIB = 1 << 30
ROOMY = Machine(
    memory_total_bytes=64 * GIB, memory_available_bytes=60 * GIB, gpus=(), disk_free_bytes=100 * GIB
)


@pytest.fixture
def folder(tmp_path):
    for name in ("a", "b"):
        pairs = {"general.name": (STRING, name), "llama.context_length": (U32, 1 << 20)}
        (tmp_path / f"{name}.gguf").write_bytes(gguf(pairs))
    (tmp_path / "torn.gguf").write_bytes(gguf()[:-40])
    server = tmp_path / "llama-server"  # only its being there counts: nothing is started
    server.write_text("#!/bin/sh\n")
    server.chmod(0o755)
    return tmp_path


def plan(text: str, folder):
    manifest = parse_manifest(textwrap.dedent(text), form="yaml", name="sweep", folder=folder)
    return plan_runs(manifest)


def machine(*free_gib: float, **changes) -> Machine:
    gpus = tuple(Gpu(f"card {index}", 24 * GIB, round(free * GIB)) for index, free in enumerate(free_gib))
    return dataclasses.replace(ROOMY, gpus=gpus, **changes)


def texts(report) -> list[str]:
    return [text for _, text in remarks(report)]


def past(folder, **changes) -> RunRecord:
    """An earlier run: 10 completions in 100 s and 5 s for the rest, its server up in 3 s."""
    record = RunRecord(
        run_id="20260101T000000Z-human_eval-a-0001",
        timestamp="2026-01-01T00:00:00+00:00",
        status=RunStatus.SUCCEEDED,
        benchmark="human_eval",
        model="a",
        config={"limit": 10, "parallel": 4},
        score=Score(score=50.0, samples=10, completions=10),
        phases=Phases(load_s=3.0, script_s=105.0, generate_s=100.0),
        model_identity=ModelIdentity(
            name="a", path=str(folder / "a.gguf"), size_bytes=(folder / "a.gguf").stat().st_size
        ),
    )
    return msgspec.structs.replace(record, **changes)


def test_a_plan_that_fits_has_nothing_to_say(folder):
    report = inspect(plan("matrix: {benchmark: human_eval, model: [a.gguf, b.gguf]}", folder), machine=ROOMY)
    assert report.ok
    assert [need.fits for need in report.needs] == ["yes", "yes"]
    assert all(need.host_bytes > 256 << 20 and need.gpu_bytes == 0 for need in report.needs)
    (total,) = texts(report)
    assert total.startswith("total: 2 runs on 2 servers; time unknown")
    assert re.search(r"; up to \d+\.\d [kM]B of results, 100 GiB free$", total)


def test_broken_and_missing_models_are_errors_of_their_runs(folder):
    report = inspect(
        plan("matrix: {benchmark: human_eval, model: [torn.gguf, gone.gguf, a.gguf], limit: [1, 2]}", folder),
        machine=ROOMY,
    )
    assert not report.ok
    assert [need.fits for need in report.needs] == ["no"] * 4 + ["yes"] * 2
    torn, gone = texts(report)[:2]
    assert torn.startswith("error: runs 1, 2: ")
    assert "truncated" in torn
    assert gone.startswith("error: runs 3, 4: there is no model")


def test_a_model_goes_where_it_fits_and_spans_cards_where_it_must(folder):
    """Estimates are of a real file's arithmetic; the context makes this tiny model large."""
    text = (
        "runs: [{{benchmark: human_eval, model: a.gguf, gpu_layers: -1, parallel: {}, ctx_size: 1000000, "
        "server_binary: ./llama-server}}]"
    )
    cases = (
        (16, (20,), 1, "yes"),
        (160, (20, 20), 2, "yes"),
        (96, (8,), None, "no"),
    )
    for slots, free, cards, fits in cases:
        report = inspect(plan(text.format(slots), folder), machine=machine(*free))
        (need,) = report.needs
        assert (need.cards, need.fits) == (cards, fits), (slots, need.gpu_bytes / GIB)
        assert report.ok  # it is an estimate
        assert len(report.findings) == (cards != 1)


def test_layers_on_a_gpu_that_is_not_there_are_warned_of(folder):
    report = inspect(
        plan("runs: [{benchmark: human_eval, model: a.gguf, gpu_layers: 80}]", folder), machine=ROOMY
    )
    assert texts(report)[0] == "warning: run 1: asks for 80 layers on a GPU, but no usable GPU was found"
    assert report.needs[0].gpu_bytes == 0


def test_llama_cpp_chooses_the_layers_where_none_are_asked_for(folder):
    text = (
        "runs: [{benchmark: human_eval, model: a.gguf, parallel: 16, ctx_size: 1000000, "
        "server_binary: ./llama-server}]"
    )
    report = inspect(plan(text, folder), machine=machine(0.6))
    assert report.needs[0].fits == "yes"
    assert texts(report)[0] == "warning: run 1: not all layers fit on the GPU: llama.cpp will choose how many"


def test_too_little_memory_and_disk_are_told(folder):
    planned = plan("runs: [{benchmark: human_eval, model: a.gguf, limit: 100}]", folder)
    report = inspect(planned, machine=machine(memory_available_bytes=GIB // 8, disk_free_bytes=65 << 20))
    assert report.needs[0].fits == "no"
    assert texts(report)[0].startswith("warning: run 1: needs about 0.3 GiB of memory, but 0.1 GiB are")
    assert inspect(planned, machine=machine(disk_free_bytes=65 << 20)).ok
    full = inspect(planned, machine=machine(disk_free_bytes=1 << 20))
    assert texts(full)[0] == "error: the disk of the results is full"


def test_a_full_card_is_full(folder):
    """0 bytes free are not "unknown"."""
    text = "runs: [{benchmark: human_eval, model: a.gguf, gpu_layers: -1, server_binary: ./llama-server}]"
    report = inspect(plan(text, folder), machine=machine(0, 0))
    assert report.needs[0].fits == "no"
    assert texts(report)[0].endswith("GiB on the GPU, but 0.0 GiB are free")
    untold = dataclasses.replace(ROOMY, gpus=(Gpu("card", 24 * GIB, None),))
    assert inspect(plan(text, folder), machine=untold).needs[0].fits == "yes"


def test_a_gpu_that_shares_the_host_s_memory_is_a_gpu(folder):
    text = (
        "runs: [{benchmark: human_eval, model: a.gguf, gpu_layers: 80, parallel: %d, ctx_size: 1000000, "
        "server_binary: ./llama-server}]"
    )
    shared = dataclasses.replace(ROOMY, gpus=(Gpu("NVIDIA GB10", 64 * GIB, 60 * GIB, shares_host=True),))
    report = inspect(plan(text % 16, folder), machine=shared)
    (need,) = report.needs
    assert (need.fits, need.cards) == ("yes", 1)
    assert need.gpu_bytes > GIB
    notes = [line for line in texts(report) if "memory of its own" in line]
    assert notes == ["note: NVIDIA GB10 reports no memory of its own; it is assumed to share the host's"]
    for slots, available in ((400, 60), (160, 20)):  # what the GPU takes, the host has no more
        less = dataclasses.replace(shared, memory_available_bytes=available * GIB)
        report = inspect(plan(text % slots, folder), machine=less)
        assert report.needs[0].fits == "no"
        assert any("are available, which the GPU shares" in line for line in texts(report))


@pytest.mark.parametrize("memory", ["", "memory 0 0 0\n"], ids=["says nothing", "says 0"])
def test_a_driver_that_tells_of_no_memory_still_has_a_gpu(folder, nvml, memory):
    card = f"driver 580.95\ncard GPU-gb10\nname NVIDIA GB10\n{memory}power 11170\nutilization 7 0\n"
    done = bench_runner(
        "sweep", folder / "a.gguf", "--benchmark", "human_eval", "--gpu-layers", 80,
        "--server-binary", folder / "llama-server", "--results-dir", folder / "r", "--dry-run", "--json",
        env=nvml(card),
    )  # fmt: skip
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert (report["needs"][0]["fits"], report["needs"][0]["cards"]) == ("yes", 1)
    assert report["findings"] == []


def test_only_the_cards_that_a_server_will_see_count(folder, nvml):
    hidden = {**nvml(TWO_CARDS), "CUDA_VISIBLE_DEVICES": "-1"}
    words = (folder / "a.gguf", "--benchmark", "human_eval", "--server-binary", folder / "llama-server")
    words = ("sweep", *words, "--gpu-layers", 80, "--results-dir", folder / "r", "--dry-run")
    assert "no usable GPU was found" in bench_runner(*words, env=hidden).out
    assert "no usable GPU was found" not in bench_runner(*words, env=nvml(TWO_CARDS)).out


def test_a_context_beyond_the_training_is_warned_of(folder):
    (folder / "short.gguf").write_bytes(gguf({"llama.context_length": (U32, 2048)}))
    text = "matrix: {benchmark: human_eval, model: short.gguf, ctx_size: [2048, 65536]}"
    report = inspect(plan(text, folder), machine=ROOMY)
    assert texts(report)[0] == (
        "warning: run 2: asks for 65,536 tokens of context, but the model was trained on 2,048"
    )
    assert [need.fits for need in report.needs] == ["yes", "untrained"]
    (folder / "hf").mkdir()
    (folder / "hf" / "config.json").write_text('{"max_position_embeddings": 8192}')
    text = "runs: [{benchmark: human_eval, server: vllm, server_binary: ./llama-server, model: ./hf, ctx_size: 9000}]"
    assert any("trained on 8,192" in line for line in texts(inspect(plan(text, folder), machine=ROOMY)))


def test_vllm_takes_its_share_of_each_card(folder):
    (folder / "hf").mkdir()
    (folder / "hf" / "config.json").write_text("{}")
    with (folder / "hf" / "model.safetensors").open("wb") as file:
        file.truncate(30 * GIB)  # a hole: takes no room
    text = (
        "runs: [{benchmark: human_eval, server: vllm, server_binary: ./llama-server, model: ./hf, "
        "tensor_parallel_size: %d, gpu_memory_utilization: 0.8}]"
    )
    one, two = (inspect(plan(text % count, folder), machine=machine(24, 10)) for count in (1, 2))
    assert texts(one)[0] == (
        "warning: run 1: the weights alone need 30.0 GiB, but vLLM's share of the cards is 19.2 GiB"
    )
    assert texts(two)[0] == "warning: run 1: vLLM will need 19.2 GiB of card 1, but 10.0 GiB are free"
    three = inspect(plan(text % 3, folder), machine=machine(24, 24))
    assert texts(three)[0] == "warning: run 1: asks for 3 cards, but there are 2"


def test_ports_that_are_taken_or_asked_for_twice_are_told(folder):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        text = f"matrix: {{benchmark: human_eval, model: [a.gguf, b.gguf], port: {port}}}"
        report = inspect(plan(text, folder), machine=ROOMY)
        assert not report.ok
        assert texts(report)[0].startswith(f"error: run 1: port {port} is in use by process ")
    assert inspect(plan(text, folder), machine=ROOMY).ok
    assert texts(inspect(plan(text, folder), machine=ROOMY))[0] == (
        f"warning: run 1: port {port} is requested by 2 servers, so they can't run at the same time"
    )


def test_a_server_that_should_run_already_is_asked_for(folder):
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        planned = plan(f"runs: [{{benchmark: human_eval, base_url: '{url}'}}]", folder)
        assert inspect(planned, machine=ROOMY).ok
    report = inspect(planned, machine=ROOMY)
    assert texts(report)[0] == f"error: run 1: nothing answers at {url}"


def test_time_is_judged_by_the_same_model_then_by_size(folder):
    """The load counts once a server; a full run's samples are known from an earlier one without a limit."""
    planned = plan(
        """\
        matrix:
          benchmark: human_eval
          model: [a.gguf, b.gguf]
          limit: [20, null]
        """,
        folder,
    )
    unknown = inspect(planned, machine=ROOMY, history=[past(folder)])
    assert [need.expected_s for need in unknown.needs] == [208.0, None, pytest.approx(208.0), None]
    assert unknown.unknown == 2
    whole = past(folder, config={}, score=Score(score=1.0, samples=100, completions=100))
    report = inspect(planned, machine=ROOMY, history=[past(folder), whole])
    assert report.needs[1].expected_because.startswith("as in 2026")
    assert report.needs[3].expected_because == "by size, from 2 runs of other models or settings"
    assert all(need.expected_s for need in report.needs)
    assert report.expected_s == pytest.approx(sum(need.expected_s for need in report.needs))


def test_a_run_that_had_all_answers_already_tells_that_generating_took_nothing(folder):
    planned = plan("runs: [{benchmark: human_eval, model: a.gguf, limit: 20}]", folder)
    earlier = past(folder, phases=Phases(load_s=3.0, script_s=105.0, generate_s=0.0))
    assert inspect(planned, machine=ROOMY, history=[earlier]).expected_s == 105.0 + 3.0


def test_one_answer_alone_tells_the_time_of_all_slots(folder):
    """A trial with --limit 1 on four slots: four answers at once would have taken as long."""
    planned = plan("matrix: {benchmark: human_eval, model: a.gguf, limit: [1, 4, 20]}", folder)
    trial = past(folder, score=Score(score=1.0, samples=1, completions=1))
    needs = inspect(planned, machine=ROOMY, history=[trial]).needs
    assert [need.expected_s for need in needs] == [108.0, 105.0, 505.0]  # one server, started once


@pytest.mark.parametrize(
    "changes",
    [
        {"status": RunStatus.FAILED},
        {"benchmark": "other"},
        {"score": None},
        {"phases": Phases()},
        {"resumed": 1},
        {"rejudged_from": "20260101T000000Z-human_eval-a-0000"},
        {"incidents": (Incident(time="2026-01-01T00:00:00+00:00", what="the server died"),)},
        {"telemetry": TelemetrySummary(not_comparable=("other work used 1.9 of 2 processors",))},
        {"config": {"limit": 10, "max_tokens": 4000}},
        {
            "model": "other",
            "model_identity": ModelIdentity(name="other", size_bytes=9),
            "config": {"gpu_layers": 0},
        },
        {
            "model": "other",
            "model_identity": ModelIdentity(name="other", size_bytes=9),
            "config": {"server": "vllm"},
        },
    ],
)
def test_runs_that_tell_nothing_of_the_time_are_left_out(folder, changes):
    planned = plan("runs: [{benchmark: human_eval, model: a.gguf, limit: 5}]", folder)
    report = inspect(planned, machine=ROOMY, history=[past(folder, **changes)])
    assert report.expected_s is None


def test_what_is_done_already_needs_nothing(folder):
    planned = plan("matrix: {benchmark: human_eval, model: [a.gguf, b.gguf], limit: 5, port: 8099}", folder)
    report = inspect(planned, machine=ROOMY, history=[past(folder)], done={planned.runs[0].fingerprint})
    assert [need.done for need in report.needs] == [True, False]
    assert report.servers == 1
    assert texts(report)[-1].startswith("total: 1 runs on 1 servers, 1 already done; about 58 s")


def test_this_machine_tells_its_facts_and_the_log_is_read(folder):
    found = this_machine(folder / "not" / "there")
    assert 0 < found.memory_available_bytes <= found.memory_total_bytes
    assert found.disk_free_bytes > 0
    planned = plan("runs: [{benchmark: human_eval, model: a.gguf, limit: 5}]", folder)
    report = preflight(planned, results_dir=folder / "results")
    assert report.expected_s is None
    assert not (folder / "results").exists()


def test_piped_it_is_lines_with_tabs_and_json_is_whole(folder, capsys):
    report = inspect(plan("runs: [{benchmark: human_eval, model: a.gguf}]", folder), machine=ROOMY)
    print_preflight(report)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split("\t") == list(HEADER)
    assert lines[1].split("\t") == ["1", "a human_eval", "1", "-", "0", "0.3 GiB", "yes", "?"]
    print_preflight(report, as_json=True)
    document = json.loads(capsys.readouterr().out)
    assert document["ok"] is True
    assert document["needs"][0]["host_bytes"] == report.needs[0].host_bytes


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (89, "89 s"), (90, "2 min"), (5340, "89 min"), (11100, "3 h 05 min")]
)
def test_durations_are_readable(seconds, text):
    assert duration(seconds) == text


def test_a_baseline_of_speed_that_is_not_there_is_warned_of(folder):
    """Over night each run would lack its speed, and say so one by one."""
    found = preflight(
        plan(
            """
            defaults: {benchmark: human_eval, server: llama.cpp, server_binary: ./llama-server, speed_baseline: basline}
            matrix: {model: [a.gguf, b.gguf]}
            """,
            folder,
        ),
        results_dir=folder / "results",
    )
    (said,) = [text for text in texts(found) if "basline" in text]
    assert "the speed of these 2 runs will be unknown" in said
    assert found.ok
