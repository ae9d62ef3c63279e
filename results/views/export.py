"""Tables of runs for other programs: CSV and Parquet, one row per run.

The columns are always the same, their names contain the units, and unknown values are empty. The run's settings are
JSON in one column, because they differ between servers.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from results.compare.composites import speed_against
from results.compare.fidelity import fidelity_of
from results.durable import explained, replace_file
from results.errors import UsageError
from results.extras import install_command
from results.json_text import encode_sorted
from results.plain_text import csv_cell
from results.scores.composite import Part
from results.stats.machines import energy_doubts, speed_doubts
from results.views.composites.composite_text import why_unknown
from results.views.leaderboard_text import chat_text
from results.views.sweep_text import race_text, reduction_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from results.compare.leaderboard import Row, Table
    from results.records import RunRecord

COLUMNS: dict[str, type] = {
    "run_id": str,
    "timestamp": str,
    "status": str,
    "benchmark": str,
    "comparable_set": str,
    "model": str,
    "model_family": str,
    "quantization": str,
    "model_sha256": str,
    "model_size_bytes": int,
    "parameter_count": int,
    "server": str,
    "settings_json": str,
    "score_percent": float,
    "score_low_percent": float,
    "score_high_percent": float,
    "samples": int,
    "completions": int,
    "lost_completions": int,
    "against_best": str,
    "difference_points": float,
    "difference_low_points": float,
    "difference_high_points": float,
    "p_value": float,
    "adjusted_p_value": float,
    "common_samples": int,
    "tokens_per_s": float,
    "tokens_per_s_low": float,
    "tokens_per_s_high": float,
    "resumed": int,
    "prompt_tokens": int,
    "completion_tokens": int,
    "draft_acceptance": float,
    "gpu_memory_peak_bytes": int,
    "host_memory_peak_bytes": int,
    "energy_j": float,
    "energy_per_solved_j": float,
    "energy_per_1000_solved_wh": float,
    "cost_per_1000_solved": float,
    "time_taken_s": float,
    "load_s": float,
    "generate_s": float,
    "execute_s": float,
    "speed_not_comparable": str,
    "energy_doubts": str,
    "reduced": str,
    "race": str,
    "sweep_id": str,
    "sweep_label": str,
    "host": str,
    "gpus": str,
    "error_kind": str,
    "error": str,
    "label": str,
    "note": str,
    "one_at_a_time": str,
    "kld_reference": str,
    "mean_kld_nats": float,
    "mean_kld_low_nats": float,
    "mean_kld_high_nats": float,
    "same_top": float,
    "perplexity": float,
    "cost_usd": float,
    "cost_per_solved_usd": float,
    "cached_completions": int,
    "composite_points": float,
    "composite_low_points": float,
    "composite_high_points": float,
    "partial_composite_points": float,
    "partial_composite_of": str,
    "correctness_points": float,
    "speed_points": float,
    "quality_points": float,
    "efficiency_points": float,
    "own_parts_json": str,
    "composite_weights_json": str,
    "composite_rules": str,
    "composite_speed_against": str,
    "composite_unknown": str,
}


def flat_rows(tables: Sequence[Table]) -> list[dict[str, Any]]:
    """The rows in the tables' order, each with all of COLUMNS."""
    return [_flat(table, row) for table in tables for row in table.rows]


def csv_text(tables: Sequence[Table]) -> str:
    """CSV by RFC 4180, but with plain newlines. Numbers can be read back exactly. A text that a spreadsheet would take
    for a formula begins with an apostrophe.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in flat_rows(tables):
        writer.writerow(
            {name: csv_cell(each) if isinstance(each, str) else each for name, each in row.items()}
        )
    return text.getvalue()


def write_csv(path: Path, tables: Sequence[Table]) -> None:
    """Write CSV in UTF-8. Raises ResultsError."""
    with explained("write", path):
        replace_file(path, csv_text(tables).encode())


def require_parquet() -> None:
    """Raise UsageError if Parquet can't be written. Call it before doing any work."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise UsageError(
            "Parquet needs pyarrow, which is not installed", hint=install_command("parquet")
        ) from error


def write_parquet(path: Path, tables: Sequence[Table]) -> None:
    """Write Parquet. Raises UsageError without pyarrow, and ResultsError."""
    require_parquet()
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {str: pa.string(), int: pa.int64(), float: pa.float64()}
    schema = pa.schema([(name, types[kind]) for name, kind in COLUMNS.items()])
    made = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(flat_rows(tables), schema=schema), made)
    with explained("write", path):
        replace_file(path, made.getvalue())


