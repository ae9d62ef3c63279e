"""The score is the published one: pass@k of Chen et al., never computed where it is undefined."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.pass_at_k import pass_at_k_metrics
from results.records import Completion, Outcome
from results.stats.pass_at_k import pass_at_k


def completions(*passed_by_sample):
    return [
        Completion(
            task_id=f"t/{sample}",
            index=index,
            passed=bool(passed),
            outcome=Outcome.PASSED if passed else Outcome.FAILED,
        )
        for sample, flags in enumerate(passed_by_sample)
        for index, passed in enumerate(flags)
    ]


@given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))))
def test_it_equals_the_definition_by_binomials(case):
    n, c, k = case
    assert pass_at_k(n, c, k) == pytest.approx(1 - math.comb(n - c, k) / math.comb(n, k))


@pytest.mark.parametrize(("n", "c", "k"), [(1, 1, 2), (0, 0, 1), (3, 4, 1), (3, 1, 0)])
def test_with_fewer_than_k_completions_it_is_undefined(n, c, k):
    with pytest.raises(ValueError, match="undefined"):
        pass_at_k(n, c, k)


def test_one_completion_a_sample_gives_wilsons_interval():
    (name, metric), *rest = pass_at_k_metrics(completions([1], [1], [1], [0])).items()
    assert (name, rest, metric.value) == ("pass@1", [], 0.75)
    assert (metric.low, metric.high) == (pytest.approx(0.3006, abs=1e-4), pytest.approx(0.9544, abs=1e-4))


def test_completions_of_one_sample_are_one_cluster():
    """Ten equal completions of each sample know no more than one."""
    once, often = (
        pass_at_k_metrics(completions([1], [1], [0])),
        pass_at_k_metrics(completions([1] * 10, [1] * 10, [0] * 10)),
    )
    assert often["pass@1"].stderr == pytest.approx(once["pass@1"].stderr)


def test_only_k_that_every_sample_has_are_given():
    assert list(pass_at_k_metrics(completions([1] * 12, [0] * 11))) == ["pass@1", "pass@10", "pass@11"]


def test_an_interval_has_a_width_even_if_all_pass():
    metric = pass_at_k_metrics(completions([1, 1], [1, 1], [1, 1]))["pass@2"]
    assert metric.low < metric.high == 1.0


def test_each_tag_has_its_own_score():
    completions = [
        Completion(
            task_id=str(n),
            outcome=Outcome.PASSED,
            passed=n < 3,
            tags={"difficulty": "easy" if n < 4 else "hard"},
        )
        for n in range(6)
    ]
    found = pass_at_k_metrics(completions)
    assert {name: metric.value for name, metric in found.items()} == {
        "pass@1": 0.5, "pass@1 difficulty=easy": 0.75, "pass@1 difficulty=hard": 0.0,
    }  # fmt: skip
    assert next(iter(found)) == "pass@1", "the score of all comes first"
