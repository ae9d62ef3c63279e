"""Runs that are shown together have names of their own."""

from __future__ import annotations

from results.views.sentences.run_names import unique_names

ONE = "20261127T100000Z-gsm8k-m-00f3"
OTHER = "20261127T100001Z-gsm8k-m-00f4"
SAME_ENDING = "20261127T100002Z-gsm8k-m-00f3"


def test_a_name_that_one_run_has_stays():
    assert unique_names({ONE: "m", OTHER: "n"}) == {ONE: "m", OTHER: "n"}


def test_runs_of_one_name_have_the_ends_of_their_ids():
    assert unique_names({ONE: "m", OTHER: "m"}) == {ONE: "m (00f3)", OTHER: "m (00f4)"}


def test_runs_whose_ids_end_alike_have_their_whole_ids():
    names = unique_names({ONE: "m", OTHER: "m", SAME_ENDING: "m"})
    assert names == {ONE: f"m ({ONE})", OTHER: "m (00f4)", SAME_ENDING: f"m ({SAME_ENDING})"}


def test_a_label_that_reads_like_a_name_with_an_ending_is_told_from_it():
    names = unique_names({ONE: "m", OTHER: "m", SAME_ENDING: "m (00f4)"})
    assert len(set(names.values())) == 3
