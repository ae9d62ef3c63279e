from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from results.records import Results, RunRecord, RunStatus
from results.store.run_log import RunLog

if TYPE_CHECKING:
    from pathlib import Path


def a_record(run_id: str, **changes: object) -> RunRecord:
    fields: dict[str, object] = {
        "run_id": run_id,
        "timestamp": "2026-11-21T03:46:00+00:00",
        "status": RunStatus.SUCCEEDED,
        "benchmark": "human_eval",
        "model": "SmolLM2-135M-Q4_1",
        "config": {"path": "/models/a b.gguf", "gpu_layers": 80},
        "results": Results(score=12.5, time_taken=3.25, raw_output='line 1\nline "2"\n]}\n{é}'),
    }
    return RunRecord(**(fields | changes))


@pytest.fixture
def binding_permissions(tmp_path: Path) -> None:
    """Skips where permissions bind nobody, as for root with its capabilities."""
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    if os.access(folder, os.W_OK):
        pytest.skip("this user may write everywhere")


@pytest.fixture
def log(tmp_path: Path) -> RunLog:
    return RunLog(tmp_path / "results" / "benchmark_results.json")
