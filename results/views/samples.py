"""A table of single completions for other programs: CSV and Parquet, one row per completion of each run.

The columns are always the same, their names contain the units, and unknown values are empty. Answers are not in it.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from results.completion_lines import latest
from results.durable import explained, replace_file
from results.files import open_to_read
from results.json_text import encode_sorted
from results.plain_text import csv_cell
from results.store.reading.run_figures import quantization_of
from results.views.export import require_parquet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from results.records import Completion, RunRecord
    from results.store.run_folder import RunFolder

    Run = tuple[RunFolder, RunRecord]

SAMPLE_COLUMNS: dict[str, type] = {
    "run_id": str,
    "label": str,
    "timestamp": str,
    "status": str,
    "benchmark": str,
    "model": str,
    "quantization": str,
    "server": str,
    "task_id": str,
    "completion_index": int,
    "outcome": str,
    "passed": bool,
    "detail": str,
    "prompt_tokens": int,
    "completion_tokens": int,
    "request_s": float,
    "execute_s": float,
    "attempts": int,
    "near_time_limit": bool,
    "finish_reason": str,
    "loss": str,
    "cut": str,
    "difficulty": str,
    "tags_json": str,
    "metrics_json": str,
}


def sample_rows(run: Run) -> Iterator[dict[str, Any]]:
    """The rows of one run, in the order of its file; none if it has no completions. Raises ResultsError."""
    folder, record = run
    if not folder.completions.exists():
        return
    of_run = {
        "run_id": record.run_id,
        "label": record.remarks.label or None,
        "timestamp": record.timestamp,
        "status": str(folder.effective_status(record)),
        "benchmark": record.benchmark,
        "model": record.model,
        "quantization": quantization_of(record) or None,
        "server": record.server.kind if record.server else None,
    }
    with explained("read", folder.completions), open_to_read(folder.completions) as lines:
        completions = latest(lines)
    for completion in completions.values():
        yield {**of_run, **_of_completion(completion)}


def samples_csv_text(runs: Iterable[Run]) -> str:
    """CSV by RFC 4180 but with plain newlines. A text that a spreadsheet would take for a formula begins with an
    apostrophe.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, SAMPLE_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for run in runs:
        for row in sample_rows(run):
            writer.writerow({name: _csv_value(each) for name, each in row.items()})
    return text.getvalue()


def write_samples_csv(path: Path, runs: Iterable[Run]) -> None:
    """In UTF-8. Raises ResultsError."""
    text = samples_csv_text(runs)
    with explained("write", path):
        replace_file(path, text.encode())


def write_samples_parquet(path: Path, runs: Iterable[Run]) -> None:
    """Write Parquet, one row group per run. Raises UsageError without pyarrow, and ResultsError."""
    require_parquet()
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    schema = pa.schema([(name, types[kind]) for name, kind in SAMPLE_COLUMNS.items()])
    made = io.BytesIO()
    with pq.ParquetWriter(made, schema) as writer:
        for run in runs:
            if rows := [*sample_rows(run)]:
                writer.write_table(pa.Table.from_pylist(rows, schema=schema))
    with explained("write", path):
        replace_file(path, made.getvalue())


def _of_completion(completion: Completion) -> dict[str, Any]:
    return {
        "task_id": completion.task_id,
        "completion_index": completion.index,
        "outcome": str(completion.outcome),
        "passed": completion.passed,
        "detail": completion.detail or None,
        "prompt_tokens": completion.prompt_tokens,
        "completion_tokens": completion.completion_tokens,
        "request_s": completion.request_s,
        "execute_s": completion.execute_s,
        "attempts": completion.attempts,
        "near_time_limit": completion.near_time_limit,
        "finish_reason": completion.finish_reason or None,
        "loss": str(completion.loss) if completion.loss else None,
        "cut": str(completion.cut) if completion.cut else None,
        "difficulty": completion.tags.get("difficulty"),
        "tags_json": encode_sorted(completion.tags).decode() if completion.tags else None,
        "metrics_json": encode_sorted(completion.metrics).decode() if completion.metrics else None,
    }


def _csv_value(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return csv_cell(value) if isinstance(value, str) else value
