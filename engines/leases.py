"""Which run has which GPUs of this machine, or its processors: a lock a device, so that sweeps don't share one."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from processes.lock_files import open_lock_file
from results.durable import explained

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

PROCESSORS = "processors"
LOOK_S = 0.2


@contextlib.contextmanager
def lease(
    names: Sequence[str], count: int, *, on_wait: Callable[[], None] | None = None
) -> Iterator[tuple[str, ...]]:
    """`count` of the devices, as soon as so many are free; all at once, so that nobody holds some and waits for more.

    names: such as GPUs' uuids. on_wait: called once when they are not free. Whoever holds one and dies, however,
    gives it back. Locks are of one user: what others do on a card is seen by the telemetry. Raises ResultsError.
    """
    held: dict[str, int] = {}
    try:
        while len(held) < count:
            for name in names:
                with explained("lock", Path(name)):
                    descriptor = open_lock_file(name)
                if _locked(descriptor):
                    held[name] = descriptor
                else:
                    os.close(descriptor)
                if len(held) == count:
                    break
            if len(held) < count:
                _give_back(held)
                if on_wait is not None:
                    on_wait()
                    on_wait = None
                time.sleep(LOOK_S)
        yield tuple(held)
    finally:
        _give_back(held)


def _give_back(held: dict[str, int]) -> None:
    while held:
        os.close(held.popitem()[1])


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
