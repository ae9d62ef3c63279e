"""What the energy costs, computed from a record, and why it isn't known where it isn't."""

from __future__ import annotations

import json

import pytest

from results.telemetry import TelemetrySummary
from results.views.energy_cost import cost_text, money
from tests.command_line import bench_runner
from tests.results.recorded_runs import F, P, record_run

MEASURED = TelemetrySummary(energy_j=1440.0, joules_per_solved=720.0)  # 200 Wh for a thousand


@pytest.mark.parametrize(
    ("cost", "text"),
    [
        (None, ""),
        (0.0, "0.00"),
        (0.0123456, "0.0123"),
        (0.00001234, "0.000012"),
        (1.5, "1.50"),
        (12345.6, "12,345.60"),
    ],
)
def test_an_amount_is_readable_whatever_its_size(cost, text):
    assert money(cost) == text


@pytest.mark.parametrize(
    ("outcomes", "telemetry", "text"),
    [
        ((P, P), MEASURED, "0.0600 per 1,000 solved samples (200.0 Wh, at 0.3 per kWh)"),
        ((P,), None, "unknown: nothing was measured"),
        ((P,), TelemetrySummary(), "unknown: no device reported its energy (see docs/telemetry.md)"),
        ((F,), TelemetrySummary(energy_j=5.0), "unknown: no sample was solved"),
        (
            (P,),
            TelemetrySummary(energy_j=5.0),
            "unknown: it was resumed, and only its last part was measured",
        ),
    ],
)
def test_the_cost_is_shown_or_why_it_is_not_known(tmp_path, outcomes, telemetry, text):
    record = record_run(tmp_path, outcomes, telemetry=telemetry).read_record()
    assert cost_text(record, 0.3).replace("0.06 ", "0.0600 ") == text


def test_each_view_has_the_cost_and_records_have_none(tmp_path):
    first = record_run(tmp_path, (P, P), model="a", telemetry=MEASURED)
    record_run(tmp_path, (P, F), model="b")
    before = first.run_json.read_bytes()
    price = ("--price-per-kwh", 0.3, "--results-dir", tmp_path)
    rows = [json.loads(line) for line in bench_runner("leaderboard", "--json", *price).out.splitlines()]
    assert [(row["energy_per_1000_solved_wh"], row["cost_per_1000_solved"]) for row in rows] == [
        (pytest.approx(200.0), pytest.approx(0.06)), (None, None),
    ]  # fmt: skip
    shown = bench_runner("show", first.run_id, "--results-dir", tmp_path, env={"BENCH_PRICE_PER_KWH": "0.5"})
    assert "0.1 per 1,000 solved samples" in shown.out, shown.out
    made = bench_runner("report", *price)
    assert made.code == 0, made.err
    text = (tmp_path / "report.md").read_text()
    assert "cost/1k" in text
    assert "no cost: nothing was measured" in text
    assert "1,000 solved" not in bench_runner("show", first.run_id, "--results-dir", tmp_path).out
    wrong = bench_runner("leaderboard", "--price-per-kwh", "-1", "--results-dir", tmp_path)
    assert wrong.code == 2
    assert first.run_json.read_bytes() == before
