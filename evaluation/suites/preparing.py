"""What makes of a data set's rows those that a suite's templates see, by the names that suites give as `prepare`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

Prepare = Callable[[Sequence[dict[str, Any]]], Iterable[dict[str, Any]]]

PREPARED: dict[str, Prepare] = {}
