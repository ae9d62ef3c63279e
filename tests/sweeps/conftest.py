"""A folder with models, as a manifest may name them."""

from __future__ import annotations

import pytest

from tests.servers.gguf_file import STRING, U32, gguf


@pytest.fixture
def folder(tmp_path):
    """With models: two plain ones, one with characters of a glob, one in two parts, a vision part, a torn one."""
    models = tmp_path / "models"
    models.mkdir()
    for name in ("small-Q2", "small-Q4", "od,d[1]"):
        (models / f"{name}.gguf").write_bytes(gguf({"general.name": (STRING, name)}))
    for part in (0, 1):
        split = {"split.no": (U32, part), "split.count": (U32, 2)}
        (models / f"big-{part + 1:05}-of-00002.gguf").write_bytes(gguf(split))
    (models / "mmproj.gguf").write_bytes(gguf({"general.type": (STRING, "mmproj")}))
    (models / "torn.gguf").write_bytes(gguf()[:-40])
    (models / "notes.txt").write_text("no model")
    return tmp_path
