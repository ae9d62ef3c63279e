"""Inspect's logs: what was not scored is not counted, and every metric has its own standard error."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from parsers import registry
from parsers.contract import ScriptOutput
from results.errors import ParseError
from results.stats.intervals import wilson_interval

FIXTURES = Path(__file__).parent / "fixtures"


def parse(folder):
    return registry.get("inspect").parse(ScriptOutput("", "", folder, 0))


def real(name: str) -> dict:
    return json.loads((FIXTURES / name).read_text())


def put(folder: Path, log: dict, name: str = "x.json") -> Path:
    path = folder / name
    path.write_text(json.dumps(log))
    return path


def small_log(*scores: dict, total: int = 100, epochs: int = 1, **results) -> dict:
    return {
        "status": "success",
        "eval": {"task": "judged", "config": {"epochs": epochs}},
        "results": {"total_samples": total, "completed_samples": total, "scores": [*scores], **results},
    }


def scorer(name: str, scored: int | None, unscored: int | None, **values) -> dict:
    metrics = {key: {"name": key, "value": value} for key, value in values.items()}
    return {
        "name": name,
        "scorer": name,
        "scored_samples": scored,
        "unscored_samples": unscored,
        "metrics": metrics,
    }


def test_three_of_a_hundred_are_a_score_of_three(tmp_path):
    put(tmp_path, small_log(scorer("graded", 3, 97, accuracy=1.0, stderr=0.0)))
    score = parse(tmp_path)
    assert (score.score, score.samples, score.completions) == (100.0, 3, 100)
    assert (score.metrics["score"].low, score.metrics["score"].high) == wilson_interval(3, 3)
    assert score.warnings == ("graded: only 3 of 100 samples were scored; the others do not count",)
    assert score.lost == 97, "so that no comparison takes it for a whole run"


def test_where_the_log_does_not_say_what_was_scored_the_completed_samples_count(tmp_path):
    log = small_log(scorer("match", None, None, accuracy=0.5))
    log["results"]["completed_samples"] = 90
    put(tmp_path, log)
    assert parse(tmp_path).samples == 90


def test_samples_without_a_value_are_counted_by_scorer(tmp_path):
    """A real log: a judge that was unsure of half, and a rubric one of whose values is missing once."""
    put(tmp_path, real("inspect_log_unscored.json"))
    score = parse(tmp_path)
    assert (score.score, score.samples, score.completions, score.lost) == (75.0, 4, 8, 4)
    assert score.warnings == (
        "judged: only 4 of 8 samples were scored; the others do not count",
        "tone: only 7 of 8 samples were scored; the others do not count",
    )
    tone = score.metrics["tone mean"]
    assert (tone.low, tone.high) == wilson_interval(0.25 * 7, 7)


def test_each_metric_has_its_own_standard_error(tmp_path):
    """grouped(accuracy()) has that of grouped(stderr()), group by group; ci(), std() and var() are no metrics."""
    put(tmp_path, real("inspect_log_unscored.json"))
    metrics = parse(tmp_path).metrics
    assert {name: metric.stderr for name, metric in metrics.items()} == pytest.approx(
        {
            "score": 0.25,
            "judged accuracy": 0.25,
            "judged small": 0.0,
            "judged large": 1 / 3,
            "judged all": 0.25,
            "style mean": 0.0625,
            "tone mean": 0.0,
            "plain mean": 0.16366341767699427,
        }
    )
    assert metrics["judged small"].low is None, "the group's size is not in the log"


def test_a_standard_error_is_that_of_the_mean_and_of_no_other_metric(tmp_path):
    put(
        tmp_path,
        small_log(
            scorer("a", 100, 0, accuracy=0.5, f1=0.9, f1_stderr=0.02, recall=0.8, stderr=0.05),
            scorer("b", 100, 0, pass_rate=0.5, bootstrap_stderr=0.04),
            scorer("c", 100, 0, mean=0.5),
        ),
    )
    metrics = parse(tmp_path).metrics
    assert {name: metric.stderr for name, metric in metrics.items() if name != "score"} == {
        "a accuracy": 0.05,
        "a f1": 0.02,
        "a recall": None,
        "b pass_rate": 0.04,
        "c mean": None,
    }


def test_the_reducers_of_epochs_are_told_apart(tmp_path):
    """A real log of four samples, three times each, with three reducers."""
    log = real("inspect_log_epochs.json")
    put(tmp_path, log)
    score = parse(tmp_path)
    assert (score.samples, score.completions, score.score) == (4, 12, pytest.approx(100 * 7 / 12))
    assert score.metrics["judged accuracy (pass_at_2)"].value == pytest.approx(11 / 12)
    assert score.metrics["judged accuracy (at_least_1)"].value == 1.0
    log["results"]["headline"]["reducer"] = "pass_at_2"
    put(tmp_path, log)
    assert parse(tmp_path).score == pytest.approx(100 * 11 / 12)


def test_epochs_that_are_not_reduced_are_no_more_samples(tmp_path):
    put(tmp_path, small_log(scorer("a", 9, 3, accuracy=1.0, stderr=0.0), total=12, epochs=3))
    score = parse(tmp_path)
    assert (score.samples, score.lost) == (3, 3)
    assert (score.metrics["score"].low, score.metrics["score"].high) == wilson_interval(3, 3)


def test_nothing_scored_is_no_score(tmp_path):
    """Inspect writes NaN; older versions null or 0."""
    for value in (float("nan"), None, 0.0):
        put(tmp_path, small_log(scorer("graded", 0, 100, accuracy=value, stderr=value)))
        with pytest.raises(ParseError, match="none of the 100 samples was scored by graded"):
            parse(tmp_path)


def test_a_headline_that_is_no_fraction_is_not_replaced_by_another_metric(tmp_path):
    named = {"scorer": "a", "score": "a", "metric": "perplexity"}
    put(tmp_path, small_log(scorer("a", 100, 0, perplexity=12.5, accuracy=0.5), headline=named))
    score = parse(tmp_path)
    assert score.score is None
    assert score.warnings == ("there is no score, because a perplexity is not a fraction from 0 to 1",)
    assert score.metrics["a accuracy"].value == 0.5


def test_logs_of_other_tasks_are_told(tmp_path):
    log = small_log(scorer("a", 100, 0, accuracy=0.5))
    put(tmp_path, log | {"eval": {"task": "first"}}, "1.json")
    put(tmp_path, log, "2.json")
    put(tmp_path, log, "3.json")  # tried again
    assert parse(tmp_path).warnings == ("the score is that of judged, the last task; not of first",)
    shutil.copy(FIXTURES / "inspect_log.eval", tmp_path)
    assert "not of first and judged" in parse(tmp_path).warnings[0]
