"""Composite scores in tables and summaries: nothing unknown looks like a figure, and only like stands beside like."""

from __future__ import annotations

import csv
import io
import json
import sys

import msgspec
import pytest

from results.compare.composites import parts_order, what_sets_apart
from results.compare.leaderboard import SortBy, make_tables
from results.plain_text import uncoloured
from results.records import decode_record, encode_record
from results.scores.composite import PartScore, SampleParts
from results.store.reading.part_lines import parts_of_completion, read_part_lines
from results.store.run_folder import all_records
from results.views.composites.composite_text import composite_rows
from results.views.composites.sample_parts_text import part_facts
from results.views.export import csv_text
from results.views.leaderboard_text import explanation, print_tables, table_cells
from results.views.run_text import print_list
from settings.scoring.weights import read_weights
from tests.results.composite_runs import composite
from tests.results.recorded_runs import F, P, record_run

HOST = {"processor": "one"}


def table_of(results_dir, sort_by=SortBy.COMPOSITE):
    (table,) = make_tables(all_records(results_dir, warn=pytest.fail), warn=pytest.fail, sort_by=sort_by)
    return table


def cells_of(table):
    header, lines = table_cells(table)
    return {line[0]: dict(zip(header, line, strict=True)) for line in lines}


def recorded(results_dir, **composites):
    for name, each in composites.items():
        record_run(results_dir, [P] * 15 + [F] * 5, model=name, composite=each, host=HOST)


def test_a_record_with_a_composite_is_read_back_whole(tmp_path):
    recorded(tmp_path, a=composite(speed=None, by_difficulty=True))
    ((_, record),) = all_records(tmp_path, warn=pytest.fail)
    assert decode_record(encode_record(record), where="it") == record
    assert record.score.score == 75.0, "the score stays pass@1"


def test_unknown_parts_are_never_figures(tmp_path):
    recorded(tmp_path, whole=composite(), partial=composite(speed=None), none=None)
    cells = cells_of(table_of(tmp_path))
    assert [*cells] == ["whole", "partial", "none"]
    assert cells["whole"]["composite (95 %)"] == "70.5 (66.5 to 74.5)"
    assert cells["whole"]["partial composite"] == ""
    assert cells["partial"]["composite (95 %)"] == "n/a"
    assert cells["partial"]["partial composite"] == "75.6 (71.6 to 79.6) without speed"
    assert (cells["partial"]["correctness"], cells["partial"]["speed"]) == ("80.0", "n/a")
    assert {cells["none"][name] for name in ("composite (95 %)", "correctness", "speed")} == {""}
    assert "No composite for partial: speed: no baseline and no target were given." in explanation(
        table_of(tmp_path)
    )


def test_a_table_without_composites_has_no_such_columns(tmp_path):
    recorded(tmp_path, a=None, b=None)
    table = table_of(tmp_path, SortBy.SCORE)
    assert not {"composite (95 %)", "speed", "scored"} & {*table_cells(table)[0]}
    assert "omposite" not in explanation(table)


def test_composites_of_other_weights_stand_apart_and_are_named(tmp_path):
    heavy = {"correctness": 0.9, "quality": 0.1}
    recorded(tmp_path, low=composite(10, 10, 10, 10), mid=composite(20, 20, 20, 20),
             other=composite(weights=heavy, own=None))  # fmt: skip
    table = table_of(tmp_path)
    assert [row.record.model for row in table.rows] == ["mid", "low", "other"], "the other's 78 is no rank"
    assert [cells["scored"] for cells in cells_of(table).values()] == ["a", "a", "b"]
    assert "b: correctness 90 %, quality 10 %" in explanation(table)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"rules": "2"}, ["rules"]),
        ({"baseline_run": "another"}, ["baselines or targets of speed"]),
        ({"target_s": 3.0}, ["baselines or targets of speed"]),
        ({"scorers": {"mine": "5d" * 32}, "rules": "1 | mine 5d"}, ["scorers"]),
    ],
)
def test_whatever_changes_a_composites_meaning_sets_it_apart(tmp_path, changed, named):
    recorded(tmp_path, a=composite(), b=composite(**changed))
    one, other = (row.record for row in table_of(tmp_path).rows)
    assert what_sets_apart(one, other) == named
    assert what_sets_apart(one, one) == []
    assert sorted(cells["scored"] for cells in cells_of(table_of(tmp_path)).values()) == ["a", "b"]


def test_speed_on_another_machine_sets_a_composite_apart(tmp_path):
    record_run(tmp_path, model="a", composite=composite(target_s=3.0), host={"processor": "one"})
    record_run(tmp_path, model="b", composite=composite(target_s=3.0), host={"processor": "two"})
    assert "on two" in explanation(table_of(tmp_path))


