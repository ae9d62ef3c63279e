"""Ranks on each value of a tag: tested on the same problems, adjusted over all values, ordered as people expect."""

from __future__ import annotations

import msgspec

from results.compare.leaderboard import make_tables
from results.compare.tag_ranks import ordered_values, tag_ranks
from results.compare.versus_best import Rank
from results.records import Completion
from results.store.reading.folder_run_store import FolderRunStore
from results.views.sentences.tag_words import tag_sentences
from tests.results.recorded_runs import F, P, record_run


def tagged(results, model, easy, hard):
    """A run that solved so many of 40 easy and of 40 hard problems."""
    outcomes = [P] * easy + [F] * (40 - easy) + [P] * hard + [F] * (40 - hard)
    run = record_run(results, outcomes, model=model)
    lines = [
        Completion(
            task_id=f"HumanEval/{number}",
            outcome=outcome,
            passed=outcome is P,
            tags={"difficulty": "easy" if number < 40 else "hard"},
        )
        for number, outcome in enumerate(outcomes)
    ]
    run.completions.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
    return run


def ranked(results, *runs):
    store = FolderRunStore(results)
    (table,) = make_tables([(run, run.read_record()) for run in runs], warn=lambda _: None)
    return tag_ranks(table.rows, "human_eval", "difficulty", store)


def test_a_run_may_be_as_good_on_easy_problems_and_worse_on_hard_ones(tmp_path):
    strong, weak = tagged(tmp_path, "Strong-Q8_0", 39, 30), tagged(tmp_path, "Weak-Q2_K", 37, 6)
    ranks = ranked(tmp_path, strong, weak)
    assert ranks.values == ("easy", "hard")
    assert ranks.versus["easy"][weak.run_id].rank is Rank.SAME
    worse = ranks.versus["hard"][weak.run_id]
    assert worse.rank is Rank.WORSE
    assert worse.samples == 40
    assert worse.adjusted_p is not None
    assert worse.p_value is not None
    assert worse.adjusted_p > worse.p_value, "for both values together"
    assert ranks.versus["hard"][strong.run_id].rank is Rank.BEST
    names = {strong.run_id: "Strong", weak.run_id: "Weak"}
    easy, hard = tag_sentences(ranks, names)
    assert easy.startswith("easy: Strong has the highest score, 97.5 on 40 problems; Weak may be as good")
    assert hard == "hard: Strong has the highest score, 75.0 on 40 problems; Weak is shown to be worse."


def test_one_run_alone_is_not_ranked(tmp_path):
    ranks = ranked(tmp_path, tagged(tmp_path, "Only-Q8_0", 20, 10))
    assert ranks.best == {}
    assert all("nothing to test" in each for each in tag_sentences(ranks, {}))


def test_values_stand_in_the_order_that_their_words_say():
    assert ordered_values(["hard", "Easy", "medium"]) == ["Easy", "medium", "hard"]
    assert ordered_values(["competition", "introductory", "interview"]) == [
        "introductory",
        "interview",
        "competition",
    ]
    assert ordered_values(["16", "4", "128"]) == ["4", "16", "128"]
    assert ordered_values(["lists", "strings", "nan", "inf"]) == ["inf", "lists", "nan", "strings"]
