"""What tests of sweeps share: models that are none, a server that answers for them, and a machine of their own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.command_line import bench_runner, command_server, lines, logged
from tests.servers.gguf_file import STRING, gguf

if TYPE_CHECKING:
    from pathlib import Path

TWO_CARDS = "driver 570.1\n" + "".join(
    f"card {uuid}\nname Card\nmemory 24000000000 100000000 0\npower 50000\nutilization 1 1\ntemperature 40\n"
    for uuid in ("GPU-aaaa", "GPU-bbbb")
)


@pytest.fixture
def own_devices(tmp_path, monkeypatch):
    """Leases of devices are kept below $TMPDIR: tests at the same time wait for each other else."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))


def models(folder: Path, *names: str) -> list[Path]:
    """Files that differ, for servers that only look at the name."""
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / f"{name}.gguf").write_bytes(gguf({"general.name": (STRING, name)}))
    return [folder / f"{name}.gguf" for name in names]


def server(answered: Path | None = None, *options: object) -> tuple[str, ...]:
    """One that answers some problems wrongly, which ones depends on the model. answered: see canonical_server.py."""
    words = ("--wrong", 0.4, "--salt", "{model}", *(("--answered", answered) if answered else ()), *options)
    option, command = command_server("canonical_server.py", *words)
    return option, command.replace("'{model}'", "{model}")


def sweep(results, *words, timeout=100, env=None):
    words = ("sweep", *words, "--benchmark", "human_eval", "--results-dir", results)
    return bench_runner(*words, timeout=timeout, env=env)


def resume(results, *words, env=None):
    return bench_runner("sweep", "--resume", "last", *words, "--results-dir", results, env=env)


def status(results) -> dict[str, str]:
    """Of each planned run, by its label."""
    shown = bench_runner("status", "last", "--results-dir", results).out.splitlines()
    return {row.split("\t")[0]: row.split("\t")[1] for row in shown[2:]}


def scores(results):
    """What came out, by run: without anything that may differ from time to time."""
    found = {}
    for record in logged(results):
        if record["status"] == "succeeded":
            answers = {
                (line["task_id"], line.get("index", 0)): line["outcome"]
                for line in lines(results / record["run_id"] / "completions.jsonl")
            }
            found[record["sweep"]["label"]] = (record["results"]["score"], answers)
    return found


def stored(results) -> set[str]:
    """Whole lines on disk, as the server's log names them."""
    found = set()
    for path in results.glob("*/completions.jsonl"):
        model = json.loads((path.parent / "run.json").read_text())["config"]["path"]
        whole = path.read_bytes().rpartition(b"\n")[0].decode().splitlines()
        found |= {f"{model} {json.loads(line)['task_id']}" for line in whole}
    return found
