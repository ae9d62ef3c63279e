"""What fits into a record of a score that was read from somebody else's output."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import msgspec

from parsers.output import listed
from results.json_text import encode

if TYPE_CHECKING:
    from results.records import Score

_LARGEST_BYTES = 4 << 20  # of each detail; a record is one line of the run log, and all of them are read
_DEEPEST = 64
_MOST_METRICS = 5000
_LONGEST_NAME = 500  # characters


def fitted(score: Score) -> Score:
    """Without what is too large or too deep for a run log, with a warning that says so. The run's files have it all."""
    left_out = [name for name, detail in score.details.items() if not _fits(detail)]
    metrics = dict(itertools.islice(score.metrics.items(), _MOST_METRICS))
    warnings = [
        warning if len(warning) <= _LONGEST_NAME else f"{warning[:_LONGEST_NAME]}..."
        for warning in score.warnings
    ]
    if left_out:
        warnings.append(f"too large for the record: details of {listed(left_out)}; the run's files have them")
    if len(metrics) < len(score.metrics):
        warnings.append(
            f"too many for the record: {len(score.metrics)} metrics; the first {len(metrics)} are kept"
        )
    return msgspec.structs.replace(
        score,
        metrics={name[:_LONGEST_NAME]: metric for name, metric in metrics.items()},
        warnings=tuple(warnings),
        details={name: detail for name, detail in score.details.items() if name not in left_out},
    )


def _fits(detail: Any) -> bool:
    return _depth(detail) <= _DEEPEST and len(encode(detail)) <= _LARGEST_BYTES


def _depth(tree: Any) -> int:
    """Level by level, so that no depth is too much; the first ones only."""
    level, depth = [tree], 0
    while level and depth <= _DEEPEST:
        depth += 1
        level = [
            child
            for some in level
            if isinstance(some, dict | list | tuple)
            for child in (some.values() if isinstance(some, dict) else some)
        ]
    return depth