def test_a_scorer_of_ones_own_can_not_pass_for_a_column_of_ours(tmp_path):
    weights = {"correctness": 0.5, "seconds": 0.5}
    recorded(tmp_path, a=composite(own={"seconds": 30.0}, weights=weights, scorers={"seconds": "5d" * 32}))
    cells = cells_of(table_of(tmp_path))["a"]
    assert (cells["own: seconds"], cells["seconds"]) == ("30.0", "12")


def test_the_summary_tells_every_part_with_its_weight_and_why_it_is_missing():
    rows = dict(composite_rows(composite(speed=None, by_difficulty=True)))
    assert rows["composite"] == "n/a: speed: no baseline and no target were given"
    assert (
        rows["- partial"]
        == "75.6 of 100  (95 % interval 71.6 to 79.6), of correctness, quality and efficiency only"
    )
    assert rows["- speed"] == "n/a, weight 20 %: no baseline and no target were given"
    assert rows["- quality"] == "60.0 (56.0 to 64.0), weight 25 %, 20 samples"
    assert rows["- by difficulty"].startswith("easy 75.6 (71.6 to 79.6) without speed, medium 65.6")


def test_a_partial_composite_of_a_tag_names_what_it_lacks_and_is_ordered_with_its_like(tmp_path):
    """Of the easy tasks no solution could be measured, so that their composite lacks more than that of the run."""
    made = composite(speed=None, by_difficulty=True)
    easy, hard, *_ = made.by_tag
    parts = easy.parts | {"efficiency": PartScore(value=None, why_not="no reference")}
    easy = msgspec.structs.replace(easy, parts=parts, partial=PartScore(value=99.0))
    made = msgspec.structs.replace(made, by_tag=(easy, hard))
    rows = dict(composite_rows(made))
    assert rows["- by difficulty"].startswith("easy 99.0 without speed and efficiency, medium 65.6 (")
    assert rows["- by difficulty"].endswith(") without speed")
    ordered = sorted(made.by_tag, key=lambda each: parts_order(each, made.weights))
    assert [each.value for each in ordered] == ["medium", "easy"], "99 of fewer parts is no rank"


LINES = b"""\
{"task_id":"HumanEval/0","parts":{"quality":1.0}}
{"task_id":"HumanEval/1","parts":{"correctness":0.0},"why_not":{"quality":"it did not pass"}}
{"task_id":"HumanEval/0","parts":{"mine":30.0,"quality":72.5,"efficiency":81.25,"speed":40.0},"figures":{
"quality":{"lint":90.0,"length":50.0,"solution":{"findings":{"F401":2,"E711":1}},"reference":{"findings":{"E711":1}}},
"speed":{"response_s":5.0,"reference_s":2.0},
"efficiency":{"cpu_ratio":1.25,"memory_ratio":1.0,"rounds":9}}}
{"task_id":"HumanEval/2","parts":{"efficiency":0.0},"figures":{"efficiency":{"cpu_ratio_at_least":10,"scaled":true}}}
{"task_id":"HumanEval/3","parts":{"qual
""".replace(b'"figures":{\n', b'"figures":{').replace(b"},\n", b"},")


def test_each_answers_parts_are_told_with_what_they_come_from(tmp_path):
    run = record_run(tmp_path, [P, F, P, P], model="a")
    (run.path / "parts.jsonl").write_bytes(LINES)
    lines = read_part_lines(run.path)
    assert [*lines] == [("HumanEval/0", 0), ("HumanEval/1", 0), ("HumanEval/2", 0)], (
        "the torn line is no part"
    )
    assert part_facts(lines["HumanEval/0", 0]) == [
        ("speed", "40.0 (5 s to answer, beside 2 s)"),
        ("quality", "72.5 (lint 90, length 50, ruff: F401 x 2)"),
        ("efficiency", "81.2 (1.25 x the reference's processor time, 1.00 x its memory, 9 rounds)"),
        ("mine", "30.0"),
    ]
    assert part_facts(lines["HumanEval/1", 0]) == [
        ("correctness", "0.0"),
        ("quality", "n/a: it did not pass"),
    ]
    assert part_facts(lines["HumanEval/2", 0]) == [
        ("efficiency", "0.0 (more than 10 times the reference's processor time)")
    ]
    assert parts_of_completion(run.path, "HumanEval/0", 0) == lines["HumanEval/0", 0], "the last line counts"
    assert parts_of_completion(run.path, "HumanEval/9", 0) is None


def test_figures_of_another_form_are_left_out():
    odd = {
        "quality": {"lint": "x", "solution": 3},
        "speed": {"response_s": None},
        "efficiency": {"cpu_ratio": True},
    }
    parts = SampleParts(task_id="a", parts=dict.fromkeys(odd, 5.0), figures=odd)
    assert {text for _, text in part_facts(parts)} == {"5.0"}


