"""One row a run for other programs: the same columns always, nothing lost, nothing invented."""

from __future__ import annotations

import csv
import io
import json
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from results.compare.leaderboard import make_tables
from results.errors import ResultsError, UsageError
from results.records import ErrorRecord, RunStatus
from results.store.run_folder import all_records
from results.telemetry import TelemetrySummary
from results.views.export import COLUMNS, csv_text, write_csv, write_parquet
from tests.results.recorded_runs import F, P, record_run

NAME = 'é "quoted", <b>\nand more'


@pytest.fixture
def tables(tmp_path):
    measured = TelemetrySummary(
        peak_memory_bytes=3 << 30, joules_per_solved=12.5, not_comparable=("hot", "shared")
    )
    record_run(tmp_path / "r", [P] * 12, model=NAME, telemetry=measured)
    record_run(tmp_path / "r", [F] * 12, model="b", harness={}, host={})
    error = ErrorRecord(kind="script", message="it failed")
    record_run(tmp_path / "r", model="c", benchmark="lcb", status=RunStatus.FAILED, error=error, score=None)
    return make_tables(all_records(tmp_path / "r", warn=pytest.fail), warn=pytest.fail)


def test_csv_is_read_back_as_it_was(tables):
    rows = [*csv.DictReader(io.StringIO(csv_text(tables)))]
    assert [*rows[0]] == [*COLUMNS]
    first, second, failed = rows
    assert first["model"] == NAME
    assert int(first["gpu_memory_peak_bytes"]) == 3 << 30
    assert float(first["energy_per_solved_j"]) == 12.5
    assert first["speed_not_comparable"] == "hot; shared"
    assert json.loads(first["settings_json"])["gpu_layers"] == 80
    assert (first["against_best"], second["against_best"]) == ("best", "worse")
    assert float(second["difference_points"]) == -100.0
    assert float(second["adjusted_p_value"]) == pytest.approx(2 / 2**12, rel=1e-12)
    assert second["gpu_memory_peak_bytes"] == "", "not known is empty, never 0"
    assert (failed["status"], failed["error"], failed["score_percent"]) == ("failed", "it failed", "")


def test_parquet_has_types_and_nulls(tables, tmp_path):
    write_parquet(tmp_path / "t.parquet", tables)
    found = pq.read_table(tmp_path / "t.parquet")
    assert found.schema.names == [*COLUMNS]
    assert found.schema.field("score_percent").type == pa.float64()
    assert found.schema.field("samples").type == pa.int64()
    rows = found.to_pylist()
    assert rows[0]["model"] == NAME
    assert [row["gpu_memory_peak_bytes"] for row in rows] == [3 << 30, None, None]


def test_the_columns_are_there_without_any_run(tmp_path):
    write_parquet(tmp_path / "t.parquet", [])
    assert pq.read_table(tmp_path / "t.parquet").schema.names == [*COLUMNS]
    assert csv_text([]).strip().split(",") == [*COLUMNS]


def test_without_pyarrow_the_error_names_the_extra(tables, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(UsageError) as refused:
        write_parquet(tmp_path / "t.parquet", tables)
    assert refused.value.hint.endswith("python -m pip install 'bench-runner[parquet]'")
    assert not (tmp_path / "t.parquet").exists()


def test_a_folder_that_is_not_there_is_an_error_with_its_path(tables, tmp_path):
    with pytest.raises(ResultsError, match="none/t"):
        write_csv(tmp_path / "none" / "t.csv", tables)
