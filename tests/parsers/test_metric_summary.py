"""A summary whose score is a metric is computed again from the completions, as one whose score is what passed."""

from __future__ import annotations

import json

import msgspec
import pytest

from evaluation.loop.runner import Evaluation
from evaluation.loop.summary import summarize
from parsers import registry
from parsers.contract import ScriptOutput
from results.errors import ParseError
from results.records import Metric, Outcome
from results.scores.metric_scoring import Scoring
from tests.results.metric_runs import GLUE, SPANS, labels, lines, span

TASKS = [
    *labels("ynyn y", "ynnyny", task="cola"),
    *labels("yyyy", "yyyn", task="rte"),
    *labels("yyny", "ynny", task="mrpc"),
]


def said(completions, scoring, metrics=None):
    """The summary event that a script says."""
    evaluation = Evaluation(
        completions=tuple(completions), generate_s=1.0, new=len(completions), new_tokens=5
    )
    return summarize(
        evaluation, metrics or {}, benchmark="glue", style="chat", max_tokens=10, scoring=scoring
    )


def parse(folder, completions, summary):
    (folder / "completions.jsonl").write_bytes(lines(completions))
    event = json.dumps({"event": "summary", **summary})
    return registry.get("summary").parse(ScriptOutput(event, "", folder, 0))


def test_the_figures_of_several_tasks_are_those_that_the_script_said(tmp_path):
    summary = said(TASKS, GLUE)
    score = parse(tmp_path, TASKS, summary)
    assert score.score == summary["score"] == 100 * score.metrics["score"].value
    assert next(iter(score.metrics)) == "score"
    assert msgspec.to_builtins(score.metrics) == summary["metrics"]
    assert score.scoring == GLUE
    assert "pass@1" not in score.metrics
    assert score.score_answered == pytest.approx(summary["score_answered"])
    assert score.score_answered > score.score  # one answer was empty


def test_a_negative_score_is_one(tmp_path):
    completions = labels("yynn", "nnyy")
    score = parse(tmp_path, completions, said(completions, Scoring(tasks={"cola": GLUE.tasks["cola"]})))
    assert score.score == pytest.approx(-100)


@pytest.mark.parametrize("change", [{"score": 99.0}, {"metrics": {"token_f1": {"value": 0.9}}}])
def test_a_summary_that_disagrees_with_the_metrics_of_the_completions_is_an_error(tmp_path, change):
    completions = [span(0, 0.5), span(1, 1.0)]
    with pytest.raises(ParseError, match=r"disagrees.*instead of"):
        parse(tmp_path, completions, {**said(completions, SPANS), **change})


def test_figures_that_the_script_does_not_say_are_computed_all_the_same(tmp_path):
    completions = [span(0, 0.5), span(1, 1.0)]
    score = parse(tmp_path, completions, {**said(completions, SPANS), "metrics": {}})
    assert score.metrics["token_f1"].value == 0.75


def test_no_completions_are_an_error(tmp_path):
    summary = said([span(0, 0.5)], SPANS)
    with pytest.raises(ParseError, match="no completions"):
        parse(tmp_path, [], summary)


def test_a_metric_beside_leaves_the_score_what_passed(tmp_path):
    scoring = Scoring(beside=("mine.words",))
    completions = [
        msgspec.structs.replace(span(n, float(n == 0)), metrics={"mine.words": n / 2}) for n in range(3)
    ]
    passed = {"pass@1": Metric(value=1 / 3)}
    score = parse(tmp_path, completions, said(completions, scoring, passed))
    assert [*score.metrics] == ["pass@1", "mine.words"]
    assert score.metrics["mine.words"].value == 0.5
    assert [score.score, score.score_answered] == pytest.approx([100 / 3] * 2)
    assert score.outcomes[Outcome.PASSED] == 1
