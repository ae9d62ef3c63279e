"""Which run to take: the cheapest of those not shown worse, and nothing where scores say little."""

from __future__ import annotations

import random

import pytest

from results.compare.leaderboard import make_tables
from results.compare.pick import Why, pick_run
from results.compare.versus_best import adjusted_for_choice
from results.records import ModelIdentity, Outcome
from results.stats.paired import mcnemar_exact, tango_interval
from results.telemetry import TelemetrySummary
from tests.results.recorded_runs import F, P, X, record_run

CUT = Outcome.TRUNCATED


def picked(folder, *runs, **facts):
    """runs: name, outcomes, GiB, tokens per second. The pick of their table."""
    made = [
        record_run(
            folder,
            outcomes,
            model=name,
            telemetry=TelemetrySummary(peak_memory_bytes=int(gib * 2**30) if gib else None),
            details={"tokens_per_s": speed},
            **facts,
        )
        for name, outcomes, gib, speed in runs
    ]
    (table,) = make_tables([(run, run.read_record()) for run in made], warn=pytest.fail)
    return pick_run(table)


def test_the_least_memory_of_those_not_shown_worse_is_taken(tmp_path):
    many = [P] * 150 + [F] * 14
    pick = picked(
        tmp_path,
        ("Q8_0", many, 8.2, 71.0),
        ("Q4_K_M", [F, F, *many[2:]], 5.1, 105.0),
        ("Q2_K", [F] * 60 + many[60:], 3.3, 120.0),
    )
    assert (pick.row.record.model, pick.runner_up.record.model, pick.why) == ("Q4_K_M", "Q8_0", Why.MEMORY)
    assert pick.settled
    assert 2 / 164 < pick.loss < 0.05
    assert pick.memory.words == "GPU memory"


def test_a_cheaper_run_that_may_be_much_worse_is_only_mentioned(tmp_path):
    best = [P] * 100 + [F] * 64
    pick = picked(
        tmp_path,
        ("Q8_0", best, 8.0, 1.0),
        ("Q4_K_M", [F, *best[:-1]], 5.0, 1.0),
        ("Q3_K_M", [F] * 30 + [P] * 94 + [F] * 40, 4.0, 1.0),
    )
    assert pick.row.record.model == "Q4_K_M"
    assert pick.settled
    assert pick.cheaper.record.model == "Q3_K_M"


def test_a_run_that_is_better_on_fewer_samples_makes_the_pick_tentative(tmp_path):
    pick = picked(tmp_path, ("whole", [F] * 20 + [P] * 60, 8, 1.0), ("short", [P] * 30, 8, 1.0))
    assert pick.row.record.model == "whole"
    assert [row.record.model for row in pick.better] == ["short"]
    assert not pick.settled


def test_the_fastest_decides_where_memory_hardly_differs(tmp_path):
    pick = picked(
        tmp_path, ("a", [P] * 40, 5.1, 70.0), ("b", [P] * 39 + [F], 5.0, 71.0), ("c", [P] * 40, 5.2, 99.0)
    )
    assert (pick.row.record.model, pick.why) == ("c", Why.SPEED)


def test_the_best_of_few_samples_is_tentative_too(tmp_path):
    """It is not shown to be better than a run that answered nothing right, and that one was cut."""
    pick = picked(tmp_path, ("a", [P] + [F] * 19, 1, 1.0), ("b", [CUT] * 17 + [F] * 3, 2, 2.0))
    assert pick.row.record.model == "a"
    assert [row.record.model for row in pick.passed_over] == ["b"]
    assert not pick.settled
    assert pick.samples_needed > 20


def test_speed_is_not_compared_between_machines(tmp_path):
    runs = [
        record_run(
            tmp_path,
            [P] * 40,
            model=name,
            details={"tokens_per_s": speed},
            host={"processor": processor},
            model_identity=ModelIdentity(name=name, size_bytes=size),
        )
        for name, speed, processor, size in (("a", 10.0, "old", 9), ("b", 90.0, "new", 9))
    ]
    (table,) = make_tables([(run, run.read_record()) for run in runs], warn=pytest.fail)
    pick = pick_run(table)
    assert not pick.same_machine
    assert pick.why is Why.SCORE


def test_few_samples_make_a_tentative_pick_and_say_how_many_are_needed(tmp_path):
    pick = picked(tmp_path, ("big", [P] * 15 + [F] * 5, 8, 1.0), ("small", [P] * 13 + [F] * 7, 2, 2.0))
    assert pick.row.record.model == "small"
    assert not pick.settled
    assert pick.loss > 0.10
    assert 100 < pick.samples_needed < 1000


@pytest.mark.parametrize(
    ("outcomes", "why"),
    [
        ([[F] * 20, [F] * 20], Why.NOTHING_SOLVED),
        ([[CUT] * 20, [CUT] * 20], Why.NOTHING_SOLVED),
        ([[P] + [CUT] * 19, [CUT] * 20], Why.UNFINISHED),
        ([[P] * 20], Why.ONE_RUN),
        ([[P] * 10 + [X] * 10, [P] * 11 + [X] * 9], Why.LOST),
    ],
)
def test_nothing_is_taken_where_scores_say_little(tmp_path, outcomes, why):
    pick = picked(tmp_path, *((f"m{n}", each, 1.0, 1.0) for n, each in enumerate(outcomes)))
    assert (pick.row, pick.why) == (None, why)


def test_runs_without_verdicts_are_not_chosen_between(tmp_path):
    pick = picked(tmp_path, ("a", [P] * 9, 1.0, 1.0), ("b", [P] * 9, 2.0, 1.0), no_verdicts=True)
    assert (pick.row, pick.why) == (None, Why.UNTESTED)


def test_the_stated_loss_holds_in_95_percent_of_tables():
    """The cheapest is the weakest here. Choosing it, and the best, from the same data must not break the promise."""
    chance, missed = random.Random(3), 0
    for _ in range(200):
        weaker = chance.choice([0.0, 0.05, 0.1, 0.15])
        verdicts = [[], [], []]
        for _ in range(60):
            hard = chance.random()
            for model, own in enumerate(verdicts):
                luck = hard if chance.random() < 0.7 else chance.random()
                own.append(luck < 0.6 - weaker * (model == 2))
        best = max(range(3), key=lambda model: sum(verdicts[model]))
        if best == 2:
            continue
        pairs = [*zip(verdicts[best], verdicts[2], strict=True)]
        only_best, only_pick = sum(a > b for a, b in pairs), sum(b > a for a, b in pairs)
        if adjusted_for_choice([mcnemar_exact(only_best, only_pick)], 3)[0] < 0.05:
            continue
        missed += weaker > -tango_interval(only_best, only_pick, 60)[0]
    assert missed <= 0.05 * 200
