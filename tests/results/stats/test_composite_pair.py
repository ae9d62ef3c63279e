"""Two composites on the same samples: the interval of their difference keeps what it promises."""

from __future__ import annotations

import numpy as np
import pytest

from results.compare.comparison import compare_runs
from results.json_text import encode
from results.scores.composite import SampleParts
from results.stats.composite import composite_of
from results.stats.composite_pair import composite_pair
from results.views.composites.pair_text import composite_pair_facts
from tests.results.composite_runs import composite
from tests.results.recorded_runs import F, P, record_run

WEIGHTS = {"correctness": 60.0, "quality": 40.0}


def lines_of(solved, quality):
    return [
        SampleParts(
            task_id=f"T/{number}",
            parts={"correctness": 100.0 * passed, **({"quality": float(good)} if passed else {})},
        )
        for number, (passed, good) in enumerate(zip(solved, quality, strict=True))
    ]


def drawn_run(chance, hard, skill, quality, samples):
    solved = chance.random(samples) < 1 / (1 + np.exp(6 * (hard - skill)))
    return lines_of(solved, np.clip(chance.normal(quality, 15, samples), 0, 100))


@pytest.mark.parametrize(
    ("skill", "quality", "samples"), [(0.6, 75, 60), (0.5, 70, 20)]
)  # the first run's are 0.5 and 70
def test_the_interval_holds_the_true_difference_in_95_of_100_draws(skill, quality, samples):
    chance = np.random.default_rng(5)
    many = np.random.default_rng(6)
    hard = many.random(4_000)
    true = composite_pair(
        drawn_run(many, hard, 0.5, 70, 4_000),
        drawn_run(many, hard, skill, quality, 4_000),
        WEIGHTS,
        draws=10,
    )
    held = 0
    for _ in range(100):
        hard = chance.random(samples)
        found = composite_pair(
            drawn_run(chance, hard, 0.5, 70, samples),
            drawn_run(chance, hard, skill, quality, samples),
            WEIGHTS,
            draws=400,
        )
        held += found.low <= true.difference <= found.high
    assert held >= 90, held  # 95 are expected


def test_the_difference_is_on_common_samples_and_by_part():
    first = lines_of([1, 1, 0, 0], [80, 60, 0, 0])
    second = lines_of([1, 1, 1, 0, 1, 1], [90, 70, 50, 0, 1, 1])
    found = composite_pair(first, second, WEIGHTS)
    assert (found.samples, found.of, found.is_partial) == (4, ("correctness", "quality"), False)
    assert found.parts == {"correctness": 25.0, "quality": 0.0}
    assert (found.first, found.second, found.difference) == (58.0, 73.0, 15.0)
    assert found.low < 0 < found.high
    assert not found.shown
    back = composite_pair(second, first, WEIGHTS)
    assert (back.difference, back.first) == (-found.difference, found.second)
    assert composite_pair(first, second, WEIGHTS) == found, "the same answers always give the same"


def test_equal_answers_still_leave_a_doubt():
    lines = lines_of([1] * 20, [80] * 20)
    found = composite_pair(lines, lines, WEIGHTS)
    assert found.difference == 0
    assert found.low < -1
    assert found.high > 1


def test_a_part_that_one_run_lacks_is_left_out_and_named():
    first = [SampleParts(task_id="a", parts={"correctness": 100.0, "quality": 50.0})]
    second = [SampleParts(task_id="a", parts={"correctness": 0.0})]
    found = composite_pair(first, second, WEIGHTS)
    assert (found.of, found.is_partial, found.difference) == (("correctness",), True, -100.0)
    assert composite_pair(first, [SampleParts(task_id="b", parts={"correctness": 1.0})], WEIGHTS) is None
    assert composite_pair(first, [SampleParts(task_id="a", parts={"mine": 1.0})], WEIGHTS) is None


def test_compare_tells_it_or_why_not(tmp_path):
    outcomes = [P] * 15 + [F] * 5
    lines = [lines_of([1] * 15 + [0] * 5, [quality] * 20) for quality in (50, 90)]
    one, other, heavy, plain = (
        record_run(tmp_path, outcomes, model=name, composite=each, host={"processor": "one"})
        for name, each in {
            "one": composite_of(lines[0], weights=WEIGHTS, rules="1"),
            "other": composite_of(lines[1], weights=WEIGHTS, rules="1"),
            "heavy": composite(weights={"correctness": 1.0}),
            "plain": None,
        }.items()
    )
    for run, some in zip((one, other), lines, strict=True):
        (run.path / "parts.jsonl").write_bytes(b"".join(encode(line) + b"\n" for line in some))
    facts = composite_pair_facts(compare_runs(one, other))
    assert facts[0] == ("composite", "A 65.0, B 81.0 of 100, on 20 samples")
    assert facts[1][1].startswith("difference +16.0 (95 % interval +")
    assert facts[1][1].endswith("): B is better")
    assert composite_pair_facts(compare_runs(one, heavy)) == [("composite", "not compared: other weights")]
    assert composite_pair_facts(compare_runs(one, plain)) == [("composite", "only A has one")]
    assert composite_pair_facts(compare_runs(plain, record_run(tmp_path, outcomes))) == []
    (one.path / "parts.jsonl").write_bytes(b"".join(encode(line) + b"\n" for line in lines[1]))
    facts = composite_pair_facts(compare_runs(one, other))
    assert facts == [
        ("composite", f"not compared: a later scoring of {one.run_id} was cut off; rescore it")
    ], "it would be of figures that the record does not have"
