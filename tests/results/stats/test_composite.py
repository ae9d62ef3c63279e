"""The arithmetic of composite scores: means, null rules, intervals."""

from __future__ import annotations

import pytest

from results.scores.composite import NOT_PASSED, SampleParts
from results.stats.composite import DEFAULT_WEIGHTS, composite_of, is_composite_of


def line(number: int, **parts: float) -> SampleParts:
    return SampleParts(task_id=f"t/{number}", parts=parts)


def timed(number: int, baseline_s: float, response_s: float) -> SampleParts:
    figures = {"speed": {"reference_s": baseline_s, "response_s": response_s}}
    return SampleParts(
        task_id=f"t/{number}", parts={"speed": min(100.0, 100 * baseline_s / response_s)}, figures=figures
    )


def test_the_composite_is_the_weighted_mean_of_the_parts():
    lines = [
        line(0, correctness=100, speed=50, quality=80, efficiency=40),
        line(1, correctness=0),
        line(2, correctness=100, quality=60, efficiency=100),
    ]
    lines[0] = SampleParts(
        task_id="t/0", parts=lines[0].parts, figures={"speed": {"reference_s": 1.0, "response_s": 2.0}}
    )
    found = composite_of(lines, weights=DEFAULT_WEIGHTS, rules="1")
    values = {name: score.value for name, score in found.parts.items()}
    assert values == {
        "correctness": pytest.approx(200 / 3),
        "speed": 50,
        "quality": 70,
        "efficiency": 70,
    }
    expected = 0.4 * 200 / 3 + 0.2 * 50 + 0.25 * 70 + 0.15 * 70
    assert found.composite.value == pytest.approx(expected)
    assert found.composite.low is None, "one sample of three has a speed: too few for an interval"
    assert found.partial is None
    assert sum(found.weights.values()) == pytest.approx(1)


def test_speed_is_a_ratio_of_totals_so_that_noise_of_single_answers_costs_nothing():
    lines = [timed(0, 1.0, 2.0), timed(1, 2.0, 1.0), timed(2, 3.0, 6.0)]
    found = composite_of(lines, weights={"speed": 1}, rules="1")
    assert found.parts["speed"].value == pytest.approx(100 * 6 / 9)
    as_fast = composite_of([timed(0, 1.0, 2.0), timed(1, 2.0, 1.0)], weights={"speed": 1}, rules="1")
    assert as_fast.composite.value == 100


def test_what_is_not_known_makes_the_composite_null_and_a_partial_one_is_told_beside():
    lines = [line(n, correctness=100 * (n % 2), quality=50 + n) for n in range(20)]
    found = composite_of(lines, weights=DEFAULT_WEIGHTS, rules="1", unknown={"speed": "no baseline"})
    assert found.composite.value is None
    assert found.composite.why_not == "not known: speed, efficiency"
    assert found.parts["speed"].why_not == "no baseline"
    assert found.partial_of == ("correctness", "quality")
    assert found.partial.value == pytest.approx((0.4 * 50 + 0.25 * 59.5) / 0.65)


def test_a_part_is_never_0_for_not_being_known():
    found = composite_of([line(0, correctness=0)], weights={"correctness": 40, "quality": 60}, rules="1")
    assert found.parts["quality"].value is None
    assert found.composite.value is None
    assert found.partial.value == 0


def test_a_weight_of_0_leaves_a_part_out():
    found = composite_of([line(0, correctness=100)], weights={"correctness": 40, "speed": 0}, rules="1")
    assert found.weights == {"correctness": 1.0}
    assert found.composite.value == 100
    assert "speed" not in found.parts


def test_a_part_beside_is_told_and_does_not_count():
    lines = [line(n, correctness=100, mine=10) for n in range(3)]
    found = composite_of(lines, weights={"correctness": 1}, rules="1", beside=["mine"])
    assert found.parts["mine"].value == 10
    assert found.composite.value == 100


def test_the_reason_that_most_samples_have_is_told():
    lines = [
        SampleParts(task_id=f"t/{n}", why_not={"efficiency": "no reference" if n else "did not pass"})
        for n in range(3)
    ]
    found = composite_of(lines, weights={"efficiency": 1}, rules="1")
    assert found.parts["efficiency"].why_not == "no reference"
    assert found.partial is None


def test_the_same_lines_in_another_order_give_the_same_figures():
    lines = [line(n, correctness=100 * (n % 3 == 0), quality=n) for n in range(30)]
    forwards = composite_of(lines, weights={"correctness": 1, "quality": 1}, rules="1")
    assert composite_of(lines[::-1], weights={"correctness": 1, "quality": 1}, rules="1") == forwards


def test_twenty_right_answers_of_twenty_leave_a_doubt():
    found = composite_of([line(n, correctness=100) for n in range(20)], weights={"correctness": 1}, rules="1")
    assert found.composite.value == 100
    assert 70 < found.composite.low < 97


