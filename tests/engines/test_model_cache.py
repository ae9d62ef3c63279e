"""Copied models: found by content, continued where a copy ended, never taken for another, and not more than may be."""

from __future__ import annotations

import hashlib
import os
import shutil

import pytest

from engines.node.messages import ModelFile, WantModel
from engines.node.model_cache import ModelCache
from results.errors import UsageError


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))


def wanted(content: bytes, *, path="/nowhere/m.gguf", name="m.gguf"):
    return WantModel(
        sha256=hashlib.sha256(content).hexdigest(),
        path=str(path),
        name=name,
        is_folder=False,
        files=(ModelFile(name=name, size_bytes=len(content)),),
    )


def copy(cache, content, *, name="m.gguf"):
    want = wanted(content, name=name)
    (have,) = cache.begin(want)
    cache.write(want, 0, have, content[have:])
    return cache.finish(want)


def test_a_model_is_found_by_its_content_wherever_it_lies(tmp_path):
    cache = ModelCache(tmp_path / "models", 1000)
    own, other = tmp_path / "own" / "m.gguf", tmp_path / "other" / "m.gguf"
    for path in (own, other):
        path.parent.mkdir()
    own.write_bytes(b"xx")
    other.write_bytes(b"ab")
    assert cache.find(wanted(b"xx", path=own), []) == own.parent
    assert cache.find(wanted(b"ab", path=own), [other.parent]) == other.parent
    assert cache.find(wanted(b"zz", path=own), [other.parent]) is None
    assert copy(cache, b"zz") == cache.find(wanted(b"zz", path=own), [other.parent])


def test_a_copy_that_was_cut_off_goes_on_where_it_ended(tmp_path):
    cache = ModelCache(tmp_path / "models", 1000)
    want = wanted(b"abcdef")
    assert cache.begin(want) == (0,)
    cache.write(want, 0, 0, b"abc")
    cache.leave(want.sha256)
    assert cache.find(want, []) is None, "half a model is none"
    later = ModelCache(tmp_path / "models", 1000)
    assert later.begin(want) == (3,)
    with pytest.raises(UsageError, match="another order"):
        later.write(want, 0, 2, b"c")
    later.write(want, 0, 3, b"def")
    folder = later.finish(want)
    assert (folder / "m.gguf").read_bytes() == b"abcdef"
    assert ModelCache(tmp_path / "models", 1000).begin(want) is None, "there after all"


def test_another_content_is_not_kept(tmp_path):
    cache = ModelCache(tmp_path / "models", 1000)
    want = wanted(b"abc")
    cache.begin(want)
    cache.write(want, 0, 0, b"abX")
    with pytest.raises(UsageError, match="another model"):
        cache.finish(want)
    assert cache.begin(want) == (0,)
    cache.leave(want.sha256)


def test_what_was_used_longest_ago_goes_but_nothing_that_is_in_use(tmp_path):
    cache = ModelCache(tmp_path / "models", 10)
    old, new = copy(cache, b"aaaa"), copy(cache, b"bbbb")
    os.utime(old / "used", (1, 1))
    with cache.in_use(old):
        third = copy(cache, b"cccc")
        assert old.exists()
        assert not new.exists()
        with cache.in_use(third), pytest.raises(UsageError, match="too little room"):
            cache.begin(wanted(b"dddddddd"))
    assert copy(cache, b"eeeeeeee").exists()
    assert not old.exists()
    with pytest.raises(UsageError, match="removed for another"), cache.in_use(old):
        pass


def test_a_model_larger_than_the_cache_or_with_an_odd_name_is_refused(tmp_path):
    cache = ModelCache(tmp_path / "models", 3)
    with pytest.raises(UsageError, match="keeps 3"):
        cache.begin(wanted(b"abcd"))
    for name in ("../m", "incomplete", "lock", ".m", ""):
        with pytest.raises(UsageError, match="odd names"):
            cache.begin(wanted(b"a", name=name))
    assert not list(tmp_path.rglob("m"))


def test_a_full_disk_is_told_before_anything_is_copied(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1))
    with pytest.raises(UsageError, match="no room"):
        ModelCache(tmp_path / "models", 1000).begin(wanted(b"abc"))


def test_a_folder_of_files_keeps_its_name(tmp_path):
    cache = ModelCache(tmp_path / "models", 1000)
    content = {"config.json": b"{}", "model.safetensors": b"abc"}
    sha256 = hashlib.sha256("".join(hashlib.sha256(each).hexdigest() for each in content.values()).encode())
    want = WantModel(
        sha256=sha256.hexdigest(),
        path="/nowhere/Qwen",
        name="Qwen",
        is_folder=True,
        files=tuple(ModelFile(name=name, size_bytes=len(each)) for name, each in content.items()),
    )
    assert cache.begin(want) == (0, 0)
    for number, each in enumerate(content.values()):
        cache.write(want, number, 0, each)
    folder = cache.finish(want)
    assert sorted(path.name for path in (folder / "Qwen").iterdir()) == ["config.json", "model.safetensors"]