def test_csv_has_the_parts_and_nothing_for_what_is_not_known(tmp_path):
    recorded(tmp_path, a=composite(speed=None), b=None)
    first, second = csv.DictReader(io.StringIO(csv_text([table_of(tmp_path)])))
    assert (first["composite_points"], first["speed_points"]) == ("", "")
    assert float(first["partial_composite_points"]) == pytest.approx(75.625)
    assert first["partial_composite_of"] == "correctness; quality; efficiency"
    assert float(first["quality_points"]) == 60.0
    assert json.loads(first["composite_weights_json"])["speed"] == 0.2
    assert first["composite_unknown"] == "speed: no baseline and no target were given"
    assert (second["composite_rules"], second["quality_points"]) == ("", "")


def plain(tmp_path, capsys):
    print_tables([table_of(tmp_path)], known=())
    header, *lines = (each.split("\t") for each in capsys.readouterr().out.splitlines())
    return {line[header.index("model")]: dict(zip(header, line, strict=True)) for line in lines}


def test_piped_lines_have_the_same_columns_with_and_without(tmp_path, capsys):
    recorded(tmp_path, a=composite())
    found = plain(tmp_path, capsys)["a"]
    assert (found["composite"], found["partial_of"], found["efficiency"]) == ("70.5", "", "90.0")


def test_piped_lines_say_own_parts_and_what_sets_composites_apart(tmp_path, capsys):
    weights = {"correctness": 0.6, "mine": 0.4}
    own = composite(own={"mine": 30.0}, weights=weights, scorers={"mine": "5d" * 32}, rules="1 | mine 5d5d")
    recorded(tmp_path, usual=composite(target_s=3.0), own=own, none=None)
    found = plain(tmp_path, capsys)
    assert (found["own"]["own_parts"], found["usual"]["own_parts"]) == ("mine=30.0", "")
    assert found["own"]["composite_weights"] == "correctness=60,mine=40"
    assert found["usual"]["composite_weights"] == "correctness=40,speed=20,quality=25,efficiency=15"
    assert read_weights(found["own"]["composite_weights"]) == {"correctness": 60.0, "mine": 40.0}
    assert (found["own"]["composite_rules"], found["usual"]["composite_rules"]) == ("1 | mine 5d5d", "1")
    assert found["usual"]["composite_speed_against"] == "a target of 3 s"
    assert {found["none"][name] for name in ("own_parts", "composite_weights", "composite_rules")} == {""}


def test_only_rules_that_differ_are_told_of_composites_that_stand_apart(tmp_path):
    rules = "1 | quality 2: ruff 0.17 | efficiency 2: 3 s"
    recorded(tmp_path, a=composite(rules=rules), b=composite(rules=rules.replace("0.17", "0.18")),
             c=composite(rules="1 | quality 2: ruff 0.17", weights={"correctness": 0.5, "quality": 0.5}))  # fmt: skip
    said = explanation(table_of(tmp_path))
    assert "efficiency 15 %, rules quality 2: ruff 0.17" in said
    assert "efficiency 15 %, rules quality 2: ruff 0.18" in said
    assert "3 s" not in said, "their efficiency was measured alike"


def test_a_narrow_terminal_keeps_a_partial_composite_and_drops_parts(tmp_path, capsys, monkeypatch):
    recorded(tmp_path, a=composite(speed=None, own={"mine": 30.0}), b=composite())
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    print_tables([table_of(tmp_path)], known=())
    said = capsys.readouterr().out
    assert "partial" in said.partition("too narrow for")[0]
    assert "own: mine" in said.partition("too narrow for")[2]
    assert max(map(len, uncoloured(said).split("too narrow")[0].splitlines())) <= 60


def test_a_list_of_runs_has_composites_where_there_are_any(tmp_path, capsys, monkeypatch):
    recorded(tmp_path, whole=composite(), partial=composite(speed=None), none=None)
    runs = [(row.status, row.record) for row in table_of(tmp_path).rows]
    print_list(runs, wide=False)
    header, *lines = (line.split("\t") for line in capsys.readouterr().out.splitlines())
    assert header[-2:] == ["composite", "partial_composite"]
    assert {line[3]: line[-2:] for line in lines} == {
        "whole": ["70.5", ""], "partial": ["", "75.6"], "none": ["", ""],
    }  # fmt: skip
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    print_list(runs, wide=True)
    assert "75.6 (partial)" in capsys.readouterr().out
    print_list([each for each in runs if each[1].composite is None], wide=True)
    assert "composite" not in capsys.readouterr().out
