"""What one scorer says in Inspect's log: how many samples have a value, and metrics with their own standard errors."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from parsers.files import entry
from parsers.fractions import fraction
from parsers.output import count, number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from results.records import Metric

_MEANS = {"accuracy", "mean"}  # what stderr() and bootstrap_stderr() are the standard errors of
_ERRORS = ("stderr", "bootstrap_stderr")
_SPREADS = {*_ERRORS, "std", "var", "ci", "ci_wilson"}


@dataclass(frozen=True)
class Scored:
    """What one scorer said, with one reducer of the epochs. asked: how many samples it was given, scored how many of
    them have a value, each None where the log does not say; samples: the same without the epochs, where it was given
    each epoch by itself; lost: the completions without a value.
    """

    name: str
    scorer: object
    reducer: object
    metrics: dict[str, Metric]
    keys: tuple[str, ...]
    scored: int | None
    unscored: int
    samples: int | None
    lost: int

    @property
    def asked(self) -> int | None:
        return None if self.scored is None else self.scored + self.unscored

    @classmethod
    def of(cls, score: dict[str, Any], total: int | None, epochs: int) -> Scored:
        scored, unscored = count(score.get("scored_samples")), count(score.get("unscored_samples")) or 0
        distinct = None if total is None else total // epochs
        by_epoch = scored is not None and distinct is not None and scored + unscored > distinct
        if scored is None and unscored and distinct is not None:
            scored = max(0, distinct - unscored)
        samples = distinct if scored is None else -(-scored // epochs) if by_epoch else scored
        named = score.get("metrics")
        return cls(
            name=str(score.get("name")),
            scorer=score.get("scorer"),
            reducer=score.get("reducer"),
            metrics=_metrics_of(score, samples),
            keys=tuple(named) if isinstance(named, dict) else (),
            scored=scored,
            unscored=unscored,
            samples=samples,
            lost=unscored * (1 if by_epoch else epochs),
        )


@dataclass(frozen=True)
class _Entry:
    """One value of the log. function: the metric function that computed it, the inner one of grouped(accuracy(), ...).
    place: what it was computed over; values of one place belong together.
    """

    key: str
    value: object
    function: str
    place: tuple[str, str, str]


def _metrics_of(score: dict[str, Any], samples: int | None) -> dict[str, Metric]:
    """By the log's names, those that are fractions, in its order; standard errors and intervals are none of them.

    samples: how many were scored. A standard error is that of a mean. Another metric has one only where it is the
    only metric beside it, or where the log has one of its name (`f1_stderr`).
    """
    entries = list(_entries(score))
    metrics: dict[str, Metric] = {}
    for found in entries:
        if found.function in _SPREADS or _is_error_of_another(found, entries):
            continue
        # A group's size is not in the log.
        metric = fraction(found.value, _error(found, entries), samples if found.place[1] == "" else None)
        if metric is not None:
            metrics[found.key] = metric
    return metrics


def _entries(score: dict[str, Any]) -> Iterator[_Entry]:
    named = score.get("metrics")
    for key, metric in (named if isinstance(named, dict) else {}).items():
        params = entry(metric, "params")
        params = params if isinstance(params, dict) else {}
        inner = next((of for name in ("metric", "agg") if (of := entry(params, name, "name"))), None)
        said, group = entry(metric, "name"), entry(metric, "group")
        name = _bare(said) or key
        if inner is not None:
            others = {key: value for key, value in params.items() if key not in {"metric", "agg"}}
            place = (_bare(group) or name, name if group else "", json.dumps(others, sort_keys=True))
            function = _bare(inner)
        else:
            place = (_bare(group), "", "")
            function = name if name in _SPREADS else _bare(group) or name
        yield _Entry(key, entry(metric, "value"), function, place)


def _bare(name: object) -> str:
    """Without the package that registered it, as in `inspect_evals/mean_of`."""
    return name.rpartition("/")[2] if isinstance(name, str) else ""


def _is_error_of_another(found: _Entry, entries: list[_Entry]) -> bool:
    return any(found.key in _error_names(other.key) for other in entries)


def _error_names(key: str) -> tuple[str, str]:
    return (f"{key}_stderr", f"stderr_{key}")


def _error(found: _Entry, entries: list[_Entry]) -> float | None:
    """The larger where there are several: one of clusters knows that their samples depend on each other."""
    own = [other for other in entries if other.key in _error_names(found.key)]
    if not own:
        beside = [other for other in entries if other.place == found.place]
        others = [other for other in beside if other.function not in _SPREADS and other is not found]
        if found.function not in _MEANS and others:
            return None
        own = next(
            (some for name in _ERRORS if (some := [other for other in beside if other.function == name])), []
        )
    errors = [error for other in own if (error := number(other.value)) is not None]
    return max((error for error in errors if 0 <= error < math.inf), default=None)
