"""Base logits are made once, found again only if whole and of the same key, bounded, and never half there."""

import asyncio
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from evaluation.benchmarks.kld.base_cache import BaseCache, BaseKey, NoRoomError
from evaluation.benchmarks.kld.logits_file import BadLogitsError, LogitsHeader
from results.folders import size_bytes_of
from tests.programs.fake_perplexity import encoded, logits_of, tokens_of

ROOT = Path(__file__).parents[2]
MODEL = {"vocab": 301, "seed": 3}
WINDOW, CHUNKS = 32, 3
HEADER = LogitsHeader(WINDOW, MODEL["vocab"], CHUNKS)


def key_of(**changes):
    facts = {"model_sha256": "a" * 64, "text_sha256": "b" * 64, "window": WINDOW, "limit": None, "build": "1"}
    return BaseKey(**{**facts, **changes})


def cache_in(folder, limit_bytes=1 << 30):
    said = []
    cache = BaseCache(limit_bytes, said.append, folder)
    cache.said = said
    folder.mkdir(exist_ok=True)
    return cache


def make(cache, key, *, chunks=CHUNKS):
    with cache.writer(key, "model F16") as writer:
        writer.begin(HEADER, tokens_of(MODEL, WINDOW, CHUNKS))
        for chunk in range(chunks):
            writer.add(encoded(logits_of(MODEL, WINDOW, chunk)))
        writer.finish(12.5)


def rows_of(found):
    with found:
        return [found.rows() for _ in range(found.facts.n_chunks)]


def test_what_was_made_is_found_again_with_every_number(tmp_path):
    cache = cache_in(tmp_path / "it")
    make(cache, key_of())
    found = cache.find(key_of())
    assert (found.facts.model, found.facts.perplexity) == ("model F16", 12.5)
    assert (found.tokens == tokens_of(MODEL, WINDOW, CHUNKS)).all()
    for chunk, rows in enumerate(rows_of(found)):
        whole = np.frombuffer(encoded(logits_of(MODEL, WINDOW, chunk)), "<u2").reshape(HEADER.scored, -1)
        assert (rows == whole[:, : 4 + MODEL["vocab"]]).all()


@pytest.mark.parametrize(
    "change",
    [
        {"model_sha256": "c" * 64},
        {"text_sha256": "c" * 64},
        {"window": 64},
        {"limit": 2},
        {"build": "2"},
        {"options": ("-ngl", "99")},
    ],
)
def test_another_key_is_another_one(tmp_path, change):
    cache = cache_in(tmp_path / "it")
    make(cache, key_of())
    assert cache.find(key_of(**change)) is None


@pytest.mark.parametrize("damage", ["cut", "longer", "no facts", "torn facts"])
def test_one_that_is_not_whole_is_made_again(tmp_path, damage):
    cache = cache_in(tmp_path / "it")
    make(cache, key_of())
    folder = next((tmp_path / "it").glob("model*"))
    logits, facts = folder / "logits", folder / "base.json"
    match damage:
        case "cut":
            os.truncate(logits, HEADER.file_bytes - 1)
        case "longer":
            os.truncate(logits, HEADER.file_bytes + 1)
        case "no facts":
            facts.unlink()
        case "torn facts":
            os.truncate(facts, 20)
    assert cache.find(key_of()) is None
    make(cache, key_of())
    assert len(rows_of(cache.find(key_of()))) == CHUNKS


def test_a_bit_that_changed_on_disk_is_found_and_the_file_removed(tmp_path):
    cache = cache_in(tmp_path / "it")
    make(cache, key_of())
    logits = next((tmp_path / "it").glob("model*/logits"))
    data = bytearray(logits.read_bytes())
    data[-5] ^= 1
    logits.write_bytes(data)
    with pytest.raises(BadLogitsError, match="damaged on disk"):
        rows_of(cache.find(key_of()))
    assert cache.find(key_of()) is None


def test_a_writer_that_fails_leaves_nothing(tmp_path):
    cache = cache_in(tmp_path / "it")
    with pytest.raises(RuntimeError, match="not whole"):
        make(cache, key_of(), chunks=2)
    assert list((tmp_path / "it").iterdir()) == []


