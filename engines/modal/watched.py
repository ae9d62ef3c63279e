"""What a coordinator knows of an attempt that is out at Modal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engines.contract import Attempt


@dataclass
class Watched:
    """asked_at, heard_at: when Modal was asked about its call, and when its machine was heard. claimed: a machine has
    begun it. begin_at: when to start its call, which isn't started yet; None for others. tries: to start it, which
    failed. other_call: the one that does it, if it is not the one that is known. forbidden_at: since when no call may
    begin with it. All times are monotonic seconds.
    """

    attempt: Attempt
    asked_at: float
    heard_at: float
    claimed: bool = False
    failing: bool = False
    begin_at: float | None = None
    tries: int = 0
    other_call: str = ""
    forbidden_at: float | None = None


def beginning(watched: Mapping[str, Watched]) -> list[Watched]:
    """Those whose calls aren't started yet."""
    return [each for each in watched.values() if each.begin_at is not None]
