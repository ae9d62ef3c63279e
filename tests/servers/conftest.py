"""Fake servers to order, on free ports."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from servers.models import resolve
from servers.plan import LaunchPlan
from servers.ports import free_port
from settings.base_url import parse_base_url
from tests.servers.gguf_file import gguf

FAKE_SERVER = Path(__file__).parents[1] / "programs" / "fake_server.py"


@pytest.fixture
def fake_plan():
    """A function: options of tests/programs/fake_server.py -> the plan that launches it."""

    def plan(*options: str, port: int | None = None, **fields: object) -> LaunchPlan:
        port = port or free_port()
        argv = (sys.executable, "-I", "-S", str(FAKE_SERVER), "--port", str(port), *options)
        defaults = {"kind": "command", "argv": argv, "model_name": "fake"}
        return LaunchPlan(base_url=parse_base_url(f"http://127.0.0.1:{port}"), **{**defaults, **fields})

    return plan


@pytest.fixture
def log(tmp_path):
    return tmp_path / "server.log"


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """An empty working folder, and no server of this machine in sight."""
    for name in ("LLAMA_SERVER", "LLAMA_API_KEY", "VLLM_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "path").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def model(bare, tmp_path):
    (tmp_path / "my, model.gguf").write_bytes(gguf())
    return resolve("my, model.gguf")


@pytest.fixture
def hf_folder(bare, tmp_path):
    (tmp_path / "some-model").mkdir()
    (tmp_path / "some-model" / "config.json").write_text('{"max_position_embeddings": 2048}')
    return resolve("some-model")
