"""Verdicts that were made in different ways are never compared."""

from __future__ import annotations

import pytest

from results.compare.comparison import compare_runs
from results.compare.leaderboard import make_tables
from results.errors import ResultsError
from settings.verdict_rules import FIRST, rules_of
from tests.results.recorded_runs import F, P, record_run

CHOSEN, WRITTEN = {"answers_by": {"logprobs": 4}}, {"answers_by": {"generation": 4}}
MIXED = {"answers_by": {"logprobs": 2, "generation": 2}, "answers_by_sha256": "aa" * 32}
OTHERWISE = MIXED | {"answers_by_sha256": "bb" * 32}


def runs(tmp_path, *details, settings=({}, {}), benchmark="mmlu"):
    return [
        record_run(
            tmp_path, [P, F, P, F], benchmark=benchmark, details=each, settings={"benchmark": benchmark} | own
        )
        for each, own in zip(details, settings, strict=True)
    ]


@pytest.mark.parametrize(
    ("first", "second"), [(CHOSEN, WRITTEN), (CHOSEN, MIXED), (MIXED, OTHERWISE), (MIXED, WRITTEN)]
)
def test_choices_by_log_probability_and_by_letter_are_not_compared(tmp_path, first, second):
    folders = runs(tmp_path, first, second)
    with pytest.raises(ResultsError, match="they differ in answers_by"):
        compare_runs(*folders)
    tables = make_tables([(each, each.read_record()) for each in folders], warn=pytest.fail)
    assert [len(table.rows) for table in tables] == [1, 1]
    assert all("answers_by" in table.title for table in tables)


@pytest.mark.parametrize("details", [CHOSEN, WRITTEN, MIXED])
def test_choices_that_were_made_in_the_same_way_are_compared(tmp_path, details):
    assert compare_runs(*runs(tmp_path, details, details)).samples == 4


def test_letters_that_were_asked_for_and_letters_that_came_are_the_same(tmp_path):
    own = ({"options": {"answer_by": "auto"}}, {"options": {"answer_by": "letter"}})
    assert compare_runs(*runs(tmp_path, WRITTEN, {}, settings=own)).samples == 4
    with pytest.raises(ResultsError, match="answers_by log-probabilities and letter"):
        compare_runs(*runs(tmp_path, CHOSEN, {}, settings=own))


@pytest.mark.parametrize("name", ["extraction_version", "judging_version"])
def test_verdicts_of_different_rules_are_kept_apart(tmp_path, name):
    folders = runs(tmp_path, {}, {}, settings=({}, {name: 2}), benchmark="human_eval")
    with pytest.raises(ResultsError, match=f"they differ in {name} 1 and 2") as error:
        compare_runs(*folders)
    assert "rejudge" in error.value.hint
    tables = make_tables([(each, each.read_record()) for each in folders], warn=pytest.fail)
    assert [len(table.rows) for table in tables] == [1, 1]
    assert compare_runs(*runs(tmp_path, {}, {}, settings=({}, {name: 1}))).samples == 4


def test_answers_that_are_read_have_rules_of_today_and_others_the_first():
    assert rules_of("a_declared_suite").extraction_version > FIRST.extraction_version
    assert [rules_of(name) for name in ("speed", "kld")] == [FIRST, FIRST]
