"""The page of a report: its verdict, its table, its plots, for runs as they come."""

from __future__ import annotations

import dataclasses
import re

import pytest

from results.records import ModelIdentity, Outcome, Score
from results.telemetry import TelemetrySummary
from results.views.report.contents import runs_report
from results.views.report.label_places import Box, place_labels
from results.views.report.page import page
from results.views.report.plots import cost_plots, ticks
from results.views.report.table import short_number, table_lines
from results.views.report.titles import report_title
from results.views.report.verdict import verdict
from tests.results.recorded_runs import F, P, record_run

HOST = {
    "hostname": "wks",
    "processor": "AMD Ryzen 9 7950X 16-Core Processor",
    "gpus": [{"name": "NVIDIA GeForce RTX 4090", "driver": "570.86"}],
}


def report_of(*runs):
    return runs_report([(run, run.read_record()) for run in runs], warn=pytest.fail)


def quants(folder, **each):
    """Runs of one model's quantisations: outcomes, GiB."""
    return [
        record_run(
            folder,
            outcomes,
            model=f"Some-7B-{name}",
            host=HOST,
            telemetry=TelemetrySummary(peak_memory_bytes=int(gib * 2**30), joules_per_solved=gib),
            details={"tokens_per_s": 100.0 / gib},
            model_identity=ModelIdentity(name=name, quantization=name, size_bytes=int(gib * 2**30)),
        )
        for name, (outcomes, gib) in each.items()
    ]


def test_the_card_says_what_to_take_and_what_it_may_cost(tmp_path):
    runs = quants(tmp_path, Q8_0=([P] * 150 + [F] * 14, 8.0), Q4_K_M=([F] + [P] * 149 + [F] * 14, 5.0),
                  Q2_K=([P] * 80 + [F] * 84, 3.0))  # fmt: skip
    report = report_of(*runs)
    (verdict,) = report.verdicts
    assert report.title == "human_eval on 3 GGUFs, RTX 4090, 21 Nov 2026"
    assert (verdict.kind, verdict.head) == ("pick", "Take Q4_K_M")
    assert re.fullmatch(
        r"no loss shown against Q8_0, the highest score: at most \d\.\d points worse \(95 %\), on 164 common samples",
        verdict.reasons[0],
    )
    assert verdict.reasons[1] == (
        "against Q8_0: 38 % less GPU memory (5.00 against 8.00 GiB), 60 % faster (20.0 against 12.5 tokens/s)"
    )
    text = page(report)
    assert "<h3>Take Q4_K_M</h3>" in text
    assert text.count('class="badge pick"') == 1


def test_all_rows_that_are_not_shown_worse_are_alike(tmp_path):
    runs = quants(tmp_path, Q8_0=([P] * 150 + [F] * 14, 8.0), Q4_0=([F] + [P] * 149 + [F] * 14, 5.0),
                  Q2_K=([P] * 80 + [F] * 84, 3.0))  # fmt: skip
    (table,) = report_of(*runs).tables
    _, lines = table_lines(table, {row.record.run_id: row.quantization for row in table.rows}, "")
    assert [(line.name, line.kind) for line in lines] == [
        ("Q8_0", "as-good"), ("Q4_0", "as-good"), ("Q2_K", "worse"),
    ]  # fmt: skip


def test_scores_of_zero_are_neither_best_nor_green(tmp_path):
    cut = [Outcome.TRUNCATED] * 20
    report = report_of(*quants(tmp_path, Q8_0=(cut, 8.0), Q4_0=(cut, 5.0)))
    text = page(report)
    assert "no run solved any of the 20 samples" in " ".join(report.verdicts[0].reasons)
    assert "20 of 20 answers were cut" in " ".join(report.verdicts[0].reasons)
    assert 'class="as-good"' not in text
    assert "badge" not in text.partition("</style>")[2]
    assert ">best<" not in text


