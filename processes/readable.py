"""Wait for several descriptors at a time, however high their numbers are: `select` fails from 1024 on."""

from __future__ import annotations

import select
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def readable(descriptors: Iterable[int], within_s: float) -> set[int]:
    """Those that can be read without waiting, or have ended; waits within_s for the first."""
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    return {descriptor for descriptor, _ in poll.poll(max(0.0, within_s) * 1000)}
