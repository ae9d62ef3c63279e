"""The type of what `watch-build` keeps on disk: which runs are the baseline, and what came of the looks since.

Part of the schema of `results/records.py`.
"""

from __future__ import annotations

from typing import Any

import msgspec

WATCH_VERSION = 1


class PastLook(msgspec.Struct, frozen=True, kw_only=True):
    """One look. timestamp: of the first new run, UTC. runs: ids of the new runs. build: what the server said of itself.
    alarms: names of what was worse. flipped, samples: how many verdicts differed from the baseline, of how many.
    """

    timestamp: str
    runs: tuple[str, ...]
    build: str = ""
    alarms: tuple[str, ...] = ()
    flipped: int = 0
    samples: int = 0


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """What is watched. settings: as written, with the choice of samples. baseline: ids of its runs, the first of which
    decides the score. looks: all so far, also at earlier baselines, oldest first.
    """

    schema_version: int = WATCH_VERSION
    watch_id: str
    settings: dict[str, Any]
    baseline: tuple[str, ...]
    looks: tuple[PastLook, ...] = ()
