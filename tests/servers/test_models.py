"""What users call a model is found or explained, and a model is known again by its content."""

from __future__ import annotations

import hashlib
import json
import os
import select
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from results.errors import UsageError
from servers.models import content_sha256, identity, resolve
from tests.command_line import ENDINGS, signalled
from tests.servers.gguf_file import STRING, U32, gguf

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working folder and home, with a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def split(folder, count=3, present=(1, 2, 3)):
    for number in present:
        pairs = {"split.no": (U32, number - 1), "split.count": (U32, count)}
        (folder / f"big-{number:05}-of-{count:05}.gguf").write_bytes(gguf(pairs))
    return folder / f"big-00001-of-{count:05}.gguf"


def hub_folder(folder, name="some-model"):
    path = folder / name
    path.mkdir()
    (path / "config.json").write_text("{}")
    (path / "model.safetensors").write_bytes(b"weights")
    (path / "README.md").write_text("is no part of the model")
    return path


@pytest.mark.parametrize("name", ["a model with spaces.gguf", "~.gguf", "Größe.gguf", "-m.gguf", "no suffix"])
def test_a_file_of_any_name_is_found(folder, name):
    (folder / name).write_bytes(gguf())
    model = resolve(str(folder / name))
    assert (model.kind, model.name, model.path) == ("gguf", Path(name).stem, folder / name)
    assert resolve(f"~/{name}").path == folder / name
    assert model.files() == (folder / name,)


def test_the_home_of_nobody_an_endless_name_and_an_empty_one_are_told(folder):
    for text, words in (
        ("~nobody-of-this-name/x.gguf", "can't be read"),
        ("x" * 300, "File name too long"),
        ("", "the model's name is empty"),
        ("nul\0.gguf", "there is no model"),
        ("/dev/null", "not a regular file"),
    ):
        with pytest.raises(UsageError, match=words):
            resolve(text)


def test_a_missing_model_is_told_with_what_is_there_instead(folder):
    with pytest.raises(UsageError, match=r"there is no model 'Qwen3-8B-Q4.gguf'") as caught:
        resolve("Qwen3-8B-Q4.gguf")
    assert "hf:owner/name/file.gguf" in caught.value.hint
    for name in ("Qwen3-8B-Q4_K_M.gguf", "Qwen3-8B-Q8_0.gguf", "gemma.gguf"):
        (folder / name).write_bytes(gguf())
    with pytest.raises(UsageError) as caught:
        resolve("Qwen3-8B-Q4.gguf")
    assert caught.value.hint == "did you mean Qwen3-8B-Q4_K_M.gguf, Qwen3-8B-Q8_0.gguf?"
    with pytest.raises(UsageError) as caught:
        resolve("something else.gguf")
    assert caught.value.hint.startswith(". has Qwen3-8B-Q4_K_M.gguf")
    with pytest.raises(UsageError) as caught:
        resolve("no/such/folder.gguf")
    assert "there is no folder no/such either" in caught.value.hint


def test_a_name_for_the_server_to_look_up(folder):
    model = resolve("Qwen/Qwen3-0.6B")
    assert (model.kind, model.name, model.path, model.files()) == ("name", "Qwen/Qwen3-0.6B", None, ())
    assert content_sha256(model) is None


@pytest.mark.parametrize("text", ["owner/name.gguf", "a/b/c", "here/none", "own er/name", "justname"])
def test_what_looks_like_a_path_is_no_such_name(folder, text):
    (folder / "here").mkdir()
    with pytest.raises(UsageError, match="there is no model"):
        resolve(text)


def test_a_hugging_face_folder_is_known_by_its_files(folder):
    model = resolve(str(hub_folder(folder)))
    assert (model.kind, model.name) == ("hf_folder", "some-model")
    assert [file.name for file in model.files()] == ["config.json", "model.safetensors"]
    before = content_sha256(model)
    assert identity(model).size_bytes == 9
    (folder / "some-model" / "README.md").write_text("changed")
    assert content_sha256(model) == before
    (folder / "some-model" / "config.json").write_text("[]")
    assert content_sha256(model) != before


def test_a_folder_by_a_relative_path_has_its_own_name(folder, monkeypatch):
    monkeypatch.chdir(hub_folder(folder))
    assert resolve(".").name == "some-model"


def test_a_folder_of_gguf_files_is_told_with_them(folder):
    for number in range(7):
        (folder / f"{number}.gguf").write_bytes(gguf())
    with pytest.raises(UsageError, match="is a folder of GGUF files") as caught:
        resolve(str(folder))
    assert "0.gguf, 1.gguf, 2.gguf, 3.gguf, 4.gguf and 2 more" in caught.value.hint


def test_an_empty_folder_is_told(folder):
    with pytest.raises(UsageError, match="is a folder that contains no model"):
        resolve(str(folder))


