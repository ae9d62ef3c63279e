"""What docs/manifest.md shows is what is read and planned."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from runner.machine import this_machine
from sweeps.manifest.reader import FIELDS, parse_manifest
from sweeps.plan import plan_runs
from sweeps.preflight.checks import inspect
from sweeps.preflight.report import HEADER
from tests.servers.gguf_file import STRING, U32, gguf

TEXT = (Path(__file__).parents[2] / "docs" / "manifest.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(yaml|toml|json)\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture
def folder(tmp_path):
    models = tmp_path / "models"
    (models / "more").mkdir(parents=True)
    for name in ("small-Q2_K", "small-Q4_K_M"):
        (models / f"{name}.gguf").write_bytes(gguf({"general.name": (STRING, name)}))
    for part in (0, 1):
        split = {"split.no": (U32, part), "split.count": (U32, 2)}
        (models / "more" / f"big-{part + 1:05}-of-00002.gguf").write_bytes(gguf(split))
    return tmp_path


@pytest.mark.parametrize(("form", "text"), BLOCKS, ids=[form for form, _ in BLOCKS])
def test_every_example_can_be_planned(form, text, folder):
    planned = plan_runs(parse_manifest(text, form=form, name="docs", folder=folder))
    assert len(planned.runs) >= 4
    assert all(run.error is None for run in planned.runs)
    assert inspect(planned, machine=this_machine(folder)).ok


def test_the_complete_example_means_what_its_comments_say(folder, monkeypatch):
    monkeypatch.delenv("TEST_MODE", raising=False)
    text = BLOCKS[0][1]
    found = [
        run.label for run in plan_runs(parse_manifest(text, form="yaml", name="docs", folder=folder)).runs
    ]
    assert found == [
        "small-Q2_K human_eval gpu_layers=80 ctx_size=8192 temperature=0",
        "small-Q4_K_M human_eval gpu_layers=0 ctx_size=8192 limit=20 temperature=0",
        "small-Q4_K_M human_eval gpu_layers=80 ctx_size=8192 temperature=0",
        "small-Q4_K_M human_eval gpu_layers=40 ctx_size=8192 temperature=0",
        "small-Q4_K_M human_eval ctx_size=8192 limit=40 n_samples=10 temperature=0.8",
        "big human_eval gpu_layers=0 ctx_size=4096 parallel=2 limit=20 temperature=0",
        "big human_eval gpu_layers=80 ctx_size=4096 parallel=2 temperature=0",
    ]


def test_the_page_names_every_field_and_column():
    assert all(f"`{name}`" in TEXT for name in FIELDS)
    assert all(name in TEXT for name in HEADER)
