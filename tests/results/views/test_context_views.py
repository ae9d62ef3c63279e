"""Needle runs as people see them: by length and depth, alone, against another, and in a report."""

from __future__ import annotations

import json

import msgspec
import pytest

from results.compare.comparison import compare_runs
from results.errors import NotComparable
from results.records import Completion, Loss, Metric, Outcome, Score
from results.stats.context import CONTEXT, context_figures, read_context
from results.store.verdicts import CompletionVerdict
from results.views.comparison_text import print_comparison
from results.views.context_table import effective_text
from results.views.report.contents import runs_report
from results.views.report.markdown import markdown
from results.views.report.page import page
from results.views.run_text import print_summary
from tests.results.recorded_runs import SETTINGS, record_run

LENGTHS, DEPTHS = (1024, 8192, 32768), ("0%", "50%", "100%")
OPTIONS = {"lengths": [1024, 8192, 32768], "depth_percent": [0, 50, 100], "kinds": ["single"], "per_cell": 4}


def completions(forgets_at, *, lengths=LENGTHS, partial=0.0):
    """Four a cell; nothing but a part is found from that length on, in the middle."""
    return [
        Completion(
            task_id=f"needle/{kind}/{length}/{depth}/{number}",
            outcome=Outcome.FAILED if lost else Outcome.PASSED,
            passed=not lost,
            metrics={"recall": partial if lost else 1.0},
            prompt_tokens=length - 150,
            tags={"kind": kind, "length": str(length), "depth": depth},
        )
        for length in lengths
        for kind, depth in [*(("single", each) for each in DEPTHS), ("tracking", "spread")]
        for number in range(4)
        if (lost := length >= forgets_at and depth in {"50%", "spread"}) or True
    ]


def needle_run(results_dir, forgets_at, *, options=None, **changes):
    done = completions(forgets_at, **changes)
    passed = sum(each.passed for each in done) / len(done)
    score = Score(
        score=100 * passed,
        metrics={"pass@1": Metric(value=passed), "pass@1 length=1024": Metric(value=1.0)},
        samples=len(done),
        completions=len(done),
        details={CONTEXT: msgspec.to_builtins(context_figures(done))},
    )
    folder = record_run(results_dir, benchmark="needle", score=score)
    folder.completions.write_bytes(b"".join(msgspec.json.encode(each) + b"\n" for each in done))
    settings = SETTINGS | {"benchmark": "needle", "options": options or OPTIONS}
    (folder.path / "settings.json").write_text(json.dumps(settings))
    return folder


def test_show_has_a_line_for_each_length_and_says_how_far_enough_is_found(tmp_path, capsys):
    folder = needle_run(tmp_path, 8192)
    print_summary(folder.read_record(), folder.path)
    shown = capsys.readouterr().out.splitlines()
    at = next(number for number, line in enumerate(shown) if line.startswith("passed at depth"))
    assert shown[at].split()[3:] == ["length", "0%", "50%", "100%", "spread", "recall,", "%", "(95", "%)"]
    assert shown[at + 1].split()[:6] == ["1k", "4/4", "4/4", "4/4", "4/4", "100.0"]
    assert shown[at + 2].split()[:6] == ["8k", "4/4", "0/4", "4/4", "0/4", "50.0"]
    assert (
        shown[at + 4] == "effective       1k tokens of context: the next length doesn't reach recall 85.6 %"
    )
    assert len(shown[at]) == len(shown[at + 1]) <= 80
    assert not any("length=" in line for line in shown)


@pytest.mark.parametrize(
    ("forgets_at", "partial", "effective", "says"),
    [
        (99_999, 0.0, 32768, "32k tokens of context or more"),
        (32768, 0.0, 8192, "8k tokens of context: the next"),
        (32768, 0.75, 32768, "32k tokens of context or more"),  # a recall of 87.5 %: partial credit counts
        (512, 0.0, 0, "less than 1k tokens of context"),
    ],
)
def test_the_effective_context_follows_the_recall(forgets_at, partial, effective, says):
    figures = context_figures(completions(forgets_at, partial=partial))
    assert figures.effective_context == effective
    assert effective_text(figures).startswith(says)


def lose(some, loss, lengths, every=1):
    """Every so many of those lengths; 16 a length."""
    return [
        msgspec.structs.replace(
            each,
            outcome=Outcome.INFRASTRUCTURE_ERROR,
            passed=False,
            metrics={},
            loss=loss,
            prompt_tokens=None,
        )
        if int(each.tags["length"]) in lengths and number % every == 0
        else each
        for number, each in enumerate(some)
    ]


def test_what_was_lost_to_infrastructure_says_nothing_of_the_context():
    """A few refused requests must not look as if the model forgot."""
    figures = context_figures(lose(completions(99_999), Loss.REQUEST_FAILED, {8192}, every=4))
    assert figures.effective_context == 32768
    assert [each.lost for each in figures.lengths] == [0, 4, 0]
    assert [each.recall.value for each in figures.lengths] == [1.0] * 3
    assert sum(cell.completions for cell in figures.cells) == 44
    assert effective_text(figures).endswith(" (4 answers lost to infrastructure left out)")
    older = read_context(
        {CONTEXT: msgspec.json.decode(msgspec.json.encode(figures).replace(b'"lost":', b'"other":'))}
    )
    assert (older.lost, older.lengths[1].lost) == (0, 0)