def test_the_one_unused_for_longest_makes_room(tmp_path):
    cache = cache_in(tmp_path / "it", limit_bytes=3 * HEADER.file_bytes)
    for build in "12":
        make(cache, key_of(build=build))
    for number, folder in enumerate(
        sorted((tmp_path / "it").glob("model*"), key=lambda each: each.stat().st_mtime)
    ):
        os.utime(folder / "base.json", (number, number))
    with cache.find(key_of(build="1")):  # used just now
        pass
    cache.make_room(2 * HEADER.file_bytes - 2000)  # their own facts take a little
    assert cache.find(key_of(build="2")) is None
    with cache.find(key_of(build="1")) as kept:
        assert kept.facts.key.build == "1"
    assert "removing older base logits" in cache.said[0]


def test_what_another_run_deletes_meanwhile_takes_no_room(tmp_path):
    """Between the list of files and the look at one, it may go."""
    cache = cache_in(tmp_path / "it")
    make(cache, key_of())
    (tmp_path / "it" / "other-1").mkdir()
    (tmp_path / "it" / "other-1" / "logits").symlink_to(tmp_path / "gone")
    cache.make_room(1)
    with cache.find(key_of()):
        pass
    assert size_bytes_of(tmp_path / "gone") == 0


def test_a_lock_that_can_t_be_opened_is_told_and_of_a_killed_writer_it_is_passed_over(tmp_path):
    cache = cache_in(tmp_path / "it")
    (tmp_path / "it" / ".model-abc").mkdir()
    for name in ("abc.lock", f"{key_of().digest}.lock"):
        (tmp_path / "it" / name).symlink_to(name)  # to itself
    cache.make_room(1)
    assert (tmp_path / "it" / ".model-abc").exists()

    async def claim():
        async with cache.claim(key_of()):
            pytest.fail("it can't be locked")

    with pytest.raises(NoRoomError, match="can't be kept in"):
        asyncio.run(claim())


def test_one_larger_than_the_bound_or_the_disk_is_refused_with_both_sizes(tmp_path):
    cache = cache_in(tmp_path / "it", limit_bytes=10 << 20)
    with pytest.raises(NoRoomError, match=r"need 20.0 MiB, and the cache may hold 10.0 MiB") as refused:
        cache.make_room(20 << 20)
    assert "--kld-cache-size" in refused.value.hint
    cache = cache_in(tmp_path / "it", limit_bytes=1 << 60)
    with pytest.raises(NoRoomError, match=r"need 1048576.0 GiB in .*GiB are free") as refused:
        cache.make_room(1 << 50)
    assert "XDG_CACHE_HOME" in refused.value.hint


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path):
    cache = cache_in(tmp_path / "it")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (HEADER.file_bytes // 2, before[1]))
    try:
        with pytest.raises(NoRoomError, match="can't be kept") as refused:
            make(cache, key_of())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "XDG_CACHE_HOME" in refused.value.hint
    assert list((tmp_path / "it").iterdir()) == []


_WRITER = """
import asyncio, sys, time
from pathlib import Path
from tests.evaluation.test_base_logits_cache import *
async def main():
    cache = cache_in(Path(sys.argv[1]))
    async with cache.claim(key_of()):
        with cache.writer(key_of(), "model F16") as writer:
            writer.begin(HEADER, tokens_of(MODEL, WINDOW, CHUNKS))
            writer.add(encoded(logits_of(MODEL, WINDOW, 0)))
            print("writing", flush=True)
            time.sleep(60)
asyncio.run(main())
"""


def test_kill_9_while_one_is_written_leaves_none_and_the_next_writer_cleans_up(tmp_path):
    folder = tmp_path / "it"
    command = [sys.executable, "-c", _WRITER, str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "writing\n"
        cache = cache_in(folder)
        hidden = list(folder.glob(".model*"))
        assert len(hidden) == 1
        cache.make_room(1)  # of a living writer nothing is removed
        assert hidden[0].exists()
        process.send_signal(signal.SIGKILL)
    assert cache.find(key_of()) is None
    cache.make_room(1)
    assert not hidden[0].exists()
    make(cache, key_of())
    assert len(rows_of(cache.find(key_of()))) == CHUNKS


def test_the_second_of_two_that_want_the_same_waits_for_the_first(tmp_path):
    cache = cache_in(tmp_path / "it")

    async def want(name, order):
        async with cache.claim(key_of()):
            order.append(name)
            await asyncio.sleep(0.05)
            order.append(name)

    async def both():
        order = []
        await asyncio.gather(want("one", order), want("other", order))
        return order

    began = time.monotonic()
    assert asyncio.run(both()) in (["one"] * 2 + ["other"] * 2, ["other"] * 2 + ["one"] * 2)
    assert time.monotonic() - began < 5
    assert cache.said == ["waiting for another run that makes the same base logits"]
