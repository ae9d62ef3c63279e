"""Two runs whose score is a metric: what is tested, on which samples, what a gate says, and what is refused."""

from __future__ import annotations

import random

import pytest

from results.compare.comparison import compare_runs
from results.compare.gate import judge
from results.errors import NotComparable
from results.records import Outcome
from results.scores.metric_scoring import Scoring, TaskScoring
from results.stats.paired import MCNEMAR, SIGN_FLIP
from results.views.comparison_text import print_comparison
from tests.results.metric_runs import GLUE, LABELS, SPANS, label, labels, record_metric_run, span

X = Outcome.INFRASTRUCTURE_ERROR


def text_of(comparison, capsys):
    print_comparison(comparison)
    return capsys.readouterr().out


def spans(values, **fields):
    return [span(number, value, **fields) for number, value in enumerate(values)]


def test_the_main_metric_is_tested_by_signs_and_what_passed_by_mcnemar(tmp_path, capsys):
    first = record_metric_run(tmp_path, spans([0.5, 0.25, 1.0, 0.0, 0.5, 0.5, 0.25, 0.5]))
    second = record_metric_run(tmp_path, spans([1.0, 0.5, 1.0, 0.5, 1.0, 0.75, 0.5, 0.75]))
    comparison = compare_runs(first, second)
    assert [*comparison.results] == ["token_f1", "exact_match"]  # that which passed is the exact match here
    assert comparison.metric == "token_f1"
    main, exact = comparison.results.values()
    assert (main.test, exact.test) == (SIGN_FLIP, MCNEMAR)
    assert main.difference == pytest.approx(0.3125)
    assert main.p_value == main.adjusted_p == pytest.approx(2 / 2**7)
    text = text_of(comparison, capsys)
    assert "B is better: a real difference at the 5 % level" in text
    assert "hotpot/0 (0.5 and 1)" in text


def test_what_passed_is_shown_where_no_metric_says_it(tmp_path):
    scoring = Scoring(tasks={"news": TaskScoring(metrics=("token_f1",))})
    runs = [record_metric_run(tmp_path, spans(values), scoring) for values in ([0.5, 1.0], [0.25, 0.5])]
    assert [*compare_runs(*runs).results] == ["token_f1", "pass@1"]


def test_a_metric_of_all_answers_is_tested_by_swapping(tmp_path, capsys):
    chance = random.Random(1)
    expected = "".join(chance.choice("yn") for _ in range(60))
    worse = "".join(chance.choice("yn") if chance.random() < 0.7 else each for each in expected)
    runs = [record_metric_run(tmp_path, labels(said, expected), LABELS) for said in (worse, expected)]
    comparison = compare_runs(*runs)
    main = comparison.results["mcc"]
    assert main.test == "swap test, 10,000 drawn"
    assert main.second == 1.0
    assert 0 < main.low < main.difference < main.high
    assert main.adjusted_p < 0.001
    assert comparison.results["accuracy"].test == MCNEMAR
    assert main.only_second == comparison.results["accuracy"].only_second == len(comparison.better_second)
    assert "swap test" in text_of(comparison, capsys)


def test_equal_runs_are_not_shown_to_differ_and_doubt_is_left(tmp_path, capsys):
    runs = [record_metric_run(tmp_path, labels("yn" * 15, "yn" * 15), LABELS) for _ in range(2)]
    main = compare_runs(*runs).results["mcc"]
    assert main.p_value == 1.0
    assert main.low < 0 < main.high
    assert "could hide" in text_of(compare_runs(*runs), capsys)


def test_several_tasks_are_tested_together_and_one_by_one(tmp_path, capsys):
    def run(said):
        completions = [
            *labels(said * 5, "ynny" * 5, task="cola"),
            *labels(said * 5, "yyny" * 5, task="rte"),
            *labels("yyny" * 5, "ynny" * 5, task="mrpc"),
        ]
        return record_metric_run(tmp_path, completions, GLUE)

    comparison = compare_runs(run("nyyn"), run("ynny"))
    assert [*comparison.results][:2] == ["score", "mcc task=cola"]
    score = comparison.results["score"]
    parts = [
        comparison.results[name].difference for name in ("mcc task=cola", "accuracy task=rte", "f1 task=mrpc")
    ]
    assert score.difference == pytest.approx(sum(parts) / 3)
    assert parts[2] == 0.0
    assert score.shown
    assert 0 < score.low < score.difference
    assert score.samples == 60
    assert comparison.by_tag == ()
    text = text_of(comparison, capsys)
    assert text.index("score ") < text.index("mcc task=cola") < text.index("f1 task=mrpc")


