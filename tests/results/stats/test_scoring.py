"""From answers to figures: what counts, how the tasks of a suite make one score, and how sure all of it is."""

from __future__ import annotations

import random
from statistics import fmean

import msgspec
import pytest

from results.records import Metric, Outcome
from results.scores.metric_scoring import Scoring, TaskScoring
from results.stats.corpus_metrics import Pair
from results.stats.intervals import wilson_interval
from results.stats.resampling import (
    corpus_interval,
    corpus_value,
    difference_interval,
    flipped_means,
    share_as_far,
    swapped_differences,
)
from results.stats.scoring import figures_of, main_metric, score_of, weighted_mean
from tests.results.metric_runs import GLUE, LABELS, SPANS, label, labels, span


def test_the_score_of_one_task_is_its_main_metric_and_comes_first():
    figures = figures_of([span(0, 1.0), span(1, 0.5), span(2, 0.0)], SPANS)
    assert [*figures] == ["token_f1", "exact_match"]
    assert main_metric(SPANS) == "token_f1"
    assert figures["token_f1"].value == 0.5
    assert figures["exact_match"].value == pytest.approx(1 / 3)


def test_an_answer_without_a_metric_counts_as_zero_but_not_among_the_finished():
    completions = [span(0, 1.0), span(1, 0.0, Outcome.INFRASTRUCTURE_ERROR), span(2, 0.0, Outcome.TRUNCATED)]
    assert figures_of(completions, SPANS)["token_f1"].value == pytest.approx(1 / 3)
    assert score_of(completions[:1], SPANS) == 100.0
    assert score_of([], SPANS) is None


@pytest.mark.parametrize("value", [float("nan"), True, "1", None, 7.0, -1])
def test_a_metric_that_is_no_fraction_in_a_file_never_breaks_or_inflates_a_score(value):
    odd = msgspec.structs.replace(span(0, 1.0), metrics={"token_f1": value})
    assert 0 <= figures_of([odd, span(1, 0.0)], SPANS)["token_f1"].value <= 0.5


def test_whole_verdicts_have_wilsons_interval():
    figure = figures_of([span(n, float(n < 7)) for n in range(20)], SPANS)["exact_match"]
    assert (figure.low, figure.high) == pytest.approx(wilson_interval(7, 20))


def test_several_completions_of_a_sample_count_as_one_sample():
    several = [span(n, float(n % 2), index=index) for n in range(10) for index in range(4)]
    once = [span(n, float(n % 2)) for n in range(10)]
    four, one = (figures_of(each, SPANS)["token_f1"] for each in (several, once))
    assert four.value == one.value == 0.5
    assert four.high == pytest.approx(one.high)


def test_the_score_of_several_tasks_is_the_mean_of_their_main_metrics():
    completions = [
        *labels("ynyn", "ynny", task="cola"),
        *labels("yyyy", "yyyn", task="rte"),
        *labels("yy", "yn", task="mrpc"),
    ]
    figures = figures_of(completions, GLUE)
    assert [*figures] == [
        "score", "mcc task=cola", "accuracy task=cola", "accuracy task=rte", "f1 task=mrpc", "accuracy task=mrpc",
    ]  # fmt: skip
    assert figures["score"].value == pytest.approx(fmean([0.0, 0.75, 2 / 3]))
    assert figures["score"].low < figures["score"].value < figures["score"].high
    by_samples = msgspec.structs.replace(GLUE, by_samples=True)
    assert figures_of(completions, by_samples)["score"].value == pytest.approx(
        (0 * 4 + 0.75 * 4 + 2 * 2 / 3) / 10
    )


def test_a_task_without_answers_is_left_out_of_the_mean():
    assert figures_of(labels("yyyy", "yyyn", task="rte"), GLUE)["score"].value == 0.75
    assert figures_of([], GLUE) == figures_of([], SPANS) == {}


def test_metrics_beside_the_score_are_means_over_all():
    scoring = Scoring(beside=("mine.words",))
    completions = [msgspec.structs.replace(span(n, 0.0), metrics={"mine.words": n / 4}) for n in range(5)]
    figures = figures_of(completions, scoring)
    assert figures["mine.words"].value == 0.5
    assert main_metric(scoring) == "pass@1"


def test_tags_of_one_task_have_the_main_metric():
    completions = [span(n, n / 4, tags={"level": "hard" if n else "easy", "of": "all"}) for n in range(5)]
    figures = figures_of(completions, SPANS)
    assert figures["token_f1 level=hard"].value == 0.625
    assert not any(" of=" in name for name in figures)


