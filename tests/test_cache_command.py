"""`cache stats` and `cache clear`: what is kept of the answers, and that nothing goes unless it was said."""

from __future__ import annotations

import json
import os

import pytest
from click.testing import CliRunner

from bench_runner import cli
from results.response_store import ResponseStore, store_path


@pytest.fixture
def typed(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def run(*words):
        done = CliRunner().invoke(cli, list(words))
        return done.exception.message if hasattr(done.exception, "message") else done.output

    return run


def keep(*keys):
    store = ResponseStore(store_path())
    store.put([(key, os.urandom(20_000)) for key in keys])
    store.close()


def kept():
    store = ResponseStore(store_path())
    try:
        return store.stats().entries
    finally:
        store.close()


def test_looking_makes_no_file(typed):
    shown = typed("cache", "stats")
    assert "answers         0" in shown
    assert "freed 0 B" in typed("cache", "clear", "--yes")
    assert not store_path().exists()


def test_what_is_kept_is_shown(typed):
    keep(b"a", b"b")
    shown = typed("cache", "stats")
    assert "answers         2" in shown
    assert str(store_path()) in shown
    figures = json.loads(typed("cache", "stats", "--json"))
    assert figures["entries"] == 2
    assert figures["size_bytes"] == store_path().stat().st_size
    assert figures["path"] == str(store_path())


def test_nothing_goes_without_yes(typed):
    keep(b"a")
    assert "would be emptied" in typed("cache", "clear")
    assert kept() == 1
    assert json.loads(typed("cache", "clear", "--yes", "--json"))["freed_bytes"] > 0
    assert kept() == 0


def test_a_damaged_file_is_said_by_stats_and_removed_by_clear(typed):
    keep(b"a")
    store_path().write_bytes(b"no database\n" * 1000)
    assert "kept answers" in typed("cache", "stats")
    assert "freed" in typed("cache", "clear", "--yes")
    assert kept() == 0


def test_prune_leaves_answers_that_were_paid_for(typed):
    keep(b"a")
    typed("prune", "--caches", "--yes")
    assert kept() == 1