def test_difficulties_have_scores_of_their_own():
    lines = [
        SampleParts(
            task_id=f"t/{n}",
            tags={"difficulty": "easy" if n < 3 else "hard"},
            parts={"correctness": 100.0 * (n < 3)},
        )
        for n in range(6)
    ]
    easy, hard = composite_of(lines, weights={"correctness": 1}, rules="1").by_tag
    assert (easy.value, easy.composite.value, easy.composite.samples) == ("easy", 100, 3)
    assert (hard.value, hard.composite.value) == ("hard", 0)


def test_several_completions_of_a_sample_are_one_sample():
    """The interval does not shrink for asking the same questions again."""
    once = [line(n, correctness=100 * (n % 2)) for n in range(20)]
    again = [SampleParts(task_id=one.task_id, index=i, parts=one.parts) for one in once for i in range(5)]
    few = composite_of(once, weights={"correctness": 1}, rules="1").composite
    many = composite_of(again, weights={"correctness": 1}, rules="1").composite
    assert many.value == few.value
    assert many.high - many.low > 0.9 * (few.high - few.low)


@pytest.mark.parametrize("share", [0.8])
def test_the_interval_covers_the_truth(share):
    """About 95 times in 100, over seeded draws of runs."""
    import numpy as np

    chance = np.random.default_rng(7)
    covered = 0
    for _ in range(25):
        passed = chance.random(40) < share
        quality = chance.uniform(40, 100, 40)
        lines = [
            line(n, correctness=100.0 * passed[n], **({"quality": quality[n]} if passed[n] else {}))
            for n in range(40)
        ]
        found = composite_of(lines, weights={"correctness": 1, "quality": 1}, rules="1").composite
        covered += found.low <= (100 * share + 70) / 2 <= found.high
    assert covered >= 21


def test_an_interval_is_widened_for_the_samples_that_have_the_part():
    """Of 6 samples with quality among 60, not of 60."""
    some = [line(n, correctness=100, quality=40 + 10 * n) for n in range(6)]
    alone = composite_of(some * 10, weights={"quality": 1}, rules="1").parts["quality"]
    among = composite_of(
        [*some, *(line(n, correctness=0) for n in range(6, 60))], weights={"quality": 1}, rules="1"
    ).parts["quality"]
    assert among.high - among.low > alone.high - alone.low


def test_a_run_without_a_passing_answer_says_so():
    lines = [
        SampleParts(task_id=f"t/{n}", parts={"correctness": 0}, why_not={"quality": NOT_PASSED})
        for n in range(3)
    ]
    weights = {"correctness": 1, "quality": 1}
    assert composite_of(lines, weights=weights, rules="1").parts["quality"].why_not == "no answer passed"
    lines[0] = SampleParts(task_id="t/0", parts={"correctness": 100}, why_not={"quality": "ruff: killed"})
    assert composite_of(lines, weights=weights, rules="1").parts["quality"].why_not == "ruff: killed"


@pytest.mark.parametrize(("passing", "is_told"), [(1, False), (3, False), (5, True)])
def test_there_is_no_interval_where_hardly_any_sample_has_a_part(passing, is_told):
    """One passing answer of twenty says what its quality is, and not that of the next one that passes."""
    lines = [line(n, correctness=100, quality=90 + n) for n in range(passing)]
    lines += [line(n, correctness=0) for n in range(passing, 20)]
    found = composite_of(lines, weights={"correctness": 1, "quality": 1}, rules="1")
    for score in (found.composite, found.parts["quality"]):
        assert (score.value is not None, score.low is not None) == (True, is_told)
    assert found.parts["correctness"].low is not None


def test_parts_that_were_measured_anew_since_are_told_from_those_of_a_composite():
    lines = [line(n, correctness=100 * (n % 2), quality=60 + n) for n in range(12)]
    found = composite_of(lines, weights={"correctness": 1, "quality": 1, "speed": 1}, rules="1")
    assert is_composite_of(found, lines)
    assert not is_composite_of(found, [*lines[:-1], line(11, correctness=100, quality=10)])
    assert not is_composite_of(found, [*lines[:-1], line(11, correctness=100)])
    assert not is_composite_of(found, [*lines[:-1], timed(11, 1.0, 2.0)])


def test_samples_that_all_have_the_same_value_leave_a_doubt():
    """Ten solutions as good as their references don't say that the next one is."""
    lines = [line(n, correctness=100 * (n % 2), quality=100) for n in range(20)]
    found = composite_of(lines, weights={"correctness": 1, "quality": 1}, rules="1")
    quality = found.parts["quality"]
    assert (quality.value, quality.low, quality.high, quality.samples) == (100, None, None, 20)
    assert found.composite.low is not None, "correctness has an interval"