def test_names_are_short_within_a_family_and_never_ambiguous(tmp_path):
    same = [
        record_run(tmp_path, [P] * n, model="One-Q4_0", config={"path": "/m", "gpu_layers": n})
        for n in (3, 4)
    ]
    report = report_of(*quants(tmp_path, Q8_0=([P], 1.0), Q4_0=([P], 2.0)), *same)
    assert sorted(report.names.values()) == ["One-Q4_0 gpu_layers=3", "One-Q4_0 gpu_layers=4", "Some-7B-Q4_0",
                                             "Some-7B-Q8_0"]  # fmt: skip
    again = report_of(
        *same, *same[:0], record_run(tmp_path, model="One-Q4_0", config={"path": "/m", "gpu_layers": 3})
    )
    assert len(set(again.names.values())) == 3


@pytest.mark.parametrize(("low", "kind", "head"), [(20.0, "pick", "quick is the fastest"),
                                                   (10.5, "none", "No fastest shown")])  # fmt: skip
def test_a_speed_benchmark_names_a_fastest_only_if_the_intervals_show_it(tmp_path, low, kind, head):
    runs = [
        record_run(tmp_path, model=name, benchmark="speed", no_verdicts=True, score=Score(score=None))
        for name in ("slow", "quick")
    ]
    (table,) = report_of(*runs).tables
    rows = [
        dataclasses.replace(row, tokens_per_s=begin + 1, tokens_per_s_low=begin, tokens_per_s_high=begin + 2)
        for row, begin in zip(table.rows, (10.0, low), strict=True)
    ]
    names = {rows[0].record.run_id: "slow", rows[1].record.run_id: "quick"}
    found = verdict(dataclasses.replace(table, rows=tuple(rows)), names)
    assert (found.kind, found.head) == (kind, head)


def test_very_different_and_huge_numbers_have_a_page(tmp_path):
    runs = [
        record_run(
            tmp_path,
            [P] * (n + 1) + [F],
            model=f"{'long-' * 30}{n}",
            details={"tokens_per_s": speed},
            telemetry=TelemetrySummary(peak_memory_bytes=1 << 60, joules_per_solved=speed),
        )
        for n, speed in enumerate((1e-9, 46.8, 2.5e3, 1e18))
    ]
    text = page(report_of(*runs))
    assert "e+03" not in text
    assert "inf" not in re.findall(r'd="[^"]*"', text)


@pytest.mark.parametrize(
    ("value", "text"),
    [(46.8, "46.8"), (2560.0, "2,560"), (0.0, "0"), (0.25, "0.25"), (1.2e6, "1.2M"), (3.4e9, "3.4G"),
     (float("inf"), "?"), (12345.6, "12,346")],
)  # fmt: skip
def test_numbers_are_written_for_people(value, text):
    assert short_number(value) == text


def test_no_label_covers_another_one_or_a_point(tmp_path):
    """As far as estimates of text go; a browser measures it in `make test-pages`."""
    crowded = [(f"label {n}", 100.0 + n % 3, 100.0 + n // 3) for n in range(12)]
    points = [Box(x - 5, y - 5, x + 5, y + 5) for _, x, y in crowded]
    boxes = [place.box for place in place_labels(crowded, points, Box(0, 0, 400, 300)) if place is not None]
    assert len(boxes) >= 6
    for number, box in enumerate(boxes):
        assert not any(box.meets(other) for other in [*points, *boxes[:number]])


def test_ticks_are_round():
    assert ticks(0, 100) == [0, 20, 40, 60, 80, 100]
    assert ticks(52.1, 68.9) == [55, 60, 65]
    assert ticks(1, 1) == [1]


def test_equal_costs_make_no_plot(tmp_path):
    runs = quants(tmp_path, Q8_0=([P] * 9, 5.0), Q4_0=([P] * 9, 5.0))
    (table,) = report_of(*runs).tables
    assert cost_plots(table, {row.record.run_id: "x" for row in table.rows}, name="p") == []


def test_titles_count_what_there_is(tmp_path):
    run = record_run(tmp_path, model="Solo-Q4_0", host={"processor": "Intel(R) Xeon(R) CPU @ 2.20GHz"})
    assert report_title([run.read_record()]) == "human_eval on Solo-Q4_0, Xeon, 21 Nov 2026"
    assert report_title([]) == "No runs"
