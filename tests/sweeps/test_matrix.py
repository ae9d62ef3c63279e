"""A manifest becomes runs: which ones, in which order, and with which settings."""

from __future__ import annotations

import dataclasses
import shutil

from sweeps.manifest.options import manifest_from_options
from sweeps.plan import plan_runs
from tests.servers.gguf_file import STRING, gguf
from tests.sweeps.plans import labels, plan, told


def test_a_matrix_is_every_combination_the_last_axis_first(folder):
    text = """\
    defaults: {benchmark: human_eval}
    matrix:
      model: [models/small-Q4.gguf, models/small-Q2.gguf]
      gpu_layers: [0, 80]
      temperature: [0, 1]
    """
    assert labels(text, folder) == [
        f"{model} human_eval gpu_layers={layers} temperature={heat}"
        for model in ("small-Q4", "small-Q2")
        for layers in (0, 80)
        for heat in (0, 1)
    ]


def test_a_glob_matches_what_is_a_model_by_itself(folder):
    """No later part, no vision part; a broken file is a run that can't work, and harms no other."""
    found = plan("matrix: {benchmark: human_eval, model: 'models/*'}", folder)
    assert [run.label for run in found.runs] == [
        f"{name} human_eval" for name in ("big", "od,d[1]", "small-Q2", "small-Q4", "torn")
    ]
    broken = [run for run in found.runs if run.error]
    assert [run.label for run in broken] == ["torn human_eval"]
    assert "is truncated" in broken[0].error.message
    assert broken[0].spec is None
    assert len(broken[0].fingerprint) == 32


def test_what_a_glob_leaves_out_since_it_is_no_model_is_noted_once(folder):
    (folder / "models" / "style.gguf").write_bytes(gguf({"adapter.type": (STRING, "lora")}))
    text = "{defaults: {benchmark: human_eval}, matrix: {model: 'models/*'}, runs: [{model: 'models/*', limit: 1}]}"
    found = plan(text, folder)
    (note,) = (note for note in found.notes if "not models" in note)
    assert note == (
        "models/* skips files that are not models: mmproj.gguf is the vision or audio part of a model (mmproj), "
        "style.gguf is a LoRA adapter"
    )
    (line,) = told("runs: [{benchmark: human_eval, model: 'models/s*e.gguf'}]", folder)
    assert line.endswith("style.gguf is a LoRA adapter")


def test_a_file_with_the_characters_of_a_glob_is_itself(folder):
    assert labels("runs: [{benchmark: human_eval, model: 'models/od,d[1].gguf'}]", folder) == [
        "od,d[1] human_eval"
    ]


def test_runs_of_one_server_stand_together_and_those_of_one_model(folder):
    """Whatever the order of the axes; among themselves they keep it."""
    found = plan(
        """\
        matrix:
          temperature: [0, 1]
          gpu_layers: [0, 80]
          benchmark: human_eval
          model: [models/small-Q4.gguf, models/small-Q2.gguf]
        """,
        folder,
    ).runs
    keys = [(run.spec.server.model.name, run.asked["gpu_layers"]) for run in found]
    assert keys == [
        (name, layers) for name in ("small-Q4", "small-Q2") for layers in (0, 80) for _ in range(2)
    ]
    assert len({run.group for run in found}) == 4
    assert [run.index for run in found] == list(range(8))
    assert [run.asked["temperature"] for run in found] == [0, 1] * 4


def test_what_changes_the_server_changes_the_group_and_nothing_else_does(folder):
    text = (
        "runs: [{{benchmark: human_eval, model: {0}}}, {{benchmark: human_eval, model: {0}, limit: 1, {1}}}]"
    )
    same = ("temperature: 1", "n_samples: 5", "stall_timeout: 9", "seed: 5")
    other = ("gpu_layers: 1", "ctx_size: 512", "parallel: 2", "port: 8099", "server_args: -fa on")
    for setting, count in (*((each, 1) for each in same), *((each, 2) for each in other)):
        assert (
            len({run.group for run in plan(text.format("models/small-Q2.gguf", setting), folder).runs})
            == count
        ), setting


def test_exclude_and_include_are_those_of_github(folder):
    """An include that changes no axis is added to what it matches; one that matches nothing is a run of its own."""
    found = plan(
        """\
        defaults: {benchmark: human_eval}
        matrix:
          model: models/small-*.gguf
          gpu_layers: [0, 40, 80]
          exclude:
            - {model: "*Q2*", gpu_layers: [40, 80]}
            - {model: models/small-Q4.gguf, gpu_layers: 0}
          include:
            - {max_tokens: 9}
            - {model: "*Q4", max_tokens: 10}
            - {gpu_layers: 80, limit: 7}
            - {model: models/small-Q2.gguf, gpu_layers: 99}
        """,
        folder,
    )
    assert [run.label for run in found.runs] == [
        "small-Q2 human_eval gpu_layers=0 max_tokens=9",
        "small-Q2 human_eval gpu_layers=99",
        "small-Q4 human_eval gpu_layers=40 max_tokens=10",
        "small-Q4 human_eval gpu_layers=80 limit=7 max_tokens=10",
    ]
    assert found.notes == ()


