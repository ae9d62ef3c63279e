"""A config.yaml of models, execution and scoring is a sweep: its keys stay references, its mistakes have its lines."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import jsonschema
import pytest
import yaml

from results.errors import UsageError
from sweeps.manifest.config_form import CONFIG_FIELDS, MODEL_KEYS, SCORING_KEYS
from sweeps.manifest.reader import parse_manifest
from sweeps.manifest.schema import schema
from sweeps.plan import plan_runs
from tests.servers.gguf_file import STRING, gguf

DOCS = Path(__file__).parents[2] / "docs" / "manifest.md"
CONFIG = """\
models:
  - name: "gpt-4"
    provider: "openai"
    api_key: "${OPENAI_API_KEY}"
  - name: "claude-3-opus"
    provider: "anthropic"
    api_key: "${ANTHROPIC_API_KEY}"
  - name: "your-fine-tuned-model"
    provider: "local"
    endpoint: "http://localhost:8000"

execution:
  timeout: 5
  memory_limit: "512m"
  cpu_limit: 1
"""
SCORING = """\
scoring:
  weights:
    correctness: 0.40
    speed: 0.20
    quality: 0.25
    efficiency: 0.15
"""
KEY = "sk-veryverysecret"


def parsed(text, tmp_path):
    return parse_manifest(textwrap.dedent(text), form="yaml", name="config.yaml", folder=tmp_path)


def told(text, tmp_path):
    with pytest.raises(UsageError) as caught:
        parsed(text, tmp_path)
    return [line.strip() for line in caught.value.message.splitlines() if not line.endswith(" errors:")]


def values(entry):
    return {name: given.value for name, given in entry.settings.items()}


def test_each_model_is_a_run_with_the_limits(tmp_path):
    found = parsed(CONFIG, tmp_path)
    openai, anthropic, own = map(values, found.runs)
    assert (openai["provider"], openai["model"].text, openai["benchmark"]) == ("openai", "gpt-4", "tasks")
    assert anthropic["provider"] == "anthropic"
    assert own["base_url"] == "http://localhost:8000"
    assert own["model"].text == "your-fine-tuned-model"
    assert {name: given.value for name, given in found.defaults.items()} == {
        "cpu_limit": 5.0, "memory_limit": 512 << 20,
    }  # fmt: skip
    assert "${OPENAI_API_KEY}" in found.text, "a sweep's folder keeps the name of the variable"


def test_the_example_in_the_documents_is_planned(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    (example,) = re.findall(r"```yml\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "small-Q4_K_M.gguf").write_bytes(gguf({"general.name": (STRING, "small")}))
    plan = plan_runs(parsed(example, tmp_path))
    assert [run.error for run in plan.runs] == [None] * 3


def test_it_is_planned_like_a_manifest(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    plan = plan_runs(parsed(CONFIG, tmp_path))
    assert [run.label.split()[0] for run in plan.runs] == ["gpt-4", "claude-3-opus", "your-fine-tuned-model"]
    assert KEY not in repr(parsed(CONFIG, tmp_path))


def test_a_key_that_is_not_set_is_told_with_the_models_line(tmp_path, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    with pytest.raises(UsageError, match=r"config.yaml:3: models\[0\].provider: openai needs an API key"):
        plan_runs(parsed(CONFIG, tmp_path))


def test_several_benchmarks_are_runs_of_each_model(tmp_path):
    found = parsed(f"benchmark: [human_eval, mbpp]\n{CONFIG}", tmp_path)
    assert len(found.runs) == 6
    assert [values(each)["benchmark"] for each in found.runs[:2]] == ["human_eval", "mbpp"]


def test_a_model_may_be_a_file_and_have_settings_of_its_own(tmp_path):
    found = parsed(
        """\
        models:
          - {name: small, path: models/small.gguf, gpu_layers: 80}
          - {path: models/other.gguf}
          - {name: demo, provider: local}
        """,
        tmp_path,
    )
    small, other, demo = map(values, found.runs)
    assert (small["model"].text, small["model"].name, small["gpu_layers"]) == (
        "models/small.gguf",
        "small",
        80,
    )
    assert other["model"].text == "models/other.gguf"
    assert demo["model"].text == "demo"
    assert "provider" not in demo, "it is launched here"


def test_more_cores_are_so_much_more_processor_time(tmp_path):
    found = parsed("models: [{name: a}]\nexecution: {timeout: 5, cpu_limit: 2}\n", tmp_path)
    assert found.defaults["cpu_limit"].value == 10.0


def test_scoring_is_turned_on_with_its_weights(tmp_path):
    found = parsed(CONFIG + SCORING + "  speed_target_s: 4\n", tmp_path).defaults
    assert found["scoring"].value is True
    assert found["weights"].value == "correctness=0.4,speed=0.2,quality=0.25,efficiency=0.15"
    assert found["speed_target_s"].value == 4.0
    (wrong,) = told(CONFIG + SCORING.replace("0.25", "much"), tmp_path)
    assert wrong.startswith("config.yaml:20: scoring.weights.quality: ")


def test_weights_are_told_with_their_own_lines_all_at_once(tmp_path):
    weights = SCORING.replace("quality", "qality").replace("0.20", "-1").replace("0.40", "40%")
    found = told(f"models: [{{name: demo}}]\n{weights}", tmp_path)
    assert [line.partition(": the")[0] for line in found] == [
        "config.yaml:4: scoring.weights.correctness",
        "config.yaml:5: scoring.weights.speed",
        "config.yaml:6: scoring.weights.qality",
    ]
    assert found[2].endswith("there is no part qality; did you mean quality?")
    assert told("runs: [{weights: 'correctness=1,spead=1'}]", tmp_path) == [
        "config.yaml:1: runs[0].weights: there is no part spead; did you mean speed?"
    ]


def test_a_scorer_anywhere_in_the_file_gives_its_part(tmp_path):
    text = "models: [{name: a, weights: {mine: 1}}]\nscoring: {scorer: mine.py, weights: {correctness: 1}}\n"
    assert values(parsed(text, tmp_path).runs[0])["weights"] == "mine=1"
    (found,) = told(text.replace("mine.py", "other.py"), tmp_path)
    assert found.startswith(
        "config.yaml:1: models[0].weights.mine: there is no part mine; one of correctness"
    )


def test_a_key_in_the_file_is_refused_and_not_repeated(tmp_path):
    (found,) = told(f"models:\n  - name: a\n    provider: openai\n    api_key: {KEY}\n", tmp_path)
    assert found.startswith("config.yaml:4: models[0].api_key: must not be a key itself")
    assert KEY not in found


def test_every_mistake_has_the_line_and_name_of_the_file(tmp_path):
    found = told(
        """\
        models:
          - {name: a, provider: opanai, api_key: "${OPENAI_API_KEY}"}
          - {provider: local}
          - {name: b, provider: openai, api_key: "${MY_KEY}"}
          - {name: c, endpoint: 5}
          - {name: d, gpu_layrs: 3}
          - {name: 7}
        execution: {timeout: -1, memory_limit: lots, cpu_limit: 1, wrong: 2}
        dataset: x
        benchmark: human_evil
        """,
        tmp_path,
    )
    assert [line.partition(": ")[0] + ": " + line.split(": ")[1] for line in found] == [
        "config.yaml:2: models[0].provider",
        "config.yaml:3: models[1]",
        "config.yaml:4: models[2].api_key",
        "config.yaml:5: models[3].endpoint",
        "config.yaml:6: models[4].gpu_layrs",
        "config.yaml:7: models[5].name",
        "config.yaml:8: execution.wrong",
        "config.yaml:8: execution.memory_limit",
        "config.yaml:8: execution.timeout",
        "config.yaml:9: dataset",
        "config.yaml:10: benchmark",
    ]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("models: {name: a}\n", "models: must be a list"),
        ("models: []\n", "models: is an empty list"),
        ("models: [a]\n", "models[0]: must be a mapping of name"),
        ("models: [{name: a}]\nbenchmark: []\n", "benchmark: is an empty list"),
        ("models: [{name: a}]\nexecution: 5\n", "execution: must be a mapping"),
        ("models: [{name: a}]\nexecution: {cpu_limit: 4}\n", "execution.cpu_limit: needs a timeout"),
        ("models: [{name: a}]\nexecution: {timeout: 5, cpu_limit: .inf}\n", "must be a number above 0"),
        ("models: [{name: a}]\nscoring: 5\n", "scoring: must be a mapping"),
        ("models: [{name: a, endpoint: 'http://x', base_url: 'http://y'}]\n", "given twice"),
        ("models: [{name: a}]\nruns: [{}]\n", "models: there is no such field"),
        ("models: [{name: a, model: b}]\n", "models[0].model: is called name, or path, here"),
        ("models: [{name: a}]\nexecution: {benchmark: mbpp}\n", "execution.benchmark: belongs at the top"),
        (
            "models: [{name: a}]\nscoring: {limit: 3}\n",
            "scoring.limit: there is no such setting; it takes weights",
        ),
        ("models: [{name: a}]\nscoring: {scoring: false}\n", "scoring.scoring: there is no such setting"),
        (
            "models: [{name: a}]\nscoring: {wieghts: {}}\n",
            "wieghts: there is no such setting; did you mean weights?",
        ),
        (
            "models: [{name: a}]\nexecution: {timeuot: 5}\n",
            "timeuot: there is no such setting; did you mean timeout?",
        ),
        ("models: [{nmae: a}]\n", "models[0].nmae: there is no such setting; did you mean name?"),
        ("models: [{name: a, endpiont: 'http://x'}]\n", "did you mean endpoint?"),
        ("scoring: {}\n", "it has no models"),
    ],
)
def test_odd_files_are_refused_with_what_would_be_right(text, what, tmp_path):
    assert any(what in line for line in told(text, tmp_path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("modles: [{name: a}]\n", "config.yaml:1: modles: there is no such field; did you mean models?"),
        ("models:\n", "config.yaml:1: models: must be a list"),
        ("models: []\n", "config.yaml:1: models: is an empty list, so there would be no runs"),
        ("# nothing\n", "config.yaml:1: a manifest must be a mapping"),
    ],
)
def test_one_mistake_is_told_once_and_by_the_name_of_the_file(text, message, tmp_path):
    assert told(text, tmp_path) == [message]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (
            "model: demo\nbenchmark: mbpp\n",
            "model: there is no such field; put settings of runs under defaults",
        ),
        ("matrx: {model: demo}\n", "matrx: there is no such field; did you mean matrix?"),
    ],
)
def test_a_manifest_with_a_mistake_is_not_taken_for_one(text, what, tmp_path):
    assert any(what in line for line in told(text, tmp_path))


GOOD = (
    CONFIG,
    CONFIG + SCORING,
    "models: [{name: a, path: a.gguf, gpu_layers: 80}]\nbenchmark: [human_eval, mbpp]\nseed: 3\nengine: local\n",
    "models: [{path: a.gguf}]\nexecution: {timeout: 5, cpu_limit: 2, limit: 9}\nscoring: {weights: 'speed=1'}\n",
)
BAD = (
    "models: []\n",
    "models: [{provider: local}]\n",
    "models: [{name: a, gpu_layrs: 3}]\n",
    "models: [{name: a, model: b}]\n",
    "models: [{name: a, api_key: sk-secret}]\n",
    "models: [{name: a}]\nscoring: {limit: 3}\n",
    "models: [{name: a}]\nscoring: {weights: {correctness: -1}}\n",
    "models: [{name: a}]\nexecution: {timeout: -1}\n",
    "models: [{name: a}]\nexecution: {benchmark: mbpp}\n",
    "models: [{name: a}]\ndataset: x\n",
    "models: [{name: a}]\nmatrix: {limit: 1}\n",
    "scoring: {}\n",
)


@pytest.mark.parametrize("text", [*GOOD, *BAD])
def test_the_schema_takes_and_refuses_the_same(text, tmp_path):
    check = jsonschema.Draft202012Validator(schema())
    if text in GOOD:
        parsed(text, tmp_path)
        check.validate(yaml.safe_load(text))
    else:
        assert told(text, tmp_path)
        assert not check.is_valid(yaml.safe_load(text))


def test_the_schema_describes_each_field_of_this_form():
    found = schema()["properties"]
    assert all(found[name]["description"] for name in CONFIG_FIELDS)
    model = found["models"]["items"]["properties"]
    assert {*MODEL_KEYS, "gpu_layers"} <= {*model}
    assert "model" not in model
    assert {*SCORING_KEYS} == {*found["scoring"]["properties"]}
