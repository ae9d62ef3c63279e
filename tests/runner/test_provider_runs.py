"""A run whose requests a provider answers: what is asked for is checked, nothing is launched, and no key is left."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from results.errors import UsageError
from runner.attached import with_provider
from runner.fingerprint import fingerprint
from runner.request import build_spec
from runner.script.command import Target, script_command, script_environment
from servers.launch import plan
from settings.asked import Asked
from settings.providers import PROVIDERS
from sweeps.manifest.options import manifest_from_options
from sweeps.plan import plan_runs
from tests.command_line import bench_runner, only_run
from tests.evaluation.running_servers import asked_of, scripted_provider

pytestmark = pytest.mark.slow

KEY = "sk-of-nobody-0123"
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def no_keys(monkeypatch, tmp_path):
    for facts in PROVIDERS.values():
        for name in facts.key_variables:
            monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def spec(**asked):
    return build_spec(Asked({"benchmark": "human_eval", **asked}))


def test_one_text_names_provider_and_model(monkeypatch):
    monkeypatch.setenv("XAI_API_KEY", KEY)
    both, apart = spec(model="grok/grok-4"), spec(provider="grok", model="grok-4")
    assert both.config() == apart.config()
    assert fingerprint(both) == fingerprint(apart)
    assert (both.config()["provider"], both.server.kind, both.server.model_name) == (
        "xai",
        "provider",
        "grok-4",
    )
    assert fingerprint(both) != fingerprint(spec(provider="openai", model="grok-4"))
    assert spec(provider="openrouter", model="openrouter/auto").server.model_name == "openrouter/auto"


def test_with_a_kind_of_server_it_is_a_name_on_the_hub():
    asked = Asked({"model": "openai/gpt-oss-20b", "server": "vllm"})
    assert with_provider(asked) == asked
    running = Asked({"model": "openai/gpt-oss-20b", "base_url": "http://127.0.0.1:1"})
    assert with_provider(running) == running


def test_a_server_of_one_s_own_is_asked_as_without_a_provider():
    assert with_provider(Asked({"provider": "local", "base_url": "http://h"})) == Asked(
        {"base_url": "http://h"}
    )


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"provider": "openai"}, "which model of openai"),
        ({"provider": "openai", "model": "m"}, "openai needs an API key, and .* OPENAI_API_KEY is not set"),
        ({"provider": "gemini", "model": "m"}, "GEMINI_API_KEY or GOOGLE_API_KEY"),
        ({"provider": "compatible", "model": "m"}, "--provider compatible needs --base-url"),
        (
            {"provider": "ollama", "model": "m", "gpu_layers": 3},
            "--gpu-layers does not apply to --server provider",
        ),
        (
            {"provider": "ollama", "model": "m", "server": "vllm"},
            "--provider ollama and --server exclude each other",
        ),
        ({"provider": "ollama", "model": "m", "server_args": ("-fa",)}, "can't be passed to a provider"),
        ({"provider": "ollama", "model": "m", "benchmark": "speed"}, "speed measures a server"),
        (
            {"provider": "ollama", "model": "m", "benchmark": "kld"},
            "kld measures a server",
        ),
        ({"server": "provider", "model": "m"}, "--server provider needs --provider"),
        (
            {"provider_params": "{}", "model": "demo"},
            "--provider-params does not apply to --server llama.cpp",
        ),
    ],
)
def test_what_can_not_be_asked_of_a_provider_is_refused_before_anything_starts(asked, message):
    given = {name: value for name, value in asked.items() if name in Asked({}).table}
    with pytest.raises(UsageError, match=message):
        plan(spec(**given).server, nonce="0")


@pytest.mark.parametrize("name", [name for name, facts in PROVIDERS.items() if facts.root])
def test_a_plan_says_where_and_sends_nothing(name, monkeypatch):
    """Its own root, its own key, no command line, nobody whose health is asked for."""
    facts = PROVIDERS[name]
    for variable in facts.key_variables[-1:]:
        monkeypatch.setenv(variable, KEY)
    made = plan(spec(provider=name, model="m", parallel=3).server, nonce="0")
    assert (made.argv, made.health_path, made.has_server, made.is_provider) == ((), "", False, True)
    assert (made.api_key, made.model_name, made.asked) == (KEY, "m", {"parallel": 3})
    assert made.base_url.api_url.removesuffix("/v1") == facts.root.removesuffix("/v1")
    assert KEY not in " ".join(made.shown)


def test_a_script_gets_the_key_in_its_environment_only(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-for-somebody-else")
    asked = spec(provider="anthropic", model="m", provider_params='{"service_tier":"auto"}')
    target = Target(
        base_url="https://h",
        model_name="m",
        output_dir=tmp_path,
        concurrency=1,
        api_key=KEY,
        key_variables=("ANTHROPIC_API_KEY",),
    )
    words = script_command(asked, target)
    assert words[(i := words.index("--provider")) : i + 2] == ("--provider", "anthropic")
    assert json.loads(words[words.index("--provider-params") + 1]) == {"service_tier": "auto"}
    environment = script_environment(asked, target)
    assert {environment[name] for name in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "BENCH_API_KEY")} == {KEY}
    assert environment["OPENAI_BASE_URL"] == environment["BENCH_API_URL"] == "https://h/v1"


def test_a_sweep_has_models_of_servers_and_providers_side_by_side(demo_model, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    models = [str(demo_model), "openai/gpt-4.1-mini", "openai/gpt-4.1"]
    planned = plan_runs(manifest_from_options(models, {"benchmark": "human_eval"})).runs
    assert [run.spec.server.kind for run in planned] == ["llama.cpp", "provider", "provider"]
    assert [run.label.split()[0] for run in planned[1:]] == ["gpt-4.1-mini", "gpt-4.1"]
    assert len({run.fingerprint for run in planned}) == 3


def test_a_whole_run_launches_nothing_and_leaves_no_key_anywhere(tmp_path):
    """Gemini's API lies at another path than /v1; a default that the model refuses is left out, said and recorded."""
    file = tmp_path / "key"
    file.write_text(KEY)
    file.chmod(0o600)
    options = ("--prefix", "/v1beta/openai", "--key", KEY, "--chat-only", "--answers", "canonical")
    with scripted_provider(*options, "--refuse", "temperature=gemini") as url:
        done = bench_runner(
            "run", "--benchmark", "human_eval", "--limit", 2, "--provider", "gemini", "--model", "m",
            "--base-url", f"{url}/v1beta/openai", "--api-key-file", file, "--results-dir", tmp_path / "r",
        )  # fmt: skip
        asked = asked_of(url)
    assert done.code == 0, done.err
    paths = [each["path"] for each in asked]
    assert set(paths) == {"/v1beta/openai/models", "/v1beta/openai/chat/completions"}
    assert paths.count("/v1beta/openai/models") == 1
    assert all(each["key"] == "right" for each in asked)
    folder = only_run(tmp_path / "r")
    record = json.loads((folder / "run.json").read_text())
    assert record["results"]["score"] == 100.0
    assert (record["config"]["provider"], record["server"]["kind"], record["telemetry"]) == (
        "gemini",
        "provider",
        None,
    )
    assert record["server"]["url"] == f"{url}/v1beta/openai"
    settings = json.loads((folder / "settings.json").read_text())
    assert (settings["provider"], settings["left_out"]) == ("gemini", ["temperature"])
    assert any("does not take temperature" in warning for warning in record["score"]["warnings"])
    assert not (folder / "server.log").exists() or not (folder / "server.log").read_text()
    left = [
        path for path in (tmp_path / "r").rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()
    ]
    assert left == []
    assert KEY not in done.out + done.err
    assert "m (gemini)" in done.out


