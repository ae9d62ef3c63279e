"""Runs whose score is a metric, side by side."""

from __future__ import annotations

from results.compare.leaderboard import make_tables
from results.compare.pick import pick_run
from results.compare.run_choice import Choice, choose_runs
from results.compare.versus_best import Rank
from results.records import Outcome
from results.scores.metric_scoring import Scoring, TaskScoring
from results.views.conclusion import conclusion
from results.views.export import flat_rows
from results.views.leaderboard_text import judged_text, print_tables
from tests.results.metric_runs import LABELS, labels, record_metric_run, span


def tables_of(results_dir):
    def warned(text):
        raise AssertionError(text)

    chosen = choose_runs(results_dir, Choice(every=True, statuses=()), warn=warned)
    return make_tables(chosen.runs, warn=warned)


def spans(*values):
    return [span(number, value) for number, value in enumerate(values)]


def test_runs_are_ranked_by_their_metric_though_nothing_passed(tmp_path, capsys):
    """Summaries are never right as a whole: that no answer passed says nothing about them."""
    record_metric_run(tmp_path, spans(*[0.5, 0.75] * 15), model="good")
    record_metric_run(tmp_path, spans(*[0.5, 0.5, 0.75] * 10), model="near")
    record_metric_run(tmp_path, spans(*[0.0, 0.25] * 15), model="far")
    (table,) = tables_of(tmp_path)
    rows = {row.record.model: row for row in table.rows}
    assert [row.versus.rank for row in rows.values()] == [Rank.BEST, Rank.SAME, Rank.WORSE]
    assert rows["far"].versus.difference == -0.5
    assert rows["good"].score_low < rows["good"].score == 62.5 < rows["good"].score_high
    assert pick_run(table).best.record.model == "good"
    assert not any("solved" in sentence for sentence in conclusion(table))
    print_tables([table], known=[row.record.run_id for row in table.rows])
    assert "62.5" in capsys.readouterr().out
    assert [row["against_best"] for row in flat_rows([table])] == ["best", "not distinguishable", "worse"]


def test_metrics_of_all_answers_are_ranked_by_swapping(tmp_path):
    record_metric_run(tmp_path, labels("yn" * 20, "yn" * 20), LABELS, model="good")
    record_metric_run(tmp_path, labels("ynny" * 10, "yn" * 20), LABELS, model="far")
    rows = {row.record.model: row.versus for row in tables_of(tmp_path)[0].rows}
    assert rows["far"].rank is Rank.WORSE
    assert rows["far"].difference == -1.0


def test_other_metrics_make_another_table(tmp_path):
    record_metric_run(tmp_path, spans(0.5, 1.0), model="one")
    other = Scoring(tasks={"hotpot": TaskScoring(metrics=("exact_match",))})
    record_metric_run(tmp_path, spans(0.5, 1.0), other, model="other")
    first, second = tables_of(tmp_path)
    assert {*first.apart} == {*second.apart} == {"metrics"}


def test_lost_answers_are_not_said_to_be_right_or_wrong(tmp_path):
    lost = [*spans(0.5, 1.0), span(2, 0.0, Outcome.INFRASTRUCTURE_ERROR)]
    record_metric_run(tmp_path, lost, model="one")
    (row,) = tables_of(tmp_path)[0].rows
    assert judged_text(row) == "2 judged, 1 lost"