def test_a_length_of_which_all_was_lost_is_left_out():
    figures = context_figures(lose(completions(99_999), Loss.BROKE_JUDGING, {32768}))
    assert [each.length for each in figures.lengths] == [1024, 8192]
    assert (figures.effective_context, figures.lost) == (8192, 16)
    assert "16 answers lost" in effective_text(figures)
    nothing = context_figures(lose(completions(99_999), Loss.REQUEST_FAILED, LENGTHS))
    assert read_context({CONTEXT: msgspec.to_builtins(nothing)}) is None


def test_a_prompt_that_is_too_long_for_the_slot_counts_as_nothing_found():
    figures = context_figures(lose(completions(99_999), Loss.PROMPT_TOO_LONG, {8192}))
    assert (figures.effective_context, figures.lengths[1].recall.value, figures.lengths[1].lost) == (
        1024,
        0.0,
        0,
    )


def test_a_length_that_does_well_behind_one_that_does_not_is_no_effective_context():
    good, bad = completions(99_999), completions(0)
    mixed = [one if one.tags["length"] != "8192" else other for one, other in zip(good, bad, strict=True)]
    assert context_figures(mixed).effective_context == 1024


def test_compare_shows_where_what_was_lost(tmp_path, capsys):
    first, second = needle_run(tmp_path, 99_999), needle_run(tmp_path, 32768)
    print_comparison(compare_runs(first, second))
    shown = capsys.readouterr().out.splitlines()
    assert "by kind          single: A 36, B 32 of 36 solved" in shown
    assert "                 tracking: A 12, B 8 of 12 solved" in shown
    at = next(number for number, line in enumerate(shown) if line.startswith("A|B at depth"))
    assert shown[at].split()[3:] == ["length", "0%", "50%", "100%", "spread"]
    assert " ".join(shown[at + 3].split()) == "32k 4|4 of 4 4|0 of 4 4|4 of 4 4|0 of 4"
    assert next(line for line in shown if line.startswith("finds up to")).split() == [
        "finds",
        "up",
        "to",
        "A",
        "32k",
        "B",
        "8k",
    ]


def test_partial_credit_is_compared_too(tmp_path, capsys):
    """Where an answer loses one of four values, it fails as one that has none."""
    first, second = needle_run(tmp_path, 8192, partial=0.75), needle_run(tmp_path, 8192, partial=0.25)
    comparison = compare_runs(first, second)
    assert comparison.results["pass@1"].difference == 0
    assert comparison.recall.difference == pytest.approx(-0.5 / 3)
    assert (comparison.recall.only_first, comparison.recall.shown) == (16, True)
    print_comparison(comparison)
    assert "B is better on 0 samples, A on 16" in capsys.readouterr().out


def test_without_partial_credit_none_is_compared(tmp_path):
    first, second = needle_run(tmp_path, 8192), needle_run(tmp_path, 8192)
    for folder in (first, second):
        text = folder.completions.read_text()
        folder.completions.write_text(text.replace('"recall"', '"other"'))
    comparison = compare_runs(first, second)
    assert (comparison.samples, comparison.recall) == (48, None)


@pytest.mark.parametrize("metrics", [None, [1], "x", {"recall": None}, {"recall": "y"}, {"recall": -1}])
def test_a_verdict_is_read_whatever_stands_where_its_metrics_should(metrics):
    line = {"task_id": "t", "outcome": "passed", "passed": True, "metrics": metrics}
    assert msgspec.convert(line, CompletionVerdict).metric("recall") is None


def test_runs_of_other_lengths_are_compared_on_those_that_both_have(tmp_path):
    """Of other kinds, depths and numbers too; what the texts are made from must be the same."""
    first = needle_run(tmp_path, 99_999)
    other = needle_run(
        tmp_path, 8192, lengths=(1024, 8192), options=OPTIONS | {"lengths": [1024, 8192], "per_cell": 9}
    )
    comparison = compare_runs(first, other)
    assert (comparison.samples, comparison.only_in_first) == (32, 16)
    settings = json.loads((other.path / "settings.json").read_text()) | {"prompts_sha256": "12" * 32}
    (other.path / "settings.json").write_text(json.dumps(settings))
    with pytest.raises(NotComparable, match="prompts_sha256"):
        compare_runs(first, other)


def test_a_report_has_a_table_by_length_and_one_of_each_run(tmp_path):
    folders = [needle_run(tmp_path, 99_999), needle_run(tmp_path, 32768)]
    report = runs_report([(folder, folder.read_record()) for folder in folders], warn=print)
    text, html = markdown(report), page(report)
    assert "| run | enough is found up to | 1k | 8k | 32k |" in text
    assert (
        "8k tokens of context: the next length doesn't reach recall 85.6 % | 100.0 | 100.0 | 50.0 |" in text
    )
    assert "| 32k | 4/4 | 0/4 | 4/4 | 0/4 |" in text
    assert html.count(": samples passed at each length and depth</caption>") == 2
    assert "What is found at which length and depth" in html


@pytest.mark.parametrize("said", [None, 5, [], {}, {"lengths": []}, {"lengths": [{"length": "x"}]}, "<b>"])
def test_figures_that_are_none_are_passed_over(said):
    assert read_context({CONTEXT: said}) is None
    assert read_context({}) is None
