"""A run of a suite is known by the content of its file, and of the files that it names."""

from __future__ import annotations

from pathlib import Path

import pytest

from results.errors import UsageError
from runner.fingerprint import fingerprint
from runner.request import build_spec
from runner.script.command import Target, script_command
from settings.asked import Asked
from settings.benchmarks import BENCHMARKS, asked_name, get_benchmark, recorded_benchmark
from settings.suites import shipped_suites, suite_facts
from sweeps.manifest.reader import parse_manifest

SUITE = """\
name: mine
version: "3"
about: A.
licence: none
data: {file: rows.jsonl}
prompt: "{{ q }}"
answer: {kind: exact, correct: q}
metrics: [own.metric]
"""


@pytest.fixture
def suite(tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"q": "a"}\n')
    (tmp_path / "own.py").write_text("def metric(answer, expected, row):\n    return 1\n")
    (tmp_path / "mine.yaml").write_text(SUITE)
    return tmp_path / "mine.yaml"


def _spec(path: Path):
    return build_spec(Asked({"benchmark": str(path), "base_url": "http://127.0.0.1:9", "model": "m"}))


def test_every_file_of_a_suite_determines_its_runs_and_its_place_does_not(suite, tmp_path):
    before = fingerprint(_spec(suite))
    for name, text in (
        ("mine.yaml", SUITE.replace("{{ q }}", "{{ q }}?")),
        ("rows.jsonl", '{"q": "b"}\n'),
        ("own.py", "def metric(answer, expected, row):\n    return 0\n"),
    ):
        kept = (tmp_path / name).read_text()
        (tmp_path / name).write_text(text)
        assert fingerprint(_spec(suite)) != before, name
        (tmp_path / name).write_text(kept)
    elsewhere = tmp_path / "moved"
    elsewhere.mkdir()
    for name in ("mine.yaml", "rows.jsonl", "own.py"):
        (tmp_path / name).rename(elsewhere / name)
    assert fingerprint(_spec(elsewhere / "mine.yaml")) == before


def test_a_record_says_which_suite_it_was_and_finds_it_again(suite):
    spec = _spec(suite)
    config = spec.config()
    assert spec.benchmark.name == "mine"
    assert (config["suite"], config["suite_version"]) == (str(suite), "3")
    assert config["suite_sha256"] == suite_facts(suite).sha256
    assert asked_name("mine", config) == str(suite)
    assert recorded_benchmark("mine", config) == spec.benchmark
    assert recorded_benchmark("theirs", {}) is None
    target = Target(base_url="u", model_name="m", output_dir=Path("o"), concurrency=1)
    assert script_command(spec, target)[-2:] == ("--suite", str(suite))


def test_shipped_suites_are_known_by_their_names():
    glue = get_benchmark("glue")
    assert glue.suite == shipped_suites()["glue"]
    assert recorded_benchmark("glue", {"suite_sha256": "x"}) == glue
    assert not shipped_suites().keys() & BENCHMARKS.keys()


@pytest.mark.parametrize("name", ["human_eval", "../x", "a b"])
def test_a_suite_has_a_name_of_its_own(suite, name):
    suite.write_text(SUITE.replace("name: mine", f"name: {name}"))
    with pytest.raises(UsageError, match="can't be named"):
        get_benchmark(str(suite))


def test_a_manifest_names_suites_by_name_and_by_file(tmp_path):
    text = "matrix:\n  model: [a.gguf]\n  benchmark: [glue, ./mine.yaml, human_eval]\n"
    parse_manifest(text, form="yaml", name="sweep", folder=tmp_path)
    with pytest.raises(UsageError, match="did you mean superglue"):
        parse_manifest(text.replace("glue,", "suprglue,"), form="yaml", name="sweep", folder=tmp_path)
