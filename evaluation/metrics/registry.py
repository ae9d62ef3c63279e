"""The metrics of one answer, by the names that suite files use."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from evaluation.metrics.ifbench import ifbench_prompt_loose, ifbench_prompt_strict
from evaluation.metrics.rouge import rouge1, rouge2, rouge_l, rouge_l_sum
from evaluation.metrics.squad import exact_match, hotpot_f1, token_f1
from results.errors import UsageError
from results.stats.corpus_metrics import CORPUS_METRICS

SampleMetric = Callable[[str, Any], float]  # of what was read in the answer, and of what was expected
_HIGHEST_SIMILARITY = 5.0  # of STS-B


def accuracy(prediction: str, expected: Any) -> float:
    """1 if it is what was expected, or one of a list of that, character for character."""
    golds = expected if isinstance(expected, list | tuple) else [expected]
    return float(any(prediction == str(gold) for gold in golds))


def closeness(prediction: str, expected: Any) -> float:
    """How near a number is to another, both from 0 to 5: 1 if equal, 0 if it is no number."""
    try:
        distance = abs(float(prediction) - float(str(expected))) / _HIGHEST_SIMILARITY
    except ValueError:
        return 0.0
    return max(0.0, 1 - distance) if math.isfinite(distance) else 0.0


def no_leakage(prediction: str, expected: Any) -> float:
    """1 - the share of the private pieces, which `||` separates, that stand in a text, whatever their case (PUPA)."""
    pieces = [piece.strip().casefold() for piece in str(expected).split("||") if piece.strip()]
    text = prediction.casefold()
    return 1 - sum(piece in text for piece in pieces) / len(pieces) if pieces else 1.0


SAMPLE_METRICS: dict[str, SampleMetric] = {
    "accuracy": accuracy,
    "exact_match": exact_match,
    "token_f1": token_f1,
    "hotpot_f1": hotpot_f1,
    "rouge1": rouge1,
    "rouge2": rouge2,
    "rougeL": rouge_l,
    "rougeLsum": rouge_l_sum,
    "closeness": closeness,
    "no_leakage": no_leakage,
    "ifbench_prompt_loose": ifbench_prompt_loose,
    "ifbench_prompt_strict": ifbench_prompt_strict,
}


def metric_names() -> tuple[str, ...]:
    """Every name that a suite file may give a metric by, but those of a callable of its own."""
    return (*SAMPLE_METRICS, *CORPUS_METRICS)


def sample_metric(name: str) -> SampleMetric:
    """The metric of one answer. Raises UsageError for a name that is none, or that is a metric of many answers."""
    if name in SAMPLE_METRICS:
        return SAMPLE_METRICS[name]
    if name in CORPUS_METRICS:
        raise UsageError(
            f"{name} is a metric of all answers together, one answer has none",
            hint=f"name one of these beside it: {', '.join(SAMPLE_METRICS)}",
        )
    raise UsageError(f"there is no metric {name}", hint=f"metrics: {', '.join(metric_names())}")
