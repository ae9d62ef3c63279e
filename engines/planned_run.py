"""One run of a sweep, as an engine is given it."""

from __future__ import annotations

import contextlib
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from results.errors import UsageError
from runner.fingerprint import digest, fingerprint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runner.spec import RunSpec
    from settings.asked import Asked


@dataclass(frozen=True, kw_only=True)
class PlannedRun:
    """One run that is to be.

    index: its place in the plan, from 0. label: short, and unique in the plan. asked: its settings. spec: what is to be
    done; None: it can't work, and error says why; only what concerns the model's file is told like that. group: runs
    of the same group may share one server. needs: what that server is asked for, see `LaunchPlan.asked`; empty for one
    that is already running.
    """

    index: int
    label: str
    asked: Asked
    spec: RunSpec | None
    group: str
    needs: Mapping[str, Any]
    error: UsageError | None = None

    @functools.cached_property
    def fingerprint(self) -> str:
        """See runner/fingerprint.py: the model's file is read, once. Of a run that can't work, also since a file went
        away or can't be read: of its settings.
        """
        with contextlib.suppress(UsageError):
            if self.spec is not None:
                return fingerprint(self.spec)
        return digest({"error": True, **self.asked.written()})
