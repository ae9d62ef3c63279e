"""Mistakes in what the engine modal is asked for are told on this machine, and the app file says what was asked for."""

from __future__ import annotations

import ast
import configparser
import importlib.util
import subprocess
import sys

import msgspec
import pytest

from engines.modal.app_file import FUNCTION, PACKAGES, app_text, checked_app, deployment_id
from engines.modal.engine import make
from engines.modal.settings import FIELDS, Settings
from results.errors import UsageError
from sweeps.engine_choice import chosen_engine
from tests.command_line import ROOT
from tests.engines.driving import Said

HAS_MODAL = importlib.util.find_spec("modal") is not None


def needs_modal(test):
    """Run by `make test-engines`, which installs it."""
    missing = pytest.mark.skipif(
        not HAS_MODAL, reason="Modal's client is missing: make test-engines installs it"
    )
    return pytest.mark.engines(missing(test))


ALL = Settings(
    app="nightly",
    volume="nightly-results",
    gpu="H100:2",
    cpu=4.0,
    memory_mib=8192,
    timeout_s=3600,
    at_once=3,
    secrets=("huggingface", "keys"),
    region="us-east",
    image="vllm/vllm-openai:v0.11.0",
    apt=("curl",),
    pip=("vllm==0.11.0",),
    commands=("echo 'built'",),
    models_volume="models",
)


def options(text: str) -> dict[str, object]:
    """Of the function in an app file."""
    tree = ast.parse(text)
    (function,) = (each for each in tree.body if isinstance(each, ast.FunctionDef))
    assert function.name == FUNCTION
    return {each.arg: ast.unparse(each.value) for each in function.decorator_list[0].keywords}


def test_the_app_file_says_what_was_asked_for():
    text = app_text(ALL)
    assert options(text) == {
        "image": "image",
        "volumes": "{'/results': results, '/models': modal.Volume.from_name('models', create_if_missing=True)}",
        "secrets": "[modal.Secret.from_name('huggingface'), modal.Secret.from_name('keys')]",
        "gpu": "'H100:2'",
        "cpu": "4.0",
        "memory": "8192",
        "region": "'us-east'",
        "timeout": "3600",
        "max_containers": "3",
        "retries": "0",
    }
    for part in (
        "'vllm/vllm-openai:v0.11.0'",
        "'curl'",
        "'vllm==0.11.0'",
        "\"echo 'built'\"",
        "'nightly-results'",
    ):
        assert part in text
    assert len(text.splitlines()) < 45, "of a few lines"
    assert set(options(app_text(Settings()))) == {"image", "volumes", "timeout", "max_containers", "retries"}


def test_no_setting_can_add_code_to_the_app_file():
    odd = Settings(pip=("'); import os; os.abort() #", '"""', "\\"), commands=("{0}", "%s"), image="x'y")
    tree = ast.parse(app_text(odd))
    assert not any(isinstance(each, ast.Import) and each.names[0].name == "os" for each in ast.walk(tree))


def test_other_settings_are_another_deployment():
    assert deployment_id(Settings()) == deployment_id(Settings(app="other", app_file="x.py"))
    assert (
        len({deployment_id(each) for each in (Settings(), ALL, Settings(gpu="L4"), Settings(pip=("vllm",)))})
        == 4
    )


def test_each_setting_is_described():
    assert set(FIELDS) == set(Settings.__struct_fields__)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("gpu", "H100:9"), ("gpu", ""), ("gpu", "H100:x"), ("gpu", "H100; rm"), ("timeout_s", 5), ("timeout_s", 90_000),
        ("cpu", 0), ("memory_mib", -1), ("at_once", 0), ("region", "US East"), ("app", "bad name!"), ("volume", "../x"),
        ("secrets", ["a b"]), ("pip", [""]), ("image", "x\n"), ("partition", "gpu"), ("secrets", "huggingface"),
    ],
)  # fmt: skip
def test_mistakes_are_refused_offline_with_their_field(field, value):
    with pytest.raises(UsageError, match=field):
        chosen_engine("modal", {field: value}, None)


@needs_modal
def test_modals_own_client_takes_the_app_file_without_a_network():
    for settings in (Settings(), ALL):
        checked_app(settings)


@needs_modal
def test_what_modals_client_refuses_is_an_error_of_ours(monkeypatch):
    monkeypatch.setattr("engines.modal.app_file._options", lambda _: {"gpu": "'H100:x'"})
    with pytest.raises(UsageError, match=r"Modal refuses these settings: Invalid GPU count: x"):
        make(Settings(), Said())


@needs_modal
def test_the_app_file_can_be_imported_where_no_checkout_is(tmp_path, monkeypatch):
    """As on Modal's machine, which has only the packages."""
    path = tmp_path / "bench_runner_modal.py"
    path.write_text(app_text(ALL).replace(str(ROOT), "/nowhere/at/all"))
    done = subprocess.run(
        [sys.executable, path], capture_output=True, text=True, check=False, env={"PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == 0, done.stderr


def test_without_modals_client_the_error_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "modal", None)
    with pytest.raises(UsageError, match="which is not installed") as told:
        make(Settings(), Said())
    assert "bench-runner[modal]" in told.value.hint


def test_every_package_of_ours_travels():
    """One that was forgotten would be missing only at Modal."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    listed = setup["options.packages.find"]["include"].split()
    assert sorted(f"{name}*" for name in PACKAGES) == sorted(listed)


@needs_modal
def test_a_file_of_ones_own_is_not_overwritten_by_the_app(tmp_path, monkeypatch):
    monkeypatch.setattr("engines.modal.engine.require_token", lambda: None)
    path = tmp_path / "app.py"
    path.write_text("print('mine')")
    with pytest.raises(UsageError, match="a file of your own"):
        make(Settings(app_file=str(path)), Said()).deploy()
    assert path.read_text() == "print('mine')"


def test_the_settings_are_plain_json_for_the_sweeps_folder():
    assert msgspec.convert(msgspec.to_builtins(ALL), Settings) == ALL
