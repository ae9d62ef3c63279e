"""What a race takes from runs whose score is a metric, and which of these can't be raced."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from results.compare.metric_pair import require_passes
from results.errors import NotComparable, UsageError
from results.records import Outcome
from results.stats.sample_order import order_key
from settings.benchmarks import get_benchmark
from settings.suites import suite_facts
from sweeps.race import Entry, _metric, _rows, require_races
from tests.results.metric_runs import GLUE, LABELS, labels, record_metric_run, span
from tests.results.recorded_runs import F, P, record_run

X = Outcome.INFRASTRUCTURE_ERROR


def entry(folder):
    return Entry(SimpleNamespace(label="it"), folder, folder.read_record())


def test_the_values_of_the_metric_are_raced_and_lost_answers_are_gaps(tmp_path):
    completions = [span(0, 0.25), span(1, 0.0, X), span(2, 1.0)]
    entries = [
        entry(record_metric_run(tmp_path, completions)),
        Entry(SimpleNamespace(label="none"), None, None),
    ]
    assert _metric(entries) == "token_f1"
    order = sorted(range(3), key=lambda number: order_key(5, f"hotpot/{number}"))
    assert _rows(entries, 5, "token_f1") == [[(0.25, None, 1.0)[number] for number in order], []]


def test_a_benchmark_whose_answers_pass_or_fail_is_raced_by_that(tmp_path):
    entries = [entry(record_run(tmp_path, [P, F]))]
    assert _metric(entries) == ""
    assert sorted(_rows(entries, 0)[0]) == [False, True]


@pytest.mark.parametrize(
    ("scoring", "why"),
    [(GLUE, "the mean over several tasks"), (LABELS, "mcc, a metric of all answers together")],
)
def test_a_score_that_no_answer_shows_is_refused(tmp_path, scoring, why):
    entries = [entry(record_metric_run(tmp_path, labels("yn", "yn"), scoring))]
    with pytest.raises(UsageError, match=why) as refused:
        _metric(entries)
    assert "--limit" in refused.value.hint


def test_what_goes_by_passes_refuses_other_scores(tmp_path):
    """So `recommend`, `certify` and `watch-build` never judge a run by something else than its score."""
    with pytest.raises(NotComparable, match=r"certify goes by which answers passed.*token_f1"):
        require_passes(record_metric_run(tmp_path, [span(0, 0.5)]).read_record(), "certify")
    require_passes(record_metric_run(tmp_path, [span(0, 1.0), span(1, 0.0)]).read_record(), "certify")
    require_passes(record_run(tmp_path, [P, F]).read_record(), "certify")


@pytest.mark.parametrize(
    ("suite", "why"),
    [
        ("glue", "the mean over several tasks"),
        ("tasks: {only: {metrics: mcc}}", "mcc, a metric of all answers"),
    ],
)
def test_it_is_refused_before_anything_starts(tmp_path, suite, why):
    """The file says enough; where it has one task, that task's own metrics hold."""
    if suite != "glue":
        path = tmp_path / "mine.yaml"
        path.write_text(f"name: mine\nversion: 1\nmetrics: [accuracy]\n{suite}\n")
        assert (suite_facts(path).tasks, suite_facts(path).metric) == (1, "mcc")
        suite = str(path)
    with pytest.raises(UsageError, match=why):
        require_races(SimpleNamespace(runs=[SimpleNamespace(label="it", spec=_spec(suite))]))
    require_races(SimpleNamespace(runs=[SimpleNamespace(label="it", spec=_spec("hotpot"))]))


def _spec(suite):
    asked = {"n_samples": None, "as_published": None, "shard": None}
    return SimpleNamespace(
        external_script=None, parser="summary", asked=asked, benchmark=get_benchmark(suite)
    )