@pytest.mark.parametrize(
    ("pairs", "what", "hint"),
    [
        ({"general.architecture": (STRING, "clip")}, "the vision or audio part of a model", "--mmproj"),
        ({"general.type": (STRING, "adapter")}, "a LoRA adapter", "--lora"),
        ({"general.type": (STRING, "imatrix")}, "an importance matrix", "llama-quantize"),
    ],
)
def test_what_is_no_model_is_told_with_what_it_is_and_is_for(folder, pairs, what, hint):
    (folder / "other.gguf").write_bytes(gguf(pairs))
    with pytest.raises(UsageError, match=f"other.gguf is {what}.*, not a model") as caught:
        resolve("other.gguf")
    assert hint in caught.value.hint


def test_a_model_in_parts_is_one_model(folder):
    one = resolve(str(split(folder)))
    assert one.name == "big"
    assert [file.name[4:9] for file in one.files()] == ["00001", "00002", "00003"]
    assert one.header.parameter_count == 3 * 256
    assert identity(one).size_bytes == sum(file.stat().st_size for file in folder.glob("big*"))


def test_a_later_part_a_missing_one_a_cut_one_and_a_renamed_first_are_told(folder):
    first = split(folder)
    with pytest.raises(UsageError, match="is part 2 of 3") as caught:
        resolve("big-00002-of-00003.gguf")
    assert "first part" in caught.value.hint
    second = folder / "big-00002-of-00003.gguf"
    second.write_bytes(second.read_bytes()[:-1])
    with pytest.raises(UsageError, match=r"00002-of-00003.gguf is truncated: 1 of"):
        resolve(str(first))
    second.unlink()
    with pytest.raises(UsageError, match=r"parts of .* are missing: big-00002-of-00003.gguf"):
        resolve(str(first))
    first.rename(folder / "renamed.gguf")
    with pytest.raises(UsageError, match="the first of 3 parts, but its name doesn't say so"):
        resolve("renamed.gguf")


def test_a_whole_file_with_the_name_of_a_part_is_whole(folder):
    """Merged, and not renamed: what the file says of itself counts."""
    (folder / "x-00001-of-00002.gguf").write_bytes(gguf())
    model = resolve("x-00001-of-00002.gguf")
    assert model.files() == (Path("x-00001-of-00002.gguf"),)
    assert content_sha256(model)


def test_the_identity_of_a_file(folder):
    (folder / "a.gguf").write_bytes(gguf())
    found = identity(resolve("a.gguf"))
    assert found.path == str(folder / "a.gguf")
    assert found.sha256 is None  # that takes reading all of it
    assert found.size_bytes == len(gguf())
    assert (found.architecture, found.quantization, found.parameter_count) == ("llama", "Q4_0", 256)
    assert found.chat_template_sha256 == hashlib.sha256(b"{{ messages }}").hexdigest()


def test_a_kept_hash_is_used_until_the_file_changes(folder):
    file, cache = folder / "a.gguf", folder / "cache" / "bench_runner" / "sha256.json"
    file.write_bytes(gguf())
    real = content_sha256(resolve("a.gguf"))
    [(key, kept)] = json.loads(cache.read_text()).items()
    assert kept == real
    cache.write_text(json.dumps({key: "0" * 64}))
    assert content_sha256(resolve("a.gguf")) == "0" * 64  # not read again
    file.write_bytes(gguf({"general.name": (STRING, "another")}))
    assert content_sha256(resolve("a.gguf")) == hashlib.sha256(file.read_bytes()).hexdigest()


def test_a_replaced_file_of_the_same_size_and_time_is_hashed_anew(folder):
    """As `mv` and `cp -p` over it leave it."""
    file = folder / "a.gguf"
    file.write_bytes(gguf({"general.name": (STRING, "one")}))
    before, status = content_sha256(resolve("a.gguf")), file.stat()
    other = folder / "b.gguf"
    other.write_bytes(gguf({"general.name": (STRING, "two")}))
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(file)
    assert content_sha256(resolve("a.gguf")) != before


@pytest.mark.parametrize("broken", ["", "[1, 2", "[]", "null", "{KEY: 5}", '{KEY: "short"}', "\udcff"])
def test_a_broken_cache_only_costs_time(folder, broken):
    file, cache = folder / "a.gguf", folder / "cache" / "bench_runner" / "sha256.json"
    file.write_bytes(gguf())
    real = content_sha256(resolve("a.gguf"))
    key = json.dumps(next(iter(json.loads(cache.read_text()))))
    cache.write_bytes(broken.replace("KEY", key).encode(errors="surrogateescape"))
    assert content_sha256(resolve("a.gguf")) == real
    assert json.loads(cache.read_text()) == {json.loads(key): real}


def test_a_cache_that_can_not_be_written_only_costs_time(folder):
    (folder / "cache").write_text("a file where the folder should be")
    (folder / "a.gguf").write_bytes(gguf())
    assert content_sha256(resolve("a.gguf")) == hashlib.sha256(gguf()).hexdigest()


def test_a_file_that_vanishes_before_it_is_hashed_is_told(folder):
    (folder / "a.gguf").write_bytes(gguf())
    model = resolve("a.gguf")
    (folder / "a.gguf").unlink()
    for ask in (identity, content_sha256):
        with pytest.raises(UsageError, match=r"a.gguf can't be read: No such file"):
            ask(model)


