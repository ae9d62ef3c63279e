"""Inspect (inspect-ai): its log in JSON."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from parsers.files import entry, result_file
from parsers.fractions import fraction
from parsers.output import number
from results.errors import ParseError
from results.records import Metric, Score

if TYPE_CHECKING:
    from pathlib import Path

    from parsers.contract import ScriptOutput


class InspectLog:
    """Reads the newest log of `inspect eval --log-format json --log-dir {output_dir}`.

    The score is the headline metric that the log names, else the first one. Metrics are named "scorer metric".
    A log that does not end with success is a ParseError with Inspect's own error.
    """

    name = "inspect"

    def parse(self, output: ScriptOutput) -> Score:
        expected = "log in JSON of inspect eval (--log-format json --log-dir {output_dir})"
        path, log = result_file(output, self.name, "*.json", _fits, expected)
        _require_success(path, log)
        results = log["results"]
        total, completed = _count(results.get("total_samples")), _count(results.get("completed_samples"))
        epochs = _count(entry(log, "eval", "config", "epochs")) or 1
        metrics = _metrics(results, total)
        first = metrics.get(_headline(results)) or next(iter(metrics.values()), None)
        warnings = []
        if total is not None and completed is not None and completed < total:
            warnings.append(f"{total - completed} of {total} samples were not completed")
        if log.get("invalidated") is True:
            warnings.append("the log was invalidated")
        usage = entry(log, "stats", "model_usage") or {}
        return Score(
            score=None if first is None else 100 * first.value,
            metrics=metrics if first is None else {"score": first, **metrics},
            samples=None if total is None else total // epochs,
            completions=completed,
            prompt_tokens=_tokens(usage, "input_tokens"),
            completion_tokens=_tokens(usage, "output_tokens"),
            warnings=tuple(warnings),
            details={
                "task": entry(log, "eval", "task"),
                "epochs": epochs,
                "packages": entry(log, "eval", "packages"),
                "scores": results.get("scores"),
            },
        )


def _fits(document: Any) -> bool:
    return isinstance(entry(document, "eval"), dict) and isinstance(entry(document, "status"), str)


def _require_success(path: Path, log: dict[str, Any]) -> None:
    if log["status"] == "success" and isinstance(entry(log, "results", "scores"), list):
        return
    message = entry(log, "error", "message")
    raise ParseError(
        f"{path}: Inspect's evaluation has no results; its status is {log['status']}"
        + (f": {message}" if message else ""),
        hint="inspect view shows the whole log",
    )


def _metrics(results: dict[str, Any], samples: int | None) -> dict[str, Metric]:
    metrics: dict[str, Metric] = {}
    for score in results["scores"]:
        named = entry(score, "metrics")
        if not isinstance(named, dict):
            continue
        stderr = entry(named, "stderr", "value")
        for name in named:
            metric = fraction(entry(named, name, "value"), stderr, samples)
            if metric is not None and name not in {"stderr", "std", "var"}:
                metrics[f"{score.get('name')} {name}"] = metric
    return metrics


def _headline(results: dict[str, Any]) -> str:
    return f"{entry(results, 'headline', 'score')} {entry(results, 'headline', 'metric')}"


def _tokens(usage: dict[str, Any], kind: str) -> int | None:
    counts = [count for model in usage if (count := _count(entry(usage, model, kind))) is not None]
    return sum(counts) if counts else None


def _count(value: object) -> int | None:
    count = number(value)
    return None if count is None or not 0 <= count < math.inf else int(count)


PARSER = InspectLog()