def _flat(table: Table, row: Row) -> dict[str, Any]:
    record, versus = row.record, row.versus
    model, score, telemetry, place = record.model_identity, record.score, record.telemetry, record.sweep
    gpus = [str(gpu.get("name")) for gpu in record.host.get("gpus") or () if isinstance(gpu, dict)]
    values: dict[str, Any] = {
        "run_id": record.run_id,
        "timestamp": record.timestamp,
        "status": str(row.status),
        "benchmark": record.benchmark,
        "comparable_set": table.title,
        "model": record.model,
        "model_family": row.family,
        "quantization": row.quantization or None,
        "model_sha256": model.sha256 if model else None,
        "model_size_bytes": model.size_bytes if model else None,
        "parameter_count": model.parameter_count if model else None,
        "server": record.server.kind if record.server else record.config.get("server"),
        "settings_json": encode_sorted(record.config).decode(),
        "score_percent": row.score,
        "score_low_percent": row.score_low,
        "score_high_percent": row.score_high,
        "samples": row.samples,
        "completions": score.completions if score else None,
        "lost_completions": score.lost if score else None,
        "against_best": str(versus.rank) if versus else None,
        "difference_points": _points(versus.difference) if versus else None,
        "difference_low_points": _points(versus.low) if versus else None,
        "difference_high_points": _points(versus.high) if versus else None,
        "p_value": versus.p_value if versus else None,
        "adjusted_p_value": versus.adjusted_p if versus else None,
        "common_samples": (versus.samples or None) if versus else None,
        "tokens_per_s": row.tokens_per_s,
        "tokens_per_s_low": row.tokens_per_s_low,
        "tokens_per_s_high": row.tokens_per_s_high,
        "resumed": record.resumed,
        "prompt_tokens": score.prompt_tokens if score else None,
        "completion_tokens": score.completion_tokens if score else None,
        "draft_acceptance": telemetry.draft_acceptance if telemetry else None,
        "gpu_memory_peak_bytes": row.gpu_memory_bytes,
        "host_memory_peak_bytes": row.host_memory_bytes,
        "energy_j": row.energy_j,
        "energy_per_solved_j": row.joules_per_solved,
        "energy_per_1000_solved_wh": row.wh_per_1000_solved,
        "cost_per_1000_solved": row.cost_per_1000_solved,
        "time_taken_s": record.results.time_taken,
        "load_s": record.phases.load_s,
        "generate_s": record.phases.generate_s,
        "execute_s": record.phases.execute_s,
        "speed_not_comparable": _joined(speed_doubts(record)),
        "energy_doubts": _joined(energy_doubts(record)),
        "reduced": _joined([reduction_text(each) for each in place.reductions] if place else ()),
        "race": race_text(row.race_result) if row.race_result else None,
        "sweep_id": place.sweep_id if place else None,
        "sweep_label": place.label if place else None,
        "host": record.host.get("hostname"),
        "gpus": _joined(gpus),
        "error_kind": record.error.kind if record.error else None,
        "error": record.error.message if record.error else None,
        "label": record.remarks.label or None,
        "note": record.remarks.note or None,
        "one_at_a_time": chat_text(row) or None,
        **_fidelity(row),
        "cost_usd": score.cost_usd if score else None,
        "cost_per_solved_usd": row.usd_per_solved,
        "cached_completions": score.cached if score else None,
        **_composite(record),
    }
    return {name: kind(values[name]) if values[name] is not None else None for name, kind in COLUMNS.items()}


def _fidelity(row: Row) -> dict[str, Any]:
    result = fidelity_of(row.record)
    kld = result.figures.mean_kld if result else None
    same = result.figures.same_top if result else None
    return {
        "kld_reference": result.reference.name if result and result.reference else None,
        "mean_kld_nats": kld.value if kld else None,
        "mean_kld_low_nats": kld.low if kld else None,
        "mean_kld_high_nats": kld.high if kld else None,
        "same_top": same.value if same else None,
        "perplexity": result.figures.perplexity.value if result else None,
    }


def _composite(record: RunRecord) -> dict[str, Any]:
    found = record.composite
    parts = {name: part.value for name, part in found.parts.items()} if found else {}
    ours = {str(part): parts.pop(part, None) for part in Part}
    return {
        "composite_points": found.composite.value if found else None,
        "composite_low_points": found.composite.low if found else None,
        "composite_high_points": found.composite.high if found else None,
        "partial_composite_points": found.partial.value if found and found.partial else None,
        "partial_composite_of": _joined(found.partial_of) if found else None,
        **{f"{name}_points": value for name, value in ours.items()},
        "own_parts_json": encode_sorted(parts).decode() if parts else None,
        "composite_weights_json": encode_sorted(found.weights).decode() if found else None,
        "composite_rules": found.rules if found else None,
        "composite_speed_against": (speed_against(found) or None) if found else None,
        "composite_unknown": (why_unknown(found) or None) if found else None,
    }


def _points(fraction: float | None) -> float | None:
    return None if fraction is None else 100 * fraction


def _joined(texts: Sequence[str]) -> str | None:
    return "; ".join(texts) or None