def test_a_running_server_whose_api_lies_elsewhere_is_asked_there(tmp_path):
    """Without --provider too: its models, the probe and all answers."""
    with scripted_provider("--prefix", "/v1beta/openai", "--answers", "canonical") as url:
        done = bench_runner(
            "run", "--benchmark", "human_eval", "--limit", 1, "--base-url", f"{url}/v1beta/openai/",
            "--results-dir", tmp_path / "r",
        )  # fmt: skip
        asked = [each for each in asked_of(url) if "/health" not in each["path"]]
    assert done.code == 0, done.err
    assert json.loads((only_run(tmp_path / "r") / "run.json").read_text())["results"]["score"] == 100.0
    answered = {each["path"].removeprefix("/v1beta/openai") for each in asked if each["status"] == 200}
    assert answered == {"/models", "/completions", "/chat/completions"}


def test_a_key_that_a_provider_repeats_is_in_no_message(tmp_path):
    answers = tmp_path / "answers.json"
    answers.write_text(json.dumps([["", {"status": 400, "text": f"the key {KEY} may not use this model"}]]))
    with scripted_provider("--key", KEY, "--answers", answers) as url:
        done = bench_runner(
            "run", "--benchmark", "human_eval", "--limit", 1, "--provider", "openai", "--model", "m",
            "--base-url", url, "--results-dir", tmp_path / "r", env={"OPENAI_API_KEY": KEY},
        )  # fmt: skip
    assert done.code == 4
    assert "the key *** may not use this model" in done.err
    assert KEY not in done.err + done.out
    assert not [
        path for path in (tmp_path / "r").rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()
    ]


def test_the_documented_way_to_add_a_provider_works(tmp_path):
    """CONTRIBUTING's row, in a copy of the table: it is offered, checked, and asked where its API lies."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    row = textwrap.dedent(re.search(r"( *ProviderFacts\(\n.*?\n  \)\n)", text, re.DOTALL)[1])
    begin = tmp_path / "begin.py"
    begin.write_text(
        "import runpy\nimport settings.providers as providers\nfrom settings.providers import ProviderFacts, Supports\n"
        f"row = (\n{row})\n"
        "providers._ROWS = (*providers._ROWS, row)\nproviders.PROVIDERS[row.name] = row\n"
        "providers.NAMES = (*providers.NAMES, row.name)\n"
        "runpy.run_module('scripts.run_human_eval', run_name='__main__', alter_sys=True)\n"
    )
    options = ("--prefix", "/v2/chat", "--key", KEY, "--chat-only", "--answers", "canonical")
    with scripted_provider(*options) as url:
        words = ("--provider", "example", "--model", "m", "--base-url", f"{url}/v2/chat", "--limit", "2")
        done = subprocess.run(
            [sys.executable, begin, *words, "--output", tmp_path / "out"],
            env={**os.environ, "EXAMPLE_API_KEY": KEY, "PYTHONPATH": str(ROOT)},
            capture_output=True, text=True, cwd=ROOT, timeout=100, check=False,
        )  # fmt: skip
        asked = asked_of(url)
    assert done.returncode == 0, done.stderr
    assert {each["path"] for each in asked} == {"/v2/chat/models", "/v2/chat/chat/completions"}
    assert all("seed" not in each["body"] for each in asked if each["body"])
    assert json.loads(done.stdout.splitlines()[-1])["score"] == 100.0