RESOLVE = """
import sys
from results.errors import UsageError
from servers.models import resolve
for text in sys.argv[1:]:
    try:
        model = resolve(text)
        print(model.name, *(file.is_file() for file in model.files()))
    except UsageError as error:
        print(error.message, "|", error.hint)
"""


def resolved_offline(folder, *texts):
    """In a process of its own: huggingface_hub reads the environment when it is imported."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "hf")}
    command = [sys.executable, "-c", RESOLVE, *texts]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_hub_names_that_are_malformed_or_not_here_are_told_offline(folder):
    malformed = [
        "hf:",
        "hf:owner",
        "hf:owner/name",
        "hf:owner/name/",
        "hf:owner/name/model.safetensors",
        "hf:/n/f.gguf",
    ]
    *bad, spaces, outside, absent = resolved_offline(
        folder, *malformed, "hf:own er/name/f.gguf", "hf:owner/name/../f.gguf", "hf:owner/name/sub/f.gguf"
    )
    assert bad == [f"{text} is not a file on the Hub | hf:owner/name/file.gguf" for text in malformed]
    assert "could not be fetched: Repo id" in spaces
    assert "could not be fetched: Invalid filename" in outside
    assert "is not on this machine, and huggingface.co can't be reached" in absent
    assert "HF_HUB_OFFLINE" in absent


def test_hub_files_that_were_fetched_before_are_found_with_all_their_parts(folder):
    repository = folder / "hf" / "hub" / "models--owner--name"
    snapshot = repository / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("a" * 40)
    (snapshot / "sub").mkdir()
    (snapshot / "one.gguf").write_bytes(gguf())
    split(snapshot / "sub")
    one, parts = resolved_offline(
        folder, "hf:owner/name/one.gguf", "hf:owner/name/sub/big-00001-of-00003.gguf"
    )
    assert one == "one True"
    assert parts == "big True True True"
    (snapshot / "sub" / "big-00002-of-00003.gguf").unlink()
    (missing,) = resolved_offline(folder, "hf:owner/name/sub/big-00001-of-00003.gguf")
    assert "is not on this machine" in missing  # it was looked for there too


def test_several_programs_that_hash_models_keep_each_other_s_hashes(folder):
    """As the workers of a sweep do; what was known before stays known too."""
    cache = folder / "cache" / "bench_runner" / "sha256.json"
    cache.parent.mkdir(parents=True)
    cache.write_text(json.dumps({f"/models/{number}.gguf:1:1:1": f"{number:064x}" for number in range(2000)}))
    for number in range(60):
        (folder / f"{number}.gguf").write_bytes(gguf({"general.name": (STRING, str(number))}))
    code = (
        "import sys\nfrom servers.models import content_sha256, resolve\n"
        "for number in range(int(sys.argv[1]), 60, 4): print(content_sha256(resolve(f'{sys.argv[2]}/{number}.gguf')))"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", code, str(first), folder], cwd=ROOT, stdout=subprocess.PIPE)
        for first in range(4)
    ]
    found = {digest for writer in writers for digest in writer.communicate(timeout=60)[0].decode().split()}
    assert [writer.returncode for writer in writers] == [0] * 4
    kept = json.loads(cache.read_text())
    assert len(found) == 60
    assert len(kept) == 2060
    assert found < set(kept.values())


def test_the_hashes_that_are_kept_are_bounded(folder):
    cache = folder / "cache" / "bench_runner" / "sha256.json"
    cache.parent.mkdir(parents=True)
    cache.write_text(json.dumps({f"/models/{number}.gguf:1:1:1": f"{number:064x}" for number in range(9000)}))
    (folder / "new.gguf").write_bytes(gguf())
    digest = content_sha256(resolve(str(folder / "new.gguf")))
    kept = list(json.loads(cache.read_text()).values())
    assert (len(kept), kept[-1], kept[0]) == (4096, digest, f"{9001 - 4096:064x}")


@pytest.mark.parametrize(("number", "code"), ENDINGS)
def test_a_signal_while_the_hub_does_not_answer_ends_the_command(folder, number, code):
    """It is no failure of the download."""
    manifest = folder / "nightly.yaml"
    manifest.write_text("matrix: {model: hf:owner/name/f.gguf, benchmark: human_eval}\n")
    with socket.create_server(("127.0.0.1", 0)) as hub:
        environment = {
            "HF_ENDPOINT": f"http://127.0.0.1:{hub.getsockname()[1]}",
            "HF_HOME": str(folder / "hf"),
            "no_proxy": "127.0.0.1",
        }
        done = signalled(number, "sweep", manifest, "--dry-run", env=environment,
                         when=lambda _: select.select([hub], [], [], 0)[0])  # fmt: skip
    assert (done.code, "Traceback" in done.err) == (code, False), done.err
    assert f"stopped by {number.name}" in done.err
    assert "could not be fetched" not in done.err
