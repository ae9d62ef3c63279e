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

    index: its place in the plan, from 0. label: short, and unique in the plan. options: the settings as given. group:
    runs of the same group may share one server. asked: what the server is asked for (ctx_size, parallel, gpu_layers;
    empty for one that is already running). line: of the manifest.
    error: why it can't work; then there is no spec. Only what concerns the model's file is told like that.
    """

    index: int
    label: str
    options: Asked
    spec: RunSpec | None
    group: str
    asked: Mapping[str, Any]
    line: int | None
    error: UsageError | None = None

    @functools.cached_property
    def fingerprint(self) -> str:
        """See runner/fingerprint.py: the model's file is read, once. Of a run that can't work, also since a file went
        away or can't be read: of its options.
        """
        with contextlib.suppress(UsageError):
            if self.spec is not None:
                return fingerprint(self.spec)
        return digest({"error": True, **self.options.written()})
