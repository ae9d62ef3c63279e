"""Runs of one model over time: each is tested against the comparable one before it, and what changed is named."""

from __future__ import annotations

import datetime as dt

from results.compare.run_history import run_history
from results.compare.versus_best import Rank
from results.records import ServerFacts
from results.store.reading.folder_run_store import FolderRunStore
from results.store.run_store import RunOrder, RunQuery
from results.views.sentences.history_words import history_words, step_words
from tests.results.recorded_runs import BEGAN, F, P, record_run


def one(results, day, solved, build, settings=None):
    when = BEGAN + dt.timedelta(days=day)
    server = ServerFacts(kind="llama.cpp", effective={"build": build})
    outcomes = [P] * solved + [F] * (60 - solved)
    return record_run(results, outcomes, timestamp=when.isoformat(), server=server, settings=settings,
                      config={"path": "/m/Some-1B-Q4_K_M.gguf", "gpu_layers": 80})  # fmt: skip


def steps(results):
    store = FolderRunStore(results)
    return run_history(store.runs(RunQuery(order=RunOrder.OLDEST)).rows, store)


def test_a_build_that_made_it_worse_is_named(tmp_path):
    for day, (solved, build) in enumerate([(40, "b1"), (41, "b2"), (12, "b3")]):
        one(tmp_path, day, solved, build)
    first, same, worse = steps(tmp_path)
    assert first.rank is None
    assert same.rank is Rank.SAME
    assert worse.rank is Rank.WORSE
    assert "build b2 to b3" in worse.changed
    words = history_words((first, same, worse))
    assert words.kind == "bad"
    assert words.head == "Worse by 48.3 points with the newest run"
    assert "build b2 to b3" in words.sentences[0]
    assert step_words(worse).startswith("worse by 48.3 (p < 0.001)")


def test_nothing_is_said_of_one_run_or_of_runs_that_cannot_be_compared(tmp_path):
    one(tmp_path, 0, 40, "b1")
    assert history_words(steps(tmp_path)).head == "Only one run so far"
    one(tmp_path, 1, 10, "b1", settings={"temperature": 0.8})
    found = steps(tmp_path)
    assert found[1].rank is Rank.UNTESTED
    assert "temperature" in found[1].why
    assert history_words(found).kind == "calm"


def test_a_run_is_tested_against_the_newest_comparable_one(tmp_path):
    """An odd run between two of them doesn't break the series."""
    one(tmp_path, 0, 40, "b1")
    one(tmp_path, 1, 10, "b1", settings={"temperature": 0.8})
    one(tmp_path, 2, 11, "b1")
    found = steps(tmp_path)
    assert found[2].before == found[0].row
    assert found[2].rank is Rank.WORSE
