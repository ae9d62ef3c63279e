"""A whole manifest in a request: bounded, of what the operator offers, and told of every mistake by its place."""

from __future__ import annotations

import json

import pytest

from sweeps.manifest.reader import parse_manifest
from tests.web.catalogue.checked_requests import document, mistakes, starts
from web.catalogue.manifest import MOST_EXCLUDED, MOST_RUNS
from web.catalogue.posting import checked_job
from web.catalogue.request import RunRequest


def test_either_a_suite_or_a_manifest(config):
    assert mistakes(config) == ["give either suite (with config) or manifest"]
    assert mistakes(config, suite="human_eval", manifest={"runs": []}) == [
        "give either suite (with config) or manifest"
    ]
    assert mistakes(config, config={}, manifest={"runs": [{"benchmark": "human_eval"}]}) == [
        "config: stands in the manifest: leave it out"
    ]


def test_a_whole_manifest(config):
    found = checked_job(
        RunRequest(
            manifest={
                "seed": 3,
                "test_mode": True,
                "defaults": {"server": "cpu", "system_prompt": "${HOME}"},
                "matrix": {
                    "model": ["demo", {"path": "demo", "name": "Again", "overrides": {"top_k": 3}}],
                    "benchmark": ["human_eval", "mbpp"],
                    "temperature": [0, 1],
                    "exclude": [{"benchmark": "mbpp", "temperature": 1}],
                    "include": [{"benchmark": "gsm8k", "limit": 2}],
                },
                "runs": [{"benchmark": "mmlu"}],
            }
        ),
        config,
        "me",
    )
    assert json.loads(found.job.manifest)["defaults"] == {"system_prompt": "$${HOME}", "gpu_layers": 0}
    assert len(found.labels) == 8
    assert found.job.suite == "human_eval, mbpp, gsm8k, mmlu"
    assert found.job.model_name == "SmolLM2-135M-Instruct.Q4_1, Again"


def test_a_manifest_with_mistakes_at_every_place(config):
    assert mistakes(
        config,
        manifest={
            "seed": -1,
            "results_dir": "/",
            "defaults": {"script": "x", "server": "cpu", "model": "${HOME}"},
            "matrix": {
                "server": ["cpu"], "gpu_layers": [1], "model": ["demo", "hf:a/b/c.gguf", {"path": "/x", "home": 1}],
                "benchmark": "x", "metrics": "x.y", "include": [{"provider": "gpt"}, 3],
                "exclude": [{"parser": "x"}],
            },
            "runs": [{"benchmark": "human_eval", "lora": "/x", "server": "there"}, []],
        },
    ) == [
        starts("manifest.results_dir: there is no such field"),
        "manifest.seed: -1 is out of range: 0 to 2147483647",
        "manifest.defaults.script: only the operator sets this",
        starts("manifest.defaults.model: there is no model '${HOME}'"),
        "manifest.matrix.server: can't be an axis: give it in defaults, or in each of the runs",
        "manifest.matrix.gpu_layers[0]: the operator sets this for server cpu",
        starts("manifest.matrix.model[1]: there is no model 'hf:a/b/c.gguf'"),
        starts("manifest.matrix.model[2].home: there is no such field"),
        starts("manifest.matrix.model[2].path: there is no model '/x'"),
        starts("manifest.matrix.benchmark: 'x' is no benchmark"),
        "manifest.matrix.metrics: only the operator sets this",
        "manifest.matrix.include[0]: can't say who answers: give it in defaults, or in each of the runs",
        "manifest.matrix.include[1]: must be an object of settings",
        "manifest.matrix.exclude[0].parser: only the operator sets this",
        "manifest.runs[0]: defaults say who answers already: give it there, or in each of the runs",
        "manifest.runs[0].lora: only the operator sets this",
        "manifest.runs[1]: must be an object of settings",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "wrong",
    [
        {"matrix": {"benchmark": "human_eval", "model": {"name": "x"}}},
        {"runs": [{}] * (MOST_RUNS + 1)},
        {"matrix": []},
        {"runs": {}},
        {"defaults": 3, "runs": [{"benchmark": "human_eval"}]},
    ],
)
def test_a_manifest_of_another_shape(config, wrong):
    assert mistakes(config, manifest=wrong)


def test_a_manifest_can_not_be_multiplied_out_without_end(config):
    axes = {"temperature": [0.1] * 100, "top_k": [1] * 100, "seed": [1] * 100, "benchmark": "human_eval"}
    assert mistakes(config, manifest={"matrix": axes}) == [
        f"manifest: it has 1000000 runs; a job has at most {MOST_RUNS}"
    ]


@pytest.mark.parametrize(
    "matrix",
    [
        {"benchmark": "human_eval", "model": ["x"] * (MOST_RUNS + 1)},
        {"benchmark": "human_eval", "top_k": [1, 2], "exclude": [{"top_k": ["x"] * (MOST_RUNS + 1)}]},
    ],
)
def test_a_list_that_is_too_long_is_not_read_at_all(config, matrix):
    (only,) = mistakes(config, manifest={"matrix": matrix})
    assert only.endswith(f": has more than {MOST_RUNS} items")


def test_the_values_of_all_exclusions_are_few(config):
    exclude = [{"top_k": [1] * MOST_RUNS}] * (MOST_EXCLUDED // MOST_RUNS)
    matrix = {"benchmark": "human_eval", "top_k": [1, 2]}
    assert document(config, manifest={"matrix": {**matrix, "exclude": exclude}})
    assert mistakes(config, manifest={"matrix": {**matrix, "exclude": [*exclude, {"top_k": 1}]}}) == [
        f"manifest.matrix.exclude: has more than {MOST_EXCLUDED} values"
    ]


def test_the_defaults_model_is_not_sent_to_who_answers_elsewhere(config):
    """It is a file here: a provider must be told its own name, and a server with an address says what it has."""
    defaults = {"model": "demo", "benchmark": "human_eval"}
    assert mistakes(config, manifest={"defaults": defaults, "runs": [{"provider": "gpt"}]}) == [
        "manifest.runs[0].model: provider gpt needs a model (say what the provider calls it)"
    ]
    runs = [{"server": "there"}, {"server": "fixed"}, {"server": "cpu"}, {"provider": "gpt", "model": "m"}]
    found = document(config, manifest={"defaults": defaults, "runs": runs})
    assert [run.get("model", "the default") for run in found["runs"]] == [None, "one", "the default", "m"]
    read = parse_manifest(json.dumps(found), form="json", name="x", folder=config.state_dir)
    assert read.runs[0].settings["model"].value is None
