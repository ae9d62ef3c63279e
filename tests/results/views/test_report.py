"""The tables that people read."""

from __future__ import annotations

from pathlib import Path

from results.records import Metric, RunRecord, RunStatus, Score
from results.views.run_text import print_list, print_summary


def test_a_tag_with_many_values_does_not_bury_the_score(capsys):
    metrics = {"pass@1": Metric(value=0.25), "pass@1 category=STEM": Metric(value=0.5)}
    metrics |= {f"pass@1 subject=number {number}": Metric(value=0.1) for number in range(57)}
    record = RunRecord(
        run_id="r", timestamp="2026-01-01T00:00:00+00:00", status=RunStatus.SUCCEEDED, benchmark="mmlu", model="m",
        config={}, score=Score(score=25.0, metrics=metrics),
    )  # fmt: skip
    print_summary(record, Path("/r"))
    shown = capsys.readouterr().out
    assert "pass@1 category=STEM" in shown
    assert "subject=number" not in shown
    assert "57 figures: show --json" in shown


def test_lost_answers_stand_beside_the_score_that_counts_them(capsys):
    outcomes = {"passed": 30, "failed": 20, "truncated": 10, "infrastructure_error": 40}
    score = Score(score=30.0, samples=100, completions=100, outcomes=outcomes, score_answered=60.0)
    record = RunRecord(
        run_id="r", timestamp="2026-01-01T00:00:00+00:00", status=RunStatus.SUCCEEDED, benchmark="gsm8k", model="m",
        config={}, score=score,
    )  # fmt: skip
    print_summary(record, Path("/r"))
    shown = capsys.readouterr().out
    assert "score           30.0 of 100\n" in shown
    print_list([(record.status, record)], wide=False)
    assert capsys.readouterr().out.endswith("\t30.0\t100\t40 answers lost\t\t\t\n")
    assert "lost answers    40; 60 were judged, of which 30 are right\n" in shown
    assert "finished only   60.0 of 100, without truncated, empty or lost answers\n" in shown