def test_unread_answers_lower_a_metric_of_classes():
    told, unread = labels("yyynnn", "yyynnn"), labels("yy nn ", "yyynnn")
    assert figures_of(told, LABELS)["mcc"].value == 1.0
    assert 0 < figures_of(unread, LABELS)["mcc"].value < 1.0


def test_all_right_leaves_doubt():
    """The percentiles of samples that are all right would say that MCC is 1 for sure."""
    figure = figures_of(labels("yn" * 10, "yn" * 10), LABELS)["mcc"]
    assert figure.value == figure.high == 1.0
    assert figure.low < 0.9


def test_constant_answers_have_no_interval_of_a_correlation():
    scoring = Scoring(tasks={"stsb": TaskScoring(metrics=("pearson",))})
    completions = [label(n, "2.5", str(n), task="stsb") for n in range(5)]
    assert figures_of(completions, scoring)["pearson"] == Metric(value=0.0)


def test_independent_figures_add_as_squares():
    one = Metric(value=0.5, stderr=0.1, low=0.3, high=0.6)
    mean = weighted_mean([one, one], [0.5, 0.5])
    assert mean.value == 0.5
    assert mean.stderr == pytest.approx(0.1 / 2**0.5)
    assert (mean.low, mean.high) == pytest.approx((0.5 - 0.2 / 2**0.5, 0.5 + 0.1 / 2**0.5))
    assert weighted_mean([one, Metric(value=1.0)], [0.5, 0.5]) == Metric(value=0.75)


def random_answers(chance, count, sure, expected=None):
    expected = expected or [chance.choice("yyn") for _ in range(count)]
    flip = {"y": "n", "n": "y"}
    return [[Pair(one if chance.random() < sure else flip[one], one)] for one in expected], expected


def test_the_bootstrap_interval_holds_the_true_value():
    """95 % of them should; a hundred are seen here, each of 60 samples."""
    chance = random.Random(4)
    of_all = (
        [("y", "y")] * 8 + [("n", "y")] * 2 + [("n", "n")] * 4 + [("y", "n")]
    )  # 80 % right, two thirds are y
    true = corpus_value("mcc", [[Pair(*pair)] for pair in of_all])
    held = 0
    for _ in range(100):
        _, low, high = corpus_interval("mcc", random_answers(chance, 60, 0.8)[0], draws=300)
        held += low <= true <= high
    assert held >= 90


def test_swapping_finds_a_difference_of_equal_runs_in_five_of_a_hundred():
    """The error of the first kind: 5 % is promised, 300 tables are seen, and 8 % would be beyond chance."""
    chance = random.Random(5)
    found = 0
    for _ in range(300):
        first, expected = random_answers(chance, 40, 0.75)
        second, _ = random_answers(chance, 40, 0.75, expected)
        seen = corpus_value("mcc", second) - corpus_value("mcc", first)
        found += share_as_far(swapped_differences("mcc", first, second, draws=199), seen) <= 0.05
    assert found <= 24


def test_swapping_shows_a_difference_that_is_there():
    chance = random.Random(6)
    first, expected = random_answers(chance, 200, 0.6)
    second, _ = random_answers(chance, 200, 0.9, expected)
    seen = corpus_value("mcc", second) - corpus_value("mcc", first)
    assert share_as_far(swapped_differences("mcc", first, second, draws=999), seen) == 0.001
    low, high = difference_interval("mcc", first, second)
    assert 0 < low < seen < high


def test_drawn_signs_are_as_likely_as_counted_ones():
    drawn = flipped_means([0.5, -0.25, 0.25, 0.0], draws=4000)
    assert len(drawn) == 4000
    assert {*drawn} == {-0.25, -0.125, 0.0, 0.125, 0.25}
    assert share_as_far(drawn, 0.25) == pytest.approx(0.25, abs=0.03)


def test_the_same_answers_always_give_the_same_figures():
    completions = labels("ynynyn yy", "ynnnyyyyn")
    assert figures_of(completions, LABELS) == figures_of(completions, LABELS)


def test_several_completions_of_a_sample_are_resampled_together():
    """Twice the same answers are no more evidence than once."""
    once = labels("ynynyyyynnnn" * 3, "ynyynyynnnyn" * 3)
    twice = [msgspec.structs.replace(each, index=index) for each in once for index in (0, 1)]
    one, two = (figures_of(each, LABELS)["mcc"] for each in (once, twice))
    assert one == two
    mixed = [*once, *(msgspec.structs.replace(each, index=1, completion=each.expected) for each in once)]
    assert figures_of(mixed, LABELS)["mcc"].value == pytest.approx((one.value + 1) / 2)