def test_the_example_of_githubs_own_documentation(folder):
    """fruit is the temperature (apple 0, pear 1, banana 2), animal the seed (cat 1, dog 2), colour max_tokens (green
    3, pink 4), shape the limit (circle 5)."""
    found = plan(
        """\
        defaults: {benchmark: human_eval, model: models/small-Q2.gguf}
        matrix:
          temperature: [0, 1]
          seed: [1, 2]
          include:
            - {max_tokens: 3}
            - {max_tokens: 4, seed: 1}
            - {temperature: 0, limit: 5}
            - {temperature: 2}
            - {temperature: 2, seed: 1}
        """,
        folder,
    )
    names = ("temperature", "seed", "max_tokens", "limit")
    assert [tuple(run.asked[name] for name in names) for run in found.runs] == [
        (0, 1, 4, 5), (0, 2, 3, 5), (1, 1, 4, None), (1, 2, 3, None), (2, None, None, None), (2, 1, None, None),
    ]  # fmt: skip


def test_a_matrix_of_includes_alone(folder):
    text = """\
    defaults: {benchmark: human_eval, model: models/small-*.gguf}
    matrix: {include: [{limit: 1}, {limit: 2, model: models/small-Q2.gguf}]}
    """
    assert labels(text, folder) == [
        "small-Q2 human_eval limit=1", "small-Q2 human_eval limit=2", "small-Q4 human_eval limit=1",
    ]  # fmt: skip


def test_labels_have_the_last_part_of_paths_where_it_is_enough(folder):
    for name in ("one/serve", "two/serve", "two/other"):
        program = folder / name
        program.parent.mkdir(exist_ok=True)
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    text = "matrix: {{benchmark: human_eval, model: models/small-Q2.gguf, server_binary: [{}]}}"
    assert labels(text.format("one/serve, two/other"), folder) == [
        "small-Q2 human_eval server_binary=serve", "small-Q2 human_eval server_binary=other",
    ]  # fmt: skip
    same = labels(text.format("one/serve, two/serve"), folder)
    assert same == [f"small-Q2 human_eval server_binary={folder}/{name}/serve" for name in ("one", "two")]


def test_labels_have_the_host_of_an_address(folder):
    """Most addresses end alike: /v1 is no name for a server."""
    text = "matrix: {benchmark: human_eval, base_url: ['http://one:8000', 'http://two:8000/v1/']}"
    assert labels(text, folder) == [
        "one:8000 human_eval base_url=one:8000", "two:8000/v1 human_eval base_url=two:8000/v1",
    ]  # fmt: skip


def test_a_models_own_settings_win_over_axes_and_single_runs_over_them(folder):
    found = plan(
        """\
        seed: 5
        defaults: {benchmark: human_eval, ctx_size: 512, temperature: 1}
        matrix:
          model: [{path: models/small-Q2.gguf, name: two, overrides: {ctx_size: 1024, temperature: null}}]
          gpu_layers: [0]
        runs:
          - model: {path: models/small-Q4.gguf, overrides: {ctx_size: 2048, seed: 7}}
            ctx_size: 4096
        """,
        folder,
    ).runs
    first, second = (run.spec for run in found)
    assert (first.server.ctx_size, first.asked["temperature"], first.asked["seed"]) == (1024, None, 5)
    assert (second.server.ctx_size, second.asked["temperature"], second.asked["seed"]) == (4096, 1, 7)
    assert (first.server.model.name, found[0].label.split()[0]) == ("two", "two")


def test_the_same_run_twice_runs_once_and_a_note_says_so(folder):
    found = plan(
        """\
        matrix: {benchmark: human_eval, model: "models/small-*.gguf", gpu_layers: 0}
        runs:
          - {benchmark: human_eval, model: models/small-Q2.gguf, gpu_layers: 0}
        """,
        folder,
    )
    assert len(found.runs) == 2
    assert found.notes == ("sweep:3: the same run is already listed (sweep:1); it runs only once",)


def test_other_weights_make_no_other_run_and_a_note_says_so(folder):
    text = (
        "matrix: {benchmark: human_eval, model: models/small-Q2.gguf, weights: ['correctness=1', 'speed=1']}"
    )
    found = plan(text, folder)
    assert len(found.runs) == 1
    (note,) = found.notes
    assert note.endswith("it runs only once, and has that one's composite score: `rescore` computes another")


