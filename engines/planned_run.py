"""One run of a sweep, as an engine receives it."""

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
    """One planned run.

    index: its place in the plan, from 0. label: short, and unique in the plan. asked: its settings. spec: what to do;
    None if it can't work because of the model's file, and error says why. group: runs of the same group may share one
    server. needs: the server's settings, see `LaunchPlan.asked`; empty for one that is already running.
    whole: of a shard, the run that it is a part of, which nobody does as such.
    known_as: the fingerprint by which the sweep knows it, where the spec is another one, as in a round of a race.
    """

    index: int
    label: str
    asked: Asked
    spec: RunSpec | None
    group: str
    needs: Mapping[str, Any]
    error: UsageError | None = None
    known_as: str = ""
    whole: PlannedRun | None = None

    @functools.cached_property
    def fingerprint(self) -> str:
        """See runner/fingerprint.py. Reads the model's file, once. If the run can't work or a file is missing or
        unreadable, it is the fingerprint of its settings only.
        """
        if self.known_as:
            return self.known_as
        with contextlib.suppress(UsageError):
            if self.spec is not None:
                return fingerprint(self.spec)
        return digest({"error": True, **self.asked.written()})
