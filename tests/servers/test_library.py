"""What other programs keep here is listed by names that --model takes, and nothing broken or hostile stops that."""

from __future__ import annotations

import json
import os

import pytest
from huggingface_hub import constants

from results.errors import UsageError
from servers.library.listing import kept_names, list_models
from servers.models import resolve
from tests.command_line import bench_runner
from tests.servers.gguf_file import STRING, U32, gguf
from tests.servers.kept_models import MODEL_LAYER, keep_in_ollama

SMALL = {"general.name": (STRING, "small"), "llama.context_length": (U32, 4096)}


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty home, and no variable that says where models are."""
    for name in ("OLLAMA_MODELS", "LLAMA_CACHE", "HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / ".cache"))
    # Read once, by whoever imports it first.
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / ".cache/huggingface/hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def put(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def in_hub(home, name, files, revision="abc123"):
    repository = home / ".cache" / "huggingface" / "hub" / f"models--{name.replace('/', '--')}"
    put(repository / "refs" / "main", revision.encode())
    for file, data in files.items():
        put(repository / "snapshots" / revision / file, data)
    return repository / "snapshots" / revision


def listed(*folders):
    return {each.name: each for each in list_models(folders)}


def test_each_keepers_models_are_listed_by_names_that_resolve(home):
    paths = {
        "ollama:qwen2.5:7b": keep_in_ollama(home, "qwen2.5:7b", gguf(SMALL)),
        "ollama:me/mine:latest": keep_in_ollama(
            home,
            "me/mine:latest",
            gguf({**SMALL, "general.name": (STRING, "mine")}),
            below=("registry.ollama.ai",),
        ),
        "ollama:hf.co/owner/repo:Q4_K_M": keep_in_ollama(
            home, "owner/repo:Q4_K_M", gguf({"general.name": (STRING, "r")}), below=("hf.co",)
        ),
        "lmstudio:owner/repo/m.gguf": put(home / ".lmstudio/models/owner/repo/m.gguf", gguf()),
        "lmstudio:old/repo/o.gguf": put(home / ".cache/lm-studio/models/old/repo/o.gguf", gguf()),
        "llama.cpp:owner_repo_f.gguf": put(home / ".cache/llama.cpp/owner_repo_f.gguf", gguf()),
        "hf:owner/repo/sub/h.gguf": in_hub(home, "owner/repo", {"sub/h.gguf": gguf()}) / "sub" / "h.gguf",
    }
    found = listed()
    assert found.keys() == paths.keys()
    assert set(kept_names()) == {"demo", *paths}
    for name, path in paths.items():
        assert found[name].problem == ""
        assert found[name].size_bytes == path.stat().st_size
        assert resolve(name).path.resolve() == path.resolve(), name
    qwen = found["ollama:qwen2.5:7b"]
    assert (qwen.architecture, qwen.context_length, qwen.keeper) == ("llama", 4096, "Ollama")
    assert qwen.parameter_count == resolve("ollama:qwen2.5:7b").header.parameter_count


def test_a_blob_has_ollamas_name_whichever_way_it_is_given(home):
    path = keep_in_ollama(home, "qwen2.5:7b", gguf())
    assert resolve("ollama:qwen2.5:7b").name == resolve(str(path)).name == "qwen2.5:7b"
    keep_in_ollama(home, "other:latest", gguf(SMALL))
    assert resolve("ollama:other").name == "other"


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("ollama:qwen2.5:8b", "did you mean ollama:qwen2.5:7b?"),
        ("ollama:../../../etc/passwd", "models"),
        ("ollama:", "ollama:qwen2.5:7b"),
        ("ollama:a\0b", "ollama:qwen2.5:7b"),
        ("lmstudio:../secret.gguf", "models"),
        ("lmstudio:/etc/passwd", "models"),
        ("llama.cpp:none.gguf", "models"),
        ("qwen2.5:7b", "did you mean ollama:qwen2.5:7b?"),
    ],
)
def test_a_name_that_is_not_there_is_told_with_what_is(home, text, hint):
    keep_in_ollama(home, "qwen2.5:7b", gguf())
    (home / ".lmstudio" / "models").mkdir(parents=True)
    (home / ".lmstudio" / "secret.gguf").write_bytes(gguf())
    with pytest.raises(UsageError) as error:
        resolve(text)
    assert hint in error.value.hint


def test_a_file_of_that_very_name_comes_first(home):
    (home / "ollama:qwen2.5:7b").write_bytes(gguf())
    assert resolve("ollama:qwen2.5:7b").path.name == "ollama:qwen2.5:7b"


def test_the_folders_that_variables_name_are_searched_instead(home, monkeypatch):
    keep_in_ollama(home, "qwen2.5:7b", gguf())
    os.rename(home / ".ollama" / "models", home / "elsewhere")  # noqa: PTH104 - as a user does
    monkeypatch.setenv("OLLAMA_MODELS", str(home / "elsewhere"))
    monkeypatch.setenv("LLAMA_CACHE", str(home / "llama"))
    monkeypatch.setenv("HF_HOME", str(home / "hf"))
    put(home / "llama" / "x.gguf", gguf())
    os.rename(in_hub(home, "owner/repo", {"h.gguf": gguf()}).parents[2], home / "hub")  # noqa: PTH104
    put(home / "hf" / "hub" / ".keep", b"")
    os.rename(home / "hub", home / "hf" / "hub" / "models--owner--repo")  # noqa: PTH104
    assert listed().keys() >= {"ollama:qwen2.5:7b", "llama.cpp:x.gguf"}


def test_split_files_are_one_model_and_missing_parts_are_said(home):
    folder = home / "gguf"
    for number in (0, 1, 2):
        data = gguf({"split.no": (U32, number), "split.count": (U32, 3)})
        put(folder / f"big-{number + 1:05}-of-00003.gguf", data)
    whole = listed(folder)[str(folder / "big-00001-of-00003.gguf")]
    assert (whole.parts, whole.problem) == (3, "")
    assert whole.size_bytes == sum(path.stat().st_size for path in folder.iterdir())
    assert whole.parameter_count == resolve(whole.name).header.parameter_count
    (folder / "big-00002-of-00003.gguf").unlink()
    assert listed(folder)[whole.name].problem == "1 of 3 parts are missing"


def test_folders_for_vllm_say_whether_their_weights_are_complete(home):
    index = json.dumps({"weight_map": {"a": "m-1.safetensors", "b": "m-2.safetensors", "c": 7}})
    config = json.dumps({"max_position_embeddings": 2048, "architectures": ["LlamaForCausalLM"]})
    files = {
        "config.json": config.encode(),
        "m-1.safetensors": b"12345",
        "model.safetensors.index.json": index.encode(),
    }
    snapshot = in_hub(home, "owner/torn", files)
    torn = listed()["owner/torn"]
    assert (torn.server, torn.context_length, torn.size_bytes) == ("vllm", 2048, 5)
    assert torn.problem == "1 of 2 files of weights are missing"
    put(snapshot / "m-2.safetensors", b"67")
    assert listed()["owner/torn"].problem == ""
    put(home / "plain" / "mine" / "config.json", config.encode())
    assert listed(home / "plain")[str(home / "plain" / "mine")].problem == "it has no weights"


def test_what_is_broken_or_hostile_is_an_entry_or_left_out_and_stops_nothing(home):
    models = home / ".ollama" / "models"
    good = keep_in_ollama(home, "good:1", gguf())
    keep_in_ollama(home, "gone:1", gguf(SMALL), blob=False)
    library = models / "manifests" / "registry.ollama.ai" / "library"
    layer = {"mediaType": MODEL_LAYER, "digest": "sha256:" + "../" * 10 + "etc/passwd"}
    for name, text in (
        ("torn", "{"),
        ("list", "[]"),
        ("odd", '{"layers": {"a": 1}}'),
        ("path", json.dumps({"layers": [layer, 7, {"mediaType": MODEL_LAYER, "digest": [1]}]})),
        ("deep", "[" * 100_000),
    ):
        put(library / name / "1", text.encode())
    folder = home / "x"
    put(folder / "torn.gguf", gguf()[:-40])
    put(folder / "empty.gguf", b"")
    put(folder / "text.gguf", b"version https://git-lfs.github.com/spec/v1")
    put(folder / "adapter.gguf", gguf({"general.type": (STRING, "adapter")}))
    os.mkfifo(folder / "fifo.gguf")
    (folder / "loop").symlink_to(folder)
    (folder / "dangling.gguf").symlink_to(folder / "nothing")
    put(folder / "\x1b[2Jevil\nname.gguf", gguf())
    found = listed(folder)
    assert found["ollama:good:1"].path == str(good)
    assert found["ollama:gone:1"].problem == "its file is missing"
    for name in ("torn", "list", "odd", "path", "deep"):
        assert found[f"ollama:{name}:1"].problem.startswith("its manifest ")
    assert "truncated" in found[str(folder / "torn.gguf")].problem
    assert "Git LFS pointer" in found[str(folder / "text.gguf")].problem
    names = {name.rpartition("/")[2] for name in found if name.startswith(str(folder))}
    assert names == {"torn.gguf", "empty.gguf", "text.gguf", "\x1b[2Jevil\nname.gguf"}
    with pytest.raises(UsageError, match="its manifest"):
        resolve("ollama:torn:1")
    done = bench_runner("models", folder, env={"HOME": str(home)})
    assert done.code == 0, done.err
    assert "\x1b" not in done.out
    lines = done.out.splitlines()
    assert lines[0].split("\t")[0] == "model"
    assert all(line.count("\t") == lines[0].count("\t") for line in lines)
    as_json = bench_runner("models", folder, "--json", env={"HOME": str(home)})
    assert {json.loads(line)["name"] for line in as_json.out.splitlines()} == {*found}


def test_a_folder_that_is_not_there_is_told(home):
    done = bench_runner("models", home / "none")
    assert done.code == 2
    assert "is no folder" in done.err


def test_nothing_found_says_what_can_be_done(home):
    done = bench_runner("models", env={"HOME": str(home)})
    assert done.code == 0
    assert "hf:owner/name/file.gguf" in done.err


def test_a_run_takes_such_a_name(home, demo_model):
    path = keep_in_ollama(home, "smol:135m", demo_model.read_bytes())
    words = (
        "sweep",
        "ollama:smol:135m",
        "--benchmark",
        "human_eval",
        "--results-dir",
        home / "r",
        "--dry-run",
    )
    done = bench_runner(*words, env={"HOME": str(home)})
    assert done.code == 0, done.err
    assert "smol:135m human_eval" in done.out
    assert path.name not in done.out
