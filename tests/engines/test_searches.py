"""Searches of a better prompt, and composite scores, on engines over two nodes: they come to what they come to here."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections import Counter

import pytest

from results.store.attempts import Attempts
from results.store.sweep_folder import all_sweeps
from tests.command_line import PROGRAM, bench_runner, command_server, lines, logged, wait_for
from tests.engines.killed_machines import NODES, left_after_s, machines_of
from tests.engines.ray_cluster import RAY
from tests.evaluation.reference import GSM8K

pytestmark = pytest.mark.engines
SECRET = "sk-that-nobody-may-see"
FOUND = (
    "prompt_sha256",
    "seed_sha256",
    "gain",
    "validation_seed",
    "validation_score",
    "candidates",
    "stopped",
)
PARTS = ("quality", "correctness")  # the others are measured
NEEDS_RAY = pytest.mark.skipif(not RAY.exists(), reason="Ray is not installed: see `make test-engines`")


def write_manifest(folder, **engine):
    """A search whose seed prompt is a file, and a run with a composite score."""
    seed = folder / "seed.json"
    seed.write_text(json.dumps({"prompt": {"instruction": "Think first."}}))
    knows = command_server("reference_server.py", "--wrong-every", 3, "--delay", 0.1)[1]
    solves = command_server("canonical_server.py", "--wrong", 0.4, "--salt", "m")[1]
    search = {
        "benchmark": "gsm8k", "dataset": str(GSM8K), "server_command": knows, "optimizer": "few_shot",
        "optimizer_prompt_params": {"max_trials": 3}, "prompt": str(seed), "max_calls": 300,
    }  # fmt: skip
    scored = {"benchmark": "human_eval", "limit": 3, "server_command": solves, "scoring": True}
    manifest = {"defaults": {"parallel": 2, "prompt_style": "chat"}, "runs": [search, scored]}
    path = folder / "sweep.json"
    path.write_text(json.dumps({**manifest, **({"engine": engine} if engine else {})}))
    return path


def found(results):
    """What may not differ between engines: of the search, its prompt, and the composite's parts."""
    records = {record["benchmark"]: record for record in logged(results)}
    search, scored = records["gsm8k"], records["human_eval"]
    assert {record["status"] for record in records.values()} == {"succeeded"}
    end = search["score"]["details"]["optimise"]
    prompt = json.loads((results / search["run_id"] / "prompt.json").read_text())
    assert prompt["lineage"]["run_id"] == search["run_id"]
    parts = scored["composite"]["parts"]
    return (
        {name: end[name] for name in FOUND},
        (prompt["prompt"], prompt["gain"], prompt["lineage"]["parents"]),
        {name: part["value"] for name, part in parts.items() if name in PARTS},
        {name for name, part in parts.items() if part["value"] is not None},
    )


def journal(results):
    """The whole lines of the search that have come back of an attempt that has no end."""
    for sweep in all_sweeps(results):
        for run in Attempts(sweep.path).live_runs():
            with contextlib.suppress(FileNotFoundError):
                return (run.path / "evaluations.jsonl").read_bytes().rpartition(b"\n")[0]
    return b""


@pytest.fixture(scope="module")
def found_here(tmp_path_factory):
    folder = tmp_path_factory.mktemp("local")
    done = bench_runner("sweep", write_manifest(folder), "--results-dir", folder / "results")
    assert done.code == 0, done.err
    return found(folder / "results")


@pytest.mark.parametrize(
    ("engine", "kills"),
    [
        ("ssh", ("program", "coordinator")),
        ("slurm", ("program", "coordinator")),
        pytest.param("ray", ("coordinator",), marks=NEEDS_RAY),
    ],
)
@pytest.mark.timeout(400)
def test_a_killed_search_finds_what_it_finds_here_and_asks_nothing_again(engine, kills, found_here, tmp_path):
    results, said = tmp_path / "results", tmp_path / "said.log"
    came = b""
    with machines_of(engine, tmp_path) as machines:
        manifest = write_manifest(tmp_path, **machines.settings)
        env = {**os.environ, **machines.environment, "OPENAI_API_KEY": SECRET}

        def started(*words):
            with said.open("ab") as log:
                return subprocess.Popen(
                    [PROGRAM, "sweep", *map(str, words), "--results-dir", results],
                    stdout=log,
                    stderr=log,
                    env=env,
                )

        def more_came(before):
            now = journal(results)
            return now if now.count(b'"outcome"') >= before.count(b'"outcome"') + 4 else b""

        process = started(manifest)
        try:
            for kill in kills:
                came = wait_for(lambda: more_came(came), 100)  # noqa: B023 - waited for here
                if kill == "program":
                    for place in NODES if engine == "ssh" else [""]:
                        machines.program(place)
                else:
                    process.kill()
                    process.wait()
                    process = started("--resume", "last")
            assert process.wait(200) == 0, said.read_text()
        finally:
            process.kill()
            process.wait()
        left_after_s(machines, 60)
    assert found(results) == found_here
    (run,) = [record["run_id"] for record in logged(results) if record["benchmark"] == "gsm8k"]
    kept = results / run / "evaluations.jsonl"
    assert kept.read_bytes().startswith(came)
    asked = Counter((line["prompt"], line["item"]) for line in lines(kept) if line["type"] == "outcome")
    assert set(asked.values()) == {1}
    shown = bench_runner("status", "last", "--results-dir", results).out
    assert "2 runs: 2 succeeded" in shown
    assert "no gain" in shown
    assert "on 10 test samples" in bench_runner("show", run, "--results-dir", results).out
    written = [path for path in tmp_path.rglob("*") if path.is_file() and not path.is_symlink()]
    assert not [path for path in written if SECRET.encode() in path.read_bytes()]