def test_lost_answers_are_left_out_of_both_runs(tmp_path):
    first = record_metric_run(tmp_path, [span(0, 0.0, X), span(1, 1.0), span(2, 0.5)])
    second = record_metric_run(tmp_path, spans([1.0, 0.5, 0.5]))
    comparison = compare_runs(first, second)
    assert comparison.not_judged == ("hotpot/0",)
    assert comparison.results["token_f1"].first == 0.75


def test_several_completions_of_a_sample_count_by_their_mean(tmp_path):
    def run(values):
        return record_metric_run(
            tmp_path, [span(n, v, index=i) for n, of in enumerate(values) for i, v in enumerate(of)]
        )

    result = compare_runs(run([(0, 1), (0.5, 0.5)]), run([(1, 1), (0, 0.5)])).results["token_f1"]
    assert (result.first, result.second) == (0.5, 0.625)
    assert result.test == SIGN_FLIP


def test_tags_have_means_of_the_metric(tmp_path, capsys):
    def run(value):
        return record_metric_run(
            tmp_path,
            [span(n, value if n else 0.0, tags={"level": "hard" if n else "easy"}) for n in range(4)],
        )

    text = text_of(compare_runs(run(0.5), run(0.75)), capsys)
    assert "hard: token_f1 A 50.0, B 75.0 of 100 (3 samples)" in text


@pytest.mark.parametrize(
    "other",
    [
        Scoring(tasks={"hotpot": TaskScoring(metrics=("exact_match", "token_f1"))}),
        Scoring(tasks={"hotpot": TaskScoring(metrics=("token_f1",))}),
        Scoring(),
    ],
)
def test_runs_with_other_metrics_are_refused(tmp_path, other):
    runs = [
        record_metric_run(tmp_path, spans([0.5, 1.0]), scoring) for scoring in (SPANS, other) if scoring.tasks
    ]
    if not other.tasks:
        from tests.results.recorded_runs import record_run

        runs.append(record_run(tmp_path, benchmark="hotpot"))
    with pytest.raises(NotComparable, match="they differ in metrics hotpot: token_f1 exact_match and"):
        compare_runs(*runs)


def test_a_metric_beside_the_score_makes_no_run_incomparable(tmp_path):
    beside = Scoring(tasks=SPANS.tasks, beside=("mine.words",))
    runs = [record_metric_run(tmp_path, spans([0.5, 1.0]), scoring) for scoring in (SPANS, beside)]
    assert compare_runs(*runs).results["token_f1"].difference == 0


def test_a_gate_goes_by_the_score_alone(tmp_path):
    """That fewer answers are exact is no failure where the score is the token F1."""
    first = record_metric_run(tmp_path, spans([1.0, 0.5] * 20))
    second = record_metric_run(tmp_path, spans([0.75, 0.75] * 20))
    comparison = compare_runs(first, second)
    assert comparison.results["exact_match"].shown
    gate = judge(comparison, None)
    assert gate.passed
    assert "+0.0 points" in gate.why
    assert not judge(compare_runs(first, record_metric_run(tmp_path, spans([0.5, 0.25] * 20))), None).passed


def test_correlations_have_no_sample_on_which_a_run_is_better(tmp_path, capsys):
    scoring = Scoring(tasks={"stsb": TaskScoring(metrics=("pearson", "spearman"))})

    def run(shift):
        completions = [label(n, str((n + shift * (n % 3)) % 5), str(n % 5), task="stsb") for n in range(40)]
        return record_metric_run(tmp_path, completions, scoring)

    comparison = compare_runs(run(0), run(1))
    assert comparison.results["pearson"].difference < 0
    assert comparison.results["pearson"].shown
    assert "A is better" in text_of(comparison, capsys)
