"""A request becomes a manifest that names only what the operator offers, and each mistake in it is told."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from pydantic import ValidationError

from results.errors import UsageError
from sweeps.manifest.reader import parse_manifest
from tests.web.catalogue.checked_requests import document, mistakes, run, starts
from web.catalogue.manifest import manifest_document
from web.catalogue.mistakes import MOST_TOLD, RequestRefused
from web.catalogue.models import ModelNames
from web.catalogue.posting import checked_job
from web.catalogue.request import RunRequest
from web.jobs.job import Priority


def test_a_plain_request(config):
    found = checked_job(
        RunRequest(
            suite="human_eval", config={"model": "demo", "params": {"limit": 3}}, project_id=7, priority="low"
        ),
        config,
        "me",
    ).job
    assert json.loads(found.manifest) == {"runs": [{"benchmark": "human_eval", "model": "demo", "limit": 3}]}
    assert (found.user, found.suite, found.model_name) == ("me", "human_eval", "SmolLM2-135M-Instruct.Q4_1")
    assert (found.project_id, found.priority, found.needs_device) == ("7", Priority.LOW, True)
    assert found.estimated_duration_s is None


def test_priority_is_high_by_default(config):
    assert checked_job(RunRequest(suite="human_eval"), config, "me").job.priority is Priority.HIGH


def test_every_mistake_is_told_with_its_field(config):
    assert mistakes(
        config,
        suite="humaneval",
        config={
            "model": "../x",
            "params": {
                "limit": 0, "temperature": "hot", "script": "x.py", "base_url": "http://127.0.0.1", "server_args": "-x",
                "sandbox": "process", "temperatur": 1, "dataset": "/etc/passwd", "port": 1, "model": "demo",
                "top_k": [1],
            },
        },
    ) == [
        starts("suite: 'humaneval' is no benchmark; did you mean human_eval?"),
        starts("config.model: there is no model '../x'"),
        "config.params.limit: 0 is out of range: 1 to 1000000",
        "config.params.temperature: 'hot' is not a number",
        "config.params.script: only the operator sets this",
        "config.params.base_url: only the operator sets this",
        "config.params.server_args: only the operator sets this",
        "config.params.sandbox: 'process' is not offered; one of auto, bubblewrap, landlock, container",
        "config.params.temperatur: there is no such setting; did you mean temperature?",
        "config.params.dataset: '/etc/passwd' is no data of the catalogue; offered are: questions",
        "config.params.port: only the operator sets this",
        "config.params.model: belongs into config.model",
        "config.params.top_k: a list is not a whole number",
    ]  # fmt: skip


def test_unknown_fields_are_mistakes(config):
    with pytest.raises(ValidationError) as refused:
        RunRequest.model_validate(
            {
                "suite": "human_eval",
                "results_dir": "/",
                "config": {"base_url": "x", "ollama_params": {"host": "x"}},
            }
        )
    assert sorted(".".join(map(str, each["loc"])) for each in refused.value.errors()) == [
        "config.base_url",
        "config.ollama_params.host",
        "results_dir",
    ]


@pytest.mark.parametrize("name", ["${HOME}", "$${HOME}", "${HOME:-x}", "a ${HOME} b"])
def test_no_variable_of_a_request_is_ever_filled_in(config, monkeypatch, name):
    """Neither when it is checked nor when its sweep reads the manifest."""
    monkeypatch.setenv("HOME", "/secret")
    found = document(config, suite="human_eval", config={"params": {"system_prompt": name}})
    read = parse_manifest(json.dumps(found), form="json", name="x", folder=config.state_dir)
    assert str(read.runs[0].settings["system_prompt"].value) == name
    found = document(config, suite="human_eval", config={"params": {"chat_template_kwargs": {name: [name]}}})
    read = parse_manifest(json.dumps(found), form="json", name="x", folder=config.state_dir)
    assert json.loads(read.runs[0].settings["chat_template_kwargs"].value) == {name: [name]}


def test_the_operators_variables_stay_as_they_are_written(config, monkeypatch):
    monkeypatch.setenv("WHERE", "secret")
    assert run(config, server="there", model="any")["base_url"] == "http://127.0.0.1:9/${WHERE:-v1}"


def test_data_by_name(config):
    found = document(config, suite="gsm8k", config={"params": {"dataset": "questions"}})
    read = parse_manifest(json.dumps(found), form="json", name="x", folder=config.state_dir)
    assert read.runs[0].settings["dataset"].value == str(config.data["questions"])


def test_a_server_by_name_whose_settings_nobody_changes(config):
    assert run(config, server="cpu", params={"limit": 1}) == {
        "gpu_layers": 0, "benchmark": "human_eval", "model": "demo", "limit": 1}  # fmt: skip
    assert mistakes(config, suite="human_eval", config={"server": "cpu", "params": {"gpu_layers": 3}}) == [
        "config.params.gpu_layers: the operator sets this for server cpu"
    ]
    assert mistakes(config, suite="human_eval", config={"server": "x"}) == [
        "config.server: there is no server 'x' (offered are: cpu, there, fixed)"
    ]


def test_a_server_with_one_model_has_no_other(config):
    assert run(config, server="fixed")["model"] == "one"
    assert mistakes(config, suite="human_eval", config={"server": "fixed", "model": "two"}) == [
        "config.model: server fixed has the model one only (leave model out)"
    ]


def test_ollamas_parameters_by_their_own_names(config):
    params = {"temperature": 0.1, "top_p": 0.9, "top_k": 40, "num_predict": 64, "num_ctx": 2048, "seed": 3}
    assert run(config, provider="ollama", model="mistral:latest", ollama_params=params) == {
        "provider": "ollama", "benchmark": "human_eval", "model": "mistral:latest", "temperature": 0.1, "top_p": 0.9,
        "top_k": 40, "max_tokens": 64, "provider_params": {"num_ctx": 2048}, "seed": 3}  # fmt: skip
    assert mistakes(config, suite="human_eval", config={"model": "demo", "ollama_params": {"seed": 1}}) == [
        "config.ollama_params: these are for the provider ollama; give params"
    ]
    assert mistakes(
        config,
        suite="human_eval",
        config={
            "provider": "ollama",
            "model": "m",
            "params": {"max_tokens": 5},
            "ollama_params": {"num_predict": 9, "temperature": 99, "num_ctx": 0},
        },
    ) == [
        "config.ollama_params.temperature: 99.0 is out of range: 0 to 5",
        "config.ollama_params.num_predict: config.params has max_tokens too",
        "config.ollama_params.num_ctx: 0 is out of range: 1 or more",
    ]  # fmt: skip


def test_providers_by_the_operators_names(config):
    assert run(config, provider="gpt", model="gpt-4o-mini")["provider"] == "openai"
    assert mistakes(config, suite="human_eval", config={"provider": "openai", "model": "x"}) == [
        starts("config.provider: there is no provider 'openai'")
    ]
    assert mistakes(config, suite="human_eval", config={"provider": "anthropic", "model": "x"}) == [
        starts("config.provider: no API key is configured for anthropic")
    ]
    assert mistakes(config, suite="human_eval", config={"provider": "gpt"}) == [
        "config.model: provider gpt needs a model (say what the provider calls it)"
    ]


@pytest.mark.parametrize(
    "name",
    [
        *("../x", "/x", "${HOME}", "-x", "x y", "x\n", "*", "hf://x", "x?y", "x/../y", "x//y"),
        *("hf:owner/name/file.gguf", "ollama:x", "lmstudio:x", "llama.cpp:x"),
    ],
)
def test_a_providers_model_is_a_plain_name(config, name):
    assert mistakes(config, suite="human_eval", config={"provider": "gpt", "model": name}) == [
        starts("config.model: ")
    ]


@pytest.mark.parametrize("value", ["\0", "a\0b", "\ud800", "x" * 70_000])
def test_texts_that_no_command_line_takes(config, value):
    assert len(mistakes(config, suite="human_eval", config={"params": {"system_prompt": value}})) == 1
    assert (
        len(mistakes(config, suite="human_eval", config={"params": {"chat_template_kwargs": {"a": value}}}))
        == 1
    )


def test_what_only_shows_in_a_whole_run_is_told_in_the_requests_words(config):
    assert mistakes(config, suite="human_eval", config={"params": {"answer_by": "letter"}}) == [
        "config.params.answer_by: --answer-by does not apply to --benchmark human_eval (it belongs to mmlu)"
    ]


def test_a_key_in_a_text_is_refused_before_it_is_kept(config):
    found = mistakes(
        config,
        suite="human_eval",
        config={"params": {"system_prompt": "use --api-key sk-aaaaaaaaaaaaaaaaaaaaa"}},
    )
    assert found == [starts("config.params.system_prompt: holds a key")]


def test_no_more_mistakes_are_looked_for_than_are_told(config):
    class Counted(dict):
        read = 0

        def items(self):
            for each in super().items():
                Counted.read += 1
                yield each

    request = RunRequest(suite="human_eval", config={})
    request.config.params = Counted((f"x{number}", 1) for number in range(2_000))
    with pytest.raises(RequestRefused) as refused:
        manifest_document(request, config)
    assert [each.field for each in refused.value.mistakes] == [
        *(f"config.params.x{number}" for number in range(MOST_TOLD)),
        "",
    ]
    assert Counted.read == MOST_TOLD + 1


def test_the_models_folder_is_listed_once_a_request(config, tmp_path):
    """Seen by a file that comes between two look-ups: a second listing would have it."""
    (tmp_path / "models").mkdir()
    names = ModelNames(tmp_path / "models")
    assert names.find("demo").path is None
    (tmp_path / "models" / "late.gguf").touch()
    with pytest.raises(UsageError, match="there is no model 'late'"):
        names.find("late")


@pytest.mark.parametrize(
    ("suite", "params", "what"),
    [
        ("needle", {"lengths": ",".join(["1k"] * 65)}, "lengths: has more than 64 items"),
        ("speed", {"concurrencies": ",".join(["1"] * 65)}, "concurrencies: has more than 64 items"),
        ("speed", {"concurrencies": "99999999"}, " a run may ask for 499999995 samples or requests"),
        ("speed", {"requests": 99999999}, " a run may ask for 99999999 samples or requests"),
        ("speed", {"depths": "0,1k", "requests": "60000"}, " a run may ask for 120000 samples or requests"),
        (
            "needle",
            {"lengths": "1k,2k,4k", "per_cell": 9999},
            " a run may ask for 749925 samples or requests",
        ),
        ("needle", {"n_samples": 10_000}, " a run may ask for 500000 samples or requests"),
    ],
)
def test_no_run_asks_for_more_than_a_host_can_keep(config, suite, params, what):
    (only,) = mistakes(config, suite=suite, config={"params": params})
    assert what in only
    (same,) = mistakes(config, manifest={"defaults": params, "matrix": {"benchmark": suite, "top_k": [1, 2]}})
    assert what.lstrip() in same
    model = {"path": "demo", "overrides": params}
    (same,) = mistakes(config, manifest={"runs": [{"benchmark": suite, "model": model}]})
    assert what.lstrip() in same


def test_a_large_measurement_is_taken(config):
    assert run(config, "needle", params={"lengths": "1k,2k,4k,8k,16k,32k,64k,128k", "per_cell": 500})
    assert run(config, "speed", params={"concurrencies": "1,8,64,256", "depths": "0,8k,32k"})
    assert run(config, params={"n_samples": 10_000})


def test_a_request_names_the_machines_that_the_operator_offers(config):
    slurm = {"name": "slurm", "partition": "gpu"}
    assert document(config, suite="human_eval", engine="lab")["engine"] == slurm
    whole = {"engine": "lab", "runs": [{"benchmark": "human_eval"}]}
    assert document(config, manifest=whole)["engine"] == slurm
    assert checked_job(RunRequest(suite="human_eval", engine="lab"), config, "me").job.needs_device is False


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        ({"suite": "human_eval", "engine": "lba"}, "engine: there is no engine 'lba'; did you mean lab?"),
        (
            {"manifest": {"engine": {"name": "ssh", "hosts": "evil"}, "runs": [{}]}},
            "manifest.engine: must be a name",
        ),
        (
            {"manifest": {"engine": "slurm", "runs": [{}]}},
            "manifest.engine: there is no engine 'slurm'; one of lab",
        ),
        (
            {"engine": "lab", "manifest": {"engine": "lab", "runs": [{}]}},
            "engine: stands in the manifest too",
        ),
    ],
)
def test_no_request_gives_machines_of_its_own(config, request_, why):
    assert any(each.startswith(why) for each in mistakes(config, **request_)), mistakes(config, **request_)


def test_without_an_engine_in_the_catalogue_none_is_taken(config):
    (why,) = mistakes(replace(config, engines={}), suite="human_eval", engine="lab")
    assert why == "engine: the operator offers no engine: leave it out"
