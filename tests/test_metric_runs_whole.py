"""Runs of a suite whose score is a metric, from the command line to comparison, gate, table, page and rejudgement."""

from __future__ import annotations

import json
import sys

import pytest

from tests.command_line import PROGRAMS, bench_runner, logged
from tests.evaluation.running_servers import answering_server
from tests.sweep_runs import models, own_devices

pytestmark = pytest.mark.servers
__all__ = ["own_devices"]
SUITE = """\
name: capitals
version: "1"
about: Capitals, as short answers.
licence: CC0-1.0
data: {file: rows.jsonl}
prompt: "{{ question }}"
answer: {kind: span, correct: answers}
metrics: [token_f1, exact_match, mine.short]
tags: {level: "{{ level }}"}
"""
SHORT = "def short(answer, expected, row):\n    return len(answer) < 10\n"
COUNT = 12


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Two runs: one says half of each answer, the other all of it."""
    folder = tmp_path_factory.mktemp("suite")
    (folder / "mine.yaml").write_text(SUITE)
    (folder / "mine.py").write_text(SHORT)
    rows = [
        {
            "question": f"Capital number {n:02}?",
            "answers": [f"Great Town{n}"],
            "level": "hard" if n % 3 else "easy",
        }
        for n in range(COUNT)
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for name, form in (("half", "Great"), ("whole", "The great Town{n}!")):
        answers = {row["question"]: form.format(n=number) for number, row in enumerate(rows)}
        (folder / f"{name}.json").write_text(json.dumps(answers))
        with answering_server(folder / f"{name}.json") as url:
            done = bench_runner(
                "run", "--benchmark", folder / "mine.yaml", "--base-url", url, "--prompt-style", "chat", "--metrics",
                f"{folder / 'mine'}.short", "--results-dir", folder / "r",
            )  # fmt: skip
        assert done.code == 0, done.err
    return folder / "r"


def test_a_sweep_races_by_it(results, tmp_path, own_devices):
    """Of three models, the one with the highest token F1 wins, and the worst stops early."""
    suite = tmp_path / "many.yaml"
    rows = [
        {"question": f"Capital {n:03}?", "answers": [f"great old Town{n}"], "level": "easy"}
        for n in range(96)
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    suite.write_text(SUITE.replace(", mine.short", ""))
    files = models(tmp_path / "m", "best", "near", "poor")
    for path, forms in zip(
        files, (["great old Town{n}", "great"], ["great old", "great"], ["great", "no"]), strict=True
    ):
        answers = {row["question"]: forms[n % 3 == 0].format(n=n) for n, row in enumerate(rows)}
        path.with_name(f"{path.name}.json").write_text(json.dumps(answers))
    words = f"{sys.executable} {PROGRAMS / 'answering_server.py'} {{model}}.json {{port}}"
    done = bench_runner(
        "sweep", *files, "--server-command", words, "--benchmark", suite, "--prompt-style", "chat", "--race",
        "--results-dir", tmp_path / "r", timeout=300,
    )  # fmt: skip
    assert done.code == 0, done.err
    ends = {record["model"]: record["sweep"]["race_result"] for record in logged(tmp_path / "r")}
    assert ends["best"]["end"] == "winner"
    assert ends["poor"]["end"] in {"beaten", "behind"}
    assert ends["poor"]["samples"] < 96
    assert "token_f1 " in done.err + done.out
    suite.write_text(SUITE.replace("token_f1, exact_match, mine.short", "macro_f1, exact_match"))
    refused = bench_runner("sweep", *files, "--benchmark", suite, "--race", "--results-dir", tmp_path / "r2")
    assert refused.code == 2
    assert "macro_f1, a metric of all answers together" in refused.err


def ids(results):
    """Of the half and the whole run."""
    return [record["run_id"] for record in logged(results)[:2]]


def command(results, *words):
    done = bench_runner(*words, "--results-dir", results)
    assert done.code == 0, done.err
    return done


def test_the_score_is_the_metric_with_an_interval(results):
    half, whole = logged(results)[:2]
    assert half["score"]["score"] == pytest.approx(200 / 3)
    assert whole["score"]["score"] == 100.0
    assert [*half["score"]["metrics"]][:2] == ["token_f1", "exact_match"]
    assert half["score"]["metrics"]["token_f1"]["low"] < 2 / 3
    assert half["score"]["metrics"]["token_f1 level=hard"]["value"] == pytest.approx(2 / 3)


def test_they_are_compared_gated_and_flipped_by_it(results):
    found = json.loads(command(results, "compare", *ids(results), "--json").out)
    assert [*found["results"]][:2] == ["token_f1", "exact_match"]
    assert found["results"]["token_f1"]["test"] == "exact sign-flip test"
    assert found["results"]["exact_match"]["test"] == "exact McNemar"
    assert found["results"]["token_f1"]["adjusted_p"] == pytest.approx(2 / 2**COUNT)
    text = command(results, "compare", *ids(results)).out
    assert "B is better: a real difference at the 5 % level" in text
    assert "easy: token_f1 A 66.7, B 100.0 of 100 (4 samples)" in text
    worse = bench_runner("compare", *ids(results)[::-1], "--fail-if-worse", "--results-dir", results)
    assert worse.code == 8, worse.err
    assert "token_f1 -33.3 points" in worse.out + worse.err


def test_tables_pages_and_exports_have_it(results):
    assert "66.7" in command(results, "leaderboard", "--all").out
    samples = command(results, "export", *ids(results), "--per-sample", "-").out
    assert samples.count('""token_f1""') == 2 * COUNT
    page = command(results, "report", *ids(results), "--output", results.parent / "page")
    assert page.code == 0
    html = (results.parent / "page" / "report.html").read_text()
    assert "66.7" in html
    assert "solved none" not in html


def test_answers_are_judged_again_by_the_same_metrics(results):
    done = json.loads(command(results, "rejudge", ids(results)[0], "--json").out)
    assert done["record"]["score"]["score"] == pytest.approx(200 / 3)
    assert done["record"]["score"]["scoring"]["tasks"]["capitals"]["metrics"][0] == "token_f1"
    assert done["record"]["score"]["scoring"]["beside"] == ["mine.short"]  # the run's own metrics too
    assert done["flips"] == []
