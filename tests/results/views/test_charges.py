"""What a provider charged, in each view; and a run with kept answers, which says nothing of speed or cost."""

from __future__ import annotations

import json

import msgspec
import pytest

from results.compare.run_choice import Choice, choose_runs
from results.records import decode_record
from results.stats.speed import answering_speed
from results.store.reading.charges import usd_per_solved
from tests.command_line import bench_runners
from tests.results.recorded_runs import F, P, record_run


def charged(results_dir, verdicts, /, *, record=None, **score):
    """A recorded run with these fields of its score. record: fields of the record."""
    run = record_run(results_dir, verdicts, model=score.pop("model", "m"), **(record or {}))
    written = run.read_record()
    changed = msgspec.structs.replace(written.score, **score)
    run.write_record(msgspec.structs.replace(written, score=changed))
    return run


@pytest.fixture
def views(tmp_path):
    """What `show`, `leaderboard` and `list` say of a priced run, a local one and one with kept answers."""
    priced = charged(
        tmp_path, (P, P, P, F), model="priced", cost_usd=0.6, details={"spent": {"most_cost_usd": 0.9}}
    )
    local = charged(tmp_path, (P, P, F, F), model="local")
    kept = charged(tmp_path, (P, P, P, F), model="kept", cost_usd=0.1, cached=3)
    shown = bench_runners(
        *(("show", run.run_id, "--results-dir", tmp_path) for run in (priced, local, kept)),
        ("leaderboard", "--json", "--results-dir", tmp_path),
        ("leaderboard", "--sort", "cost", "--results-dir", tmp_path),
        ("list", "--results-dir", tmp_path),
        ("report", "--format", "md", "--out", "-", "--results-dir", tmp_path),
    )
    return [each.out for each in shown]


def test_a_run_shows_what_it_was_charged(views):
    priced, local, kept, *_ = views
    assert (
        "0.6 USD for the answers, 0.2 a solved sample, at most 0.9 with the requests whose answers" in priced
    )
    assert "charged" not in local
    assert "3 of 4 were not asked for again, so there is no speed" in kept
    assert "a solved sample" not in kept
    assert "tokens/s" not in kept


def test_tables_have_the_cost_of_a_solved_sample(views):
    rows = {row["model"]: row for row in map(json.loads, views[3].splitlines())}
    of = {
        name: (row["cost_usd"], row["cost_per_solved_usd"], row["tokens_per_s"], row["cached_completions"])
        for name, row in rows.items()
    }
    assert of == {
        "priced": (0.6, pytest.approx(0.2), 100.0, 0),
        "local": (None, None, 100.0, 0),
        "kept": (0.1, None, None, 3),
    }
    header, *lines = [line.split("\t") for line in views[4].splitlines()]
    assert {line[header.index("model")]: line[header.index("usd_per_solved")] for line in lines} == {
        "priced": "0.2",
        "local": "",
        "kept": "",
    }
    assert "3 kept answers" in views[5]


@pytest.mark.parametrize(
    ("fields", "each"),
    [
        ({"cost_usd": 1.0}, 0.5),
        ({"cost_usd": 0.0}, 0.0),  # a model that is free costs nothing, which is known
        ({"cost_usd": None}, None),
        ({"cost_usd": 1.0, "outcomes": {"failed": 3}}, None),
        ({"cost_usd": 1.0, "cached": 1}, None),
    ],
)
def test_unknown_is_none_and_never_nothing(tmp_path, fields, each):
    score = charged(tmp_path, (P, P, F), **fields).read_record().score
    assert usd_per_solved(score) == each


def test_kept_answers_have_no_speed(tmp_path):
    score = charged(tmp_path, (P,), cached=1, details={"tokens_per_s": 5000.0}).read_record().score
    assert answering_speed(score) is None


def test_a_run_with_kept_answers_never_stands_for_one_that_was_measured(tmp_path):
    """Of runs of one configuration the newest is shown, unless it knows no speed and no cost."""

    def shown():
        chosen = choose_runs(tmp_path, Choice(), warn=pytest.fail)
        return [folder.run_id for folder, _ in chosen.runs]

    same = {"config": {"path": "/m/m.gguf"}}
    first = charged(tmp_path, (P,), cached=1, record=same)
    assert shown() == [first.run_id]
    measured = charged(tmp_path, (P,), record=same)
    charged(tmp_path, (P,), cached=1, record=same)
    assert shown() == [measured.run_id]
    newer = charged(tmp_path, (P,), record=same)
    assert shown() == [newer.run_id]


def test_older_records_have_no_cost(tmp_path):
    data = json.loads(record_run(tmp_path, (P,)).run_json.read_bytes())
    for name in ("cost_usd", "cached"):
        data["score"].pop(name)
    read = decode_record(json.dumps(data), where="")
    assert (read.score.cost_usd, read.score.cached) == (None, 0)


def test_compare_has_what_both_were_charged(tmp_path):
    """Which provider is cheaper for the same answers; a run with kept ones did not pay for them."""
    first = charged(tmp_path, (P, P, F), model="a", cost_usd=0.5)
    second = charged(tmp_path, (P, F, F), model="b", cost_usd=0.125)
    kept = charged(tmp_path, (P, F, F), model="c", cost_usd=0.125, cached=1)
    shown, without = bench_runners(
        *(("compare", first.run_id, run.run_id, "--results-dir", tmp_path) for run in (second, kept))
    )
    assert "A 0.5 USD" in shown.out
    assert "B 0.125 USD" in shown.out
    assert "B not measured" in without.out
