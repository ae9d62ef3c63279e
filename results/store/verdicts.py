"""The verdicts in a `completions.jsonl`, without the answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from results.errors import ParseError
from results.files import open_to_read
from results.json_text import NOT_THAT_JSON, number
from results.records import Outcome

if TYPE_CHECKING:
    from pathlib import Path


_Verdict = TypeVar("_Verdict", bound="CompletionVerdict")


class CompletionVerdict(msgspec.Struct, frozen=True):
    """The verdict on one completion: the fields of `results.records.Completion` that it needs."""

    task_id: str
    outcome: Outcome
    index: int = 0
    passed: bool = False
    near_time_limit: bool = False
    tags: dict[str, str] = {}
    metrics: Any = None  # a script of somebody else's may have anything there, and in the next two
    cost_usd: Any = None
    cached: Any = False

    def metric(self, name: str) -> float | None:
        """One of its metrics; None where it has none of that name."""
        return number(self.metrics.get(name)) if isinstance(self.metrics, dict) else None


class ScoredVerdict(CompletionVerdict, frozen=True):
    """A verdict with what was read in the answer and what was expected, for metrics of all answers together."""

    completion: Any = None
    expected: Any = None


def read_scored(path: Path) -> tuple[list[ScoredVerdict], int]:
    """As `read_verdicts`, with what metrics need."""
    return _read(path, ScoredVerdict)


def read_verdicts(path: Path) -> tuple[list[CompletionVerdict], int]:
    """The last verdict of each (task_id, index), and the number of unreadable lines, such as a torn one.

    Raises OSError, and ParseError for a line that contradicts itself.
    """
    return _read(path, CompletionVerdict)


def _read(path: Path, kind: type[_Verdict]) -> tuple[list[_Verdict], int]:
    verdicts: dict[tuple[str, int], _Verdict] = {}
    unreadable = 0
    with open_to_read(path) as lines:
        for line in lines:
            try:
                verdict = msgspec.json.decode(line, type=kind)
            except NOT_THAT_JSON:
                unreadable += bool(line.strip())
                continue
            if verdict.passed != (verdict.outcome is Outcome.PASSED):
                raise ParseError(
                    f"{path}: {verdict.task_id} says both passed={verdict.passed} "
                    f"and outcome={verdict.outcome}"
                )
            verdicts[verdict.task_id, verdict.index] = verdict
    return list(verdicts.values()), unreadable
