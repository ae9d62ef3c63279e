"""Inspect (inspect-ai): its log, as JSON or as .eval, which is a zip archive of JSON."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from parsers.archive import UnreadableMember, read_member
from parsers.files import decoded, entry, read_json, result_file
from parsers.fractions import fraction
from parsers.output import number
from results.errors import ParseError
from results.records import Metric, Outcome, Score

if TYPE_CHECKING:
    from pathlib import Path

    from parsers.contract import ScriptOutput

# What the server had in its cache is not in the first.
_PROMPT_TOKENS = ("input_tokens", "input_tokens_cache_read", "input_tokens_cache_write")


class InspectLog:
    """Reads the newest log of `inspect eval --log-dir {output_dir}`, in either --log-format.

    The score is the headline metric that the log names, else the first one. Metrics are named "scorer metric".
    A log that does not end with success is a ParseError with Inspect's own error.
    """

    name = "inspect"

    def parse(self, output: ScriptOutput) -> Score:
        expected = "log of inspect eval (--log-dir {output_dir})"
        path, log = result_file(output, self.name, "*", _fits, expected, read=_read)
        _require_success(path, log)
        results = log["results"]
        total, completed = _count(results.get("total_samples")), _count(results.get("completed_samples"))
        epochs = _count(entry(log, "eval", "config", "epochs")) or 1
        metrics = _metrics(results, total)
        first = metrics.get(_headline(results)) or next(iter(metrics.values()), None)
        warnings = []
        lost = total - completed if total is not None and completed is not None else 0
        if lost > 0:
            warnings.append(f"{lost} of {total} samples were not completed")
        if log.get("invalidated") is True:
            warnings.append("the log was invalidated")
        usage = entry(log, "stats", "model_usage") or {}
        return Score(
            score=None if first is None else 100 * first.value,
            metrics=metrics if first is None else {"score": first, **metrics},
            samples=None if total is None else total // epochs,
            completions=total,
            outcomes={Outcome.INFRASTRUCTURE_ERROR: lost} if lost > 0 else {},
            prompt_tokens=_tokens(usage, *_PROMPT_TOKENS),
            completion_tokens=_tokens(usage, "output_tokens"),
            warnings=tuple(warnings),
            details={
                "task": entry(log, "eval", "task"),
                "epochs": epochs,
                "packages": entry(log, "eval", "packages"),
                "scores": results.get("scores"),
            },
        )


def _read(path: Path) -> Any:
    """The log without its samples; None where the file is none. Raises ParseError."""
    if path.suffix == ".json":
        return read_json(path)
    if path.suffix != ".eval":
        return None
    log = _member(path, "header.json")
    if log is None:  # of an evaluation that was cut there is the beginning
        begun = _member(path, "_journal/start.json")
        log = {**begun, "status": "started"} if isinstance(begun, dict) else None
    return log


def _member(path: Path, name: str) -> Any:
    try:
        text = read_member(path, name)
    except UnreadableMember as error:
        raise ParseError(
            f"{path}: {error}",
            hint="try inspect eval --log-format json",
        ) from error
    except OSError as error:
        raise ParseError(f"cannot read {path}: {error.strerror}", hint="it has the score") from error
    return None if text is None else decoded(text)


def _fits(document: Any) -> bool:
    return isinstance(entry(document, "eval"), dict) and isinstance(entry(document, "status"), str)


def _require_success(path: Path, log: dict[str, Any]) -> None:
    if log["status"] == "success" and isinstance(entry(log, "results", "scores"), list):
        return
    message = entry(log, "error", "message")
    raise ParseError(
        f"{path}: the evaluation has no results; its status is {log['status']}"
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


def _tokens(usage: dict[str, Any], *kinds: str) -> int | None:
    found = (_count(entry(usage, model, kind)) for model in usage for kind in kinds)
    counts = [count for count in found if count is not None]
    return sum(counts) if counts else None


def _count(value: object) -> int | None:
    count = number(value)
    return None if count is None or not 0 <= count < math.inf else int(count)


PARSER = InspectLog()
