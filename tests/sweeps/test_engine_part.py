"""The manifest's `engine:` part and `--engine`: read with all its errors, kept as written, never with a secret."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import jsonschema
import pytest

from engines import registry
from results.errors import UsageError
from results.store.sweep_folder import EngineText
from runner.display import Lines
from sweeps.engine_choice import chosen_engine, hosts_as_written, make_chosen
from sweeps.manifest.reader import parse_manifest
from sweeps.manifest.schema import schema
from sweeps.plan import plan_runs
from sweeps.sweep import begin
from tests.command_line import bench_runner

RUNS = "matrix: {benchmark: human_eval, model: [a.gguf]}\n"


@pytest.fixture(autouse=True)
def example(monkeypatch):
    monkeypatch.setitem(registry.ENGINES, "slurm", "tests.sweeps.example_engine")
    monkeypatch.setitem(registry.ENGINES, "ssh", "tests.sweeps.example_engine")


def engine_of(text: str):
    return parse_manifest(RUNS + textwrap.dedent(text), form="yaml", name="sweep", folder=Path("/lab")).engine


def told(text: str) -> list[str]:
    with pytest.raises(UsageError) as caught:
        engine_of(text)
    return [line for line in caught.value.message.splitlines() if not line.endswith(" errors:")]


def test_an_engine_is_a_name_or_a_mapping_and_stays_as_written(monkeypatch):
    monkeypatch.setenv("QUEUE", "night")
    assert engine_of("") is None
    assert engine_of("engine: slurm") == EngineText(name="slurm")
    found = engine_of("engine: {name: slurm, partition: '${QUEUE}', nodes: 3, cards: [{name: L4}]}")
    assert found == EngineText(
        name="slurm", settings={"partition": "${QUEUE}", "nodes": 3, "cards": [{"name": "L4"}]}
    )
    made = make_chosen(found, Path("/lab"), Lines()).settings
    assert (made.partition, made.nodes, made.cards[0].name) == ("night", 3, "L4")


def test_all_that_is_wrong_is_told_with_its_line_and_field():
    assert told("engine: slrum") == ["sweep:2: engine: there is no such engine; did you mean slurm?"]
    assert told("engine: {partition: x}")[0].startswith("sweep:2: engine.name: is missing; one of local, ssh")
    assert told("engine: [slurm]")[0].startswith("sweep:2: engine: must be the name of an engine")
    assert told("engine: {name: local, nodes: 2}") == [
        "sweep:2: engine.nodes: this machine takes no settings"
    ]
    assert told(
        """\
        engine:
          name: slurm
          nodes: many
          partiton: x
          kind: c
          cards: [{}]
        """
    ) == [
        "sweep:4: engine.nodes: must be a whole number, not 'many'",
        "sweep:5: engine.partiton: is not a field of the format; did you mean partition?",
        "sweep:6: engine.kind: 'c' is not one of a, b",
        "sweep:7: engine.cards[0].name: is missing",
    ]


def test_a_variable_that_is_not_set_is_told_before_anything_starts(monkeypatch):
    monkeypatch.delenv("QUEUE", raising=False)
    (line,) = told("engine: {name: slurm, partition: '${QUEUE}'}")
    assert line.startswith("sweep:2: engine.partition: the environment variable QUEUE is not set")


@pytest.mark.parametrize(
    "setting",
    ["token: abcdefgh12345", "partition: 'x --api-key=abcdefgh12345'", "hosts: s3://me:pass1234@bucket"],
)
def test_no_secret_gets_into_the_sweeps_folder(setting):
    (line,) = told(f"engine: {{name: slurm, {setting}}}")
    assert "secret" in line
    assert "${NAME}" in line
    assert "pass1234" not in line
    assert "abcdefgh" not in line


def test_the_name_of_a_variable_is_no_secret(monkeypatch):
    monkeypatch.setenv("TOKEN_OF_LAB", "abcdefgh12345")
    assert engine_of("engine: {name: slurm, token: '${TOKEN_OF_LAB}'}").settings == {
        "token": "${TOKEN_OF_LAB}"
    }


def test_the_schema_knows_each_engine_and_its_settings():
    known = schema()
    base = {"matrix": {"benchmark": "human_eval"}}
    for good in ("local", "slurm", {"name": "slurm", "nodes": 2, "cards": [{"name": "L4"}]}):
        jsonschema.validate({**base, "engine": good}, known)
    for bad in ("slrum", {"name": "slurm", "node": 2}, {"nodes": 2}, {"name": "slurm", "nodes": "two"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**base, "engine": bad}, known)


def test_options_choose_over_the_manifest_and_keep_the_settings_of_the_same_engine():
    written = EngineText(name="slurm", settings={"partition": "x"})
    assert chosen_engine(None, {}, None) is None
    assert chosen_engine(None, {}, written) == written
    assert chosen_engine("slurm", {"nodes": 2}, written).settings == {"partition": "x", "nodes": 2}
    assert chosen_engine("ssh", {"hosts": "a,b"}, written) == EngineText(
        name="ssh", settings={"hosts": "a,b"}
    )
    assert chosen_engine("local", {}, written) is None
    with pytest.raises(UsageError, match="--results-store needs an engine"):
        chosen_engine(None, {"results_store": "s3://b"}, None)
    with pytest.raises(UsageError, match="--results-store is not for the engine slurm"):
        chosen_engine("slurm", {"results_store": "s3://b"}, None)


def test_a_file_of_hosts_means_the_same_in_another_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert hosts_as_written("hosts.yaml") == str(tmp_path / "hosts.yaml")
    assert hosts_as_written("a,b") == "a,b"
    named = EngineText(name="ssh", settings={"hosts": "hosts.yaml"})
    assert make_chosen(named, Path("/lab"), Lines()).settings.hosts == "/lab/hosts.yaml"


def test_a_sweep_keeps_its_engine(tmp_path):
    manifest = parse_manifest(
        RUNS + "engine: {name: slurm, partition: '${QUEUE:-day}'}\n",
        form="yaml",
        name="sweep",
        folder=tmp_path,
    )
    folder = begin(manifest, plan_runs(manifest), results_dir=tmp_path, engine=manifest.engine)
    assert folder.read().engine == EngineText(name="slurm", settings={"partition": "${QUEUE:-day}"})
    kept = json.loads((folder.path / "sweep.json").read_text())
    del kept["engine"]  # as an earlier version wrote it
    (folder.path / "sweep.json").write_text(json.dumps(kept))
    assert folder.read().engine is None


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--engine", "slrum"), "slrum"),
        (("--modal", "--engine", "ssh"), "--modal can't be combined with --engine ssh"),
        (("--hosts", "a", "--engine", "ray"), "--hosts is for --engine ssh, not for ray"),
        (("--results-store", "s3://b"), "--results-store needs an engine"),
    ],
)
def test_options_that_contradict_each_other_start_nothing(words, why, tmp_path):
    done = bench_runner("sweep", "--benchmark", "human_eval", *words, "--results-dir", tmp_path)
    assert done.code == 2
    assert why in done.err
    assert not list(tmp_path.iterdir())
