"""A request names a model of the operator's folder, and nothing beside it."""

from __future__ import annotations

import os

import pytest

from results.errors import UsageError
from web.catalogue.models import DEMO, find_model, model_facts, offered_models


@pytest.fixture
def folder(tmp_path, demo_model):
    found = tmp_path / "models"
    (found / "sub").mkdir(parents=True)
    (found / "hf").mkdir()
    os.link(demo_model, found / "a.gguf") if _same_disk(demo_model, tmp_path) else (
        found / "a.gguf"
    ).write_bytes(demo_model.read_bytes()[: 1 << 20])
    for name in (
        "sub/b.Q4.gguf",
        "split-00001-of-00002.gguf",
        "split-00002-of-00002.gguf",
        ".hidden.gguf",
        "x.bin",
    ):
        (found / name).write_bytes(b"GGUF")
    (found / "hf" / "config.json").write_text("{}")
    (tmp_path / "secret.gguf").write_bytes(b"GGUF")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "c.gguf").write_bytes(b"GGUF")
    return found


def _same_disk(one, other):
    return one.stat().st_dev == other.stat().st_dev


def test_names_are_paths_below_the_folder(folder):
    assert sorted(offered_models(folder)) == ["a", DEMO, "hf", "split-00001-of-00002", "sub/b.Q4"]
    assert find_model("sub/b.Q4", folder).path == folder.resolve() / "sub" / "b.Q4.gguf"
    assert find_model("a.gguf", folder) == find_model("a", folder)
    assert find_model("hf", folder).server == "vllm"


def test_without_a_folder_there_is_the_demo_model(folder):
    assert [*offered_models(None)] == [DEMO]
    assert [*offered_models(folder / "gone")] == [DEMO]


@pytest.mark.parametrize(
    "name",
    [
        "../secret", "../secret.gguf", "sub/../a", "./a", "a/", "/etc/passwd", "sub//b.Q4", "~/a", "*", "sub/*",
        "a.gguf\0",
        "a\n", "\na", " a", "-a", "--help", "hf:a/b/c.gguf", "ollama:x", "${HOME}", "$${HOME}", "a.gguf.gguf", "",
        ".hidden",
        "split-00002-of-00002", "x.bin", "[a]", "A", "..", ".", "a\ud800", "http://127.0.0.1/a.gguf", "file:///etc/passwd",
    ],
)  # fmt: skip
def test_whatever_is_no_name_of_the_listing_is_refused(folder, name):
    with pytest.raises(UsageError, match="there is no model"):
        find_model(name, folder)


def test_absolute_paths_are_no_names_even_of_what_is_offered(folder):
    with pytest.raises(UsageError, match="there is no model"):
        find_model(str(folder / "a.gguf"), folder)


@pytest.mark.parametrize("target", ["../secret.gguf", "../elsewhere"])
def test_links_that_lead_out_are_not_offered(folder, target):
    (folder / "link.gguf").symlink_to(target)
    (folder / "hf" / "model.safetensors").symlink_to(folder.parent / "secret.gguf")
    names = sorted(offered_models(folder))
    assert "link" not in names
    assert "link/c" not in names
    assert "hf" not in names


def test_links_within_the_folder_are(folder):
    (folder / "same.gguf").symlink_to("a.gguf")
    assert "same" in offered_models(folder)


def test_a_part_that_leads_out_takes_the_whole_model_along(folder):
    (folder / "split-00002-of-00002.gguf").unlink()
    (folder / "split-00002-of-00002.gguf").symlink_to("../secret.gguf")
    assert "split-00001-of-00002" not in offered_models(folder)


def test_names_that_deceive_are_not_offered(folder):
    for name in ("-rf.gguf", "a\nb.gguf", "\x1b[31mred.gguf", "\u202egguf.gguf"):
        (folder / name).write_bytes(b"GGUF")
    assert sorted(offered_models(folder)) == ["a", DEMO, "hf", "split-00001-of-00002", "sub/b.Q4"]


def test_facts_come_from_the_file_and_a_broken_one_says_so(folder):
    facts = model_facts(find_model("sub/b.Q4", folder))
    assert (facts.size_bytes, facts.problem) == (None, "its file can't be read")
    assert model_facts(find_model("a", folder)).architecture == "llama"
    assert model_facts(find_model(DEMO, None)).quantization == "Q4_1"
