"""What an operator offers, for requests to name."""

from __future__ import annotations

import pytest

from web.config import ServeConfig


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    data = tmp_path / "questions ${HOME}.jsonl"
    data.write_text("{}\n")
    return ServeConfig(
        results_dir=tmp_path,
        state_dir=tmp_path / ".serve",
        servers={
            "cpu": {"gpu_layers": 0},
            "there": {"base_url": "http://127.0.0.1:9/${WHERE:-v1}"},
            "fixed": {"base_url": "http://127.0.0.1:9", "model": "one"},
        },
        providers={"ollama": {}, "gpt": {"provider": "openai"}, "anthropic": {}},
        engines={"lab": {"name": "slurm", "partition": "gpu"}},
        data={"questions": data},
    )