def test_an_exclude_that_matches_nothing_is_noted(folder):
    text = "matrix: {benchmark: human_eval, model: models/small-Q2.gguf, exclude: [{model: '*Q9*'}]}"
    assert plan(text, folder).notes == ("sweep:1: matrix.exclude[0] excludes no run",)


def test_test_mode_is_five_samples_at_most(folder):
    text = (
        "test_mode: true\nmatrix: {benchmark: human_eval, model: models/small-Q2.gguf, limit: [null, 3, 20]}"
    )
    assert [run.spec.asked["limit"] for run in plan(text, folder).runs] == [5, 3]


def test_a_parser_of_your_own_is_below_the_manifest(folder):
    (folder / "mine.py").write_text("class P:\n    def parse(self, output): ...\n\nPARSER = P()\n")
    (run,) = plan(
        "runs: [{benchmark: human_eval, model: models/small-Q2.gguf, parser: mine.py}]", folder
    ).runs
    assert run.spec.parser == str(folder / "mine.py")


def test_a_missing_file_costs_its_own_run(folder):
    found = plan(
        "matrix: {benchmark: human_eval, model: [models/gone.gguf, models/small-Q2.gguf]}", folder
    ).runs
    assert [bool(run.error) for run in found] == [True, False]
    assert "there is no model" in found[0].error.message
    assert "small-Q2" in found[0].error.hint or "models" in found[0].error.hint


def test_secrets_of_variables_stay_out_of_what_is_recorded(folder, monkeypatch):
    monkeypatch.setenv("TOKEN", "hush-hush")
    (run,) = plan(
        """\
        runs:
          - benchmark: human_eval
            model: models/small-Q2.gguf
            server_args: ["--key=${TOKEN}"]
        """,
        folder,
    ).runs
    assert run.spec.server.extra_args == ("--key=hush-hush",)
    assert run.spec.config()["server_args"] == ["--key=${TOKEN}"]
    assert "hush" not in run.label + run.group


def test_the_command_line_and_the_shell_mean_the_same_plan(folder, monkeypatch):
    """The glob in quotes, and the many files that the shell makes of it without them."""
    monkeypatch.chdir(folder)
    options = {"benchmark": "human_eval", "gpu_layers": "0,80"}
    quoted = plan_runs(manifest_from_options(["models/small-*.gguf"], options))
    expanded = plan_runs(manifest_from_options(["models/small-Q2.gguf", "models/small-Q4.gguf"], options))
    written = plan("matrix: {benchmark: human_eval, model: models/small-*.gguf, gpu_layers: [0, 80]}", folder)
    for other in (expanded, written):
        assert [run.fingerprint for run in quoted.runs] == [run.fingerprint for run in other.runs]
        assert [(run.label, run.group) for run in quoted.runs] == [
            (run.label, run.group) for run in other.runs
        ]


def test_without_a_model_it_is_the_demo_model(folder, demo_model):
    (run,) = plan("runs: [{benchmark: human_eval}]", folder).runs
    assert run.spec.server.model.path == demo_model
    assert run.needs == {"ctx_size": 4096, "parallel": 4}


def test_a_plan_starts_nothing_and_takes_no_port(folder, no_leaks):
    """A port that is taken now may be free when its run comes: the preflight tells it."""
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        (run,) = plan(
            f"runs: [{{benchmark: human_eval, model: models/small-Q2.gguf, port: {port}}}]", folder
        ).runs
        assert run.spec.server.port == port


def test_a_manifest_that_grew_adds_only_what_is_new(folder):
    before = plan("matrix: {benchmark: human_eval, model: models/small-*.gguf}", folder).runs
    known = {run.fingerprint for run in before}
    (folder / "models" / "small-Q3.gguf").write_bytes(gguf({"general.name": (STRING, "three")}))
    shutil.move(folder / "models" / "small-Q2.gguf", folder / "models" / "small-renamed.gguf")
    after = plan(
        "matrix: {benchmark: human_eval, model: models/small-*.gguf, stall_timeout: 99, port: 8099}", folder
    ).runs
    assert [run.label for run in after if run.fingerprint not in known] == ["small-Q3 human_eval"]


def test_a_planned_run_can_be_placed_elsewhere_without_hashing_again(folder):
    """A copy with another index keeps working: the fingerprint is not a field."""
    (run,) = plan("runs: [{benchmark: human_eval, model: models/small-Q2.gguf}]", folder).runs
    assert dataclasses.replace(run, index=7).fingerprint == run.fingerprint
