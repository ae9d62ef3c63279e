"""`prune` deletes by its rules, only with --yes, and never what is labelled or in progress."""

from __future__ import annotations

import datetime as dt

import pytest
from click.testing import CliRunner

from bench_runner import cli
from results.store.remarks import RunRemarks
from results.store.run_folder import all_folders
from results.store.watch_folder import WatchFolder
from results.watch import PastLook, Watch
from tests.results.recorded_runs import record_run


@pytest.fixture
def runs(tmp_path):
    """Six runs of three models, the last of which began just now."""
    found = [record_run(tmp_path / "r", model=model) for model in ("A", "B", "A", "B", "A")]
    now = dt.datetime.now(dt.UTC).isoformat()
    return [*found, record_run(tmp_path / "r", model="C", timestamp=now)]


@pytest.fixture
def prune(tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_RESULTS_DIR", str(tmp_path / "r"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def typed(*words):
        done = CliRunner().invoke(cli, ["prune", *words])
        return done.exception.message if hasattr(done.exception, "message") else done.output

    return typed


def left(runs):
    return [number for number, run in enumerate(runs) if run.path.exists()]


def test_without_yes_nothing_goes(prune, runs):
    shown = prune("--keep", "last=2")
    assert "would delete 4 runs and free " in shown
    assert "kept: 2 among the last 2" in shown
    assert left(runs) == [0, 1, 2, 3, 4, 5]


def test_the_baseline_of_a_watch_stays(prune, runs, tmp_path):
    """Without it the next look would have nothing to compare with."""
    folder = WatchFolder.of(tmp_path / "r", "human_eval-x-1")
    with folder.claim():
        folder.write(Watch(watch_id=folder.watch_id, settings={}, baseline=(runs[1].run_id,)))
    assert "1 baselines of watch-build" in prune("--keep", "last=1", "--yes")
    assert left(runs) == [1, 5]


def test_both_runs_of_the_last_look_of_a_watch_stay(prune, runs, tmp_path):
    """Until the build changes, each look judges both again, and the first is not the newest of its configuration."""
    folder = WatchFolder.of(tmp_path / "r", "human_eval-x-1")
    past = [PastLook(timestamp="", runs=(runs[at].run_id, runs[at + 2].run_id)) for at in (1, 0)]
    with folder.claim():
        folder.write(Watch(watch_id=folder.watch_id, settings={}, baseline=(), looks=tuple(past)))
    assert "2 in the last look of watch-build" in prune("--keep", "newest", "--yes")
    assert left(runs) == [0, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        (("--keep", "last=2"), [4, 5]),
        (("--keep", "newest"), [3, 4, 5]),
        (("--older-than", "1h"), [5]),
        (("--keep", "last=3", "--older-than", "1h"), [3, 4, 5]),
        (("--keep", "last=99"), [0, 1, 2, 3, 4, 5]),
        (("--keep", "labelled"), []),
        (("--keep", "last=0"), []),
    ],
)
def test_each_rule_keeps_its_own(prune, runs, words, kept):
    prune(*words, "--yes")
    assert left(runs) == kept


def test_labelled_runs_and_runs_in_progress_stay(prune, runs, tmp_path):
    RunRemarks(tmp_path / "r", str).label(runs[1], "baseline")
    with runs[0].claim():
        shown = prune("--keep", "last=1", "--yes")
    assert "deleted 3 runs, freed " in shown
    assert "1 labelled" in shown
    assert "1 running, or of a running sweep" in shown
    assert left(runs) == [0, 1, 5]
    assert len(all_folders(tmp_path / "r")) == 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "nothing says what to prune"),
        (("--keep", "best"), "--keep 'best' is no rule"),
        (("--keep", "last=-1"), "is no rule"),
        (("--older-than", "soon"), "--older-than 'soon' is not a time"),
    ],
)
def test_a_mistake_deletes_nothing(prune, runs, words, said):
    assert said in prune(*words, "--yes")
    assert len(left(runs)) == 6


def test_the_cache_is_emptied_without_its_locks(prune, runs, tmp_path):
    cache = tmp_path / "cache" / "bench_runner"
    (cache / "models").mkdir(parents=True)
    (cache / "models" / "m.gguf").write_bytes(bytes(100_000))
    (cache / "models" / "m.lock").touch()
    (cache / "built" / "server").mkdir(parents=True)
    (cache / "sha256.json").write_text("{}")
    shown = prune("--caches")
    assert "m.gguf\t102.4 kB" in shown
    assert "to do it, add --yes" in shown
    assert (cache / "models" / "m.gguf").exists()
    assert "of the cache" in prune("--caches", "--yes")
    assert [path.name for path in sorted(cache.rglob("*")) if path.is_file()] == ["m.lock"]
    assert "the cache is empty" in prune("--caches")
    assert len(left(runs)) == 6


def test_base_logits_are_shown_and_deleted_but_not_while_they_are_written(prune, tmp_path):
    folder = tmp_path / "cache" / "bench_runner" / "base_logits"
    for name in ("f16-512x4-0123456789abcdef", ".f16-512xall-fedcba9876543210"):
        (folder / name).mkdir(parents=True)
        (folder / name / "logits").write_bytes(bytes(100_000))
    shown = prune("--caches")
    assert "f16-512x4-0123456789abcdef\t1" in shown  # about 100 kB, with its folder
    assert "512xall" not in shown
    prune("--caches", "--yes")
    assert [each.name for each in folder.iterdir()] == [".f16-512xall-fedcba9876543210"]
