"""Runs of several machines: scores are compared, speed and energy only within one kind of machine, and it is said."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from results.compare.comparison import compare_runs
from results.compare.leaderboard import SortBy, make_tables
from results.stats.machines import kind_of, machine_text, speed_doubts, with_host
from results.views.comparison_text import _costs
from results.views.conclusion import conclusion
from results.views.leaderboard_text import about_machines, print_tables, table_cells
from tests.results.recorded_runs import F, P, record_run

FAST = {"hostname": "alpha", "processor": "Xeon", "gpus": [{"name": "H100"}]}
SLOW = {"hostname": "beta", "processor": "Xeon", "gpus": [{"name": "L4"}, {"name": "L4"}]}


def runs(folder, **hosts):
    """One a host, all with the same answers. The n-th generates n hundred tokens a second."""
    found = []
    for number, (model, host) in enumerate(hosts.items(), 1):
        run = record_run(folder, [P, P, F, P], model=model, host=host)
        record = run.read_record()
        record = replace(record, score=replace(record.score, completion_tokens=1000 * number))
        run.write_record(record)
        found.append((run, record))
    return found


def table_of(found, **options):
    (table,) = make_tables(found, warn=pytest.fail, **options)
    return table


def test_one_kind_of_machine_is_not_told(tmp_path, capsys):
    table = table_of(runs(tmp_path, a=FAST, b={**FAST, "hostname": "gamma"}))
    assert about_machines(table) == ""
    assert "machine" not in table_cells(table)[0]
    print_tables([table], known=())
    header, first, _ = (line.split("\t") for line in capsys.readouterr().out.splitlines())
    assert first[header.index("machine")] == "H100, Xeon"


def test_several_kinds_have_letters_and_their_speeds_are_not_ranked_together(tmp_path):
    table = table_of(runs(tmp_path, a=FAST, b=SLOW, c=FAST, d=SLOW, e=FAST), sort_by=SortBy.TOKENS_PER_S)
    header, cells = table_cells(table)
    at = header.index("machine")
    assert [(line[0], line[at]) for line in cells] == [
        ("e", "A"), ("c", "A"), ("a", "A"), ("d", "B"), ("b", "B")
    ]  # fmt: skip
    said = about_machines(table)
    assert said.startswith("Scores are compared across machines. Speed, seconds and energy")
    assert said.endswith("A: H100, Xeon; B: 2 x L4, Xeon.")
    sentences = " ".join(conclusion(table))
    assert "e GPUs=H100 is the fastest on H100, Xeon (500.0 tokens/s)" in sentences
    assert "d GPUs=L4 L4 is the fastest on 2 x L4, Xeon (400.0 tokens/s)" in sentences
    assert "They ran on several kinds of machine; speed and energy are compared only within one." in sentences


def test_scores_rank_across_machines(tmp_path):
    table = table_of(runs(tmp_path, a=FAST, b=SLOW))
    assert {row.versus.rank for row in table.rows} == {"best", "not distinguishable"}


def test_two_runs_on_other_machines_have_no_ratio_of_speed(tmp_path):
    (first, _), (second, _) = runs(tmp_path, a=FAST, b=SLOW)
    comparison = compare_runs(first, second)
    said = {(fact.name, fact.text) for fact in _costs(comparison.first, comparison.second)}
    speed = next(text for name, text in said if name == "speed")
    assert "of A" not in speed
    assert ("not comparable", "speed, load and energy: A ran on H100, Xeon, B on 2 x L4, Xeon") in said


def test_a_run_that_moved_between_machines_has_no_comparable_speed(tmp_path):
    run = record_run(tmp_path, [P], host=SLOW, earlier_hosts=("alpha",))
    assert speed_doubts(run.read_record()) == ("it moved between machines: alpha, beta",)
    other = record_run(tmp_path, [P], host=SLOW, model="x")
    table = table_of([(each, each.read_record()) for each in (run, other)])
    notes = table_cells(table)[1]
    assert any("moved between machines" in line[-1] for line in notes)
    assert with_host((), FAST, FAST) == ()
    assert with_host((), FAST, SLOW) == ("alpha",)
    assert with_host(("alpha",), SLOW, FAST) == ("alpha", "beta")


@pytest.mark.parametrize("host", [{}, {"gpus": 3}, {"gpus": ["x", {"name": {"y": 1}}]}, {"processor": ["z"]}])
def test_odd_facts_of_a_host_are_only_text(host):
    assert isinstance(machine_text(kind_of(host)), str)
