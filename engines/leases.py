"""Lease GPUs or the processors of this machine to runs: one lock per device, so that sweeps don't share a device."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING

from processes.lock_files import user_lock_file
from results.durable import explained
from results.locks import lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

PROCESSORS = "processors"
LOOK_S = 0.2


@contextlib.contextmanager
def lease(
    names: Sequence[str], count: int, *, on_wait: Callable[[], None] | None = None
) -> Iterator[tuple[str, ...]]:
    """Lease `count` of the devices once so many are free, all at once, so that no holder waits for more.

    names: GPUs' uuids, for example. on_wait: called once if they are not free. A process that dies in any way gives its
    devices back. Locks are per user; telemetry shows what other users do on a card. Raises ResultsError.
    """
    with contextlib.ExitStack() as locks:
        held: list[str] = []
        while len(held) < count:
            for name in names:
                with explained("lock", Path(name)):
                    if locks.enter_context(lock(user_lock_file(name), within_s=0)) is not None:
                        held.append(name)
                if len(held) == count:
                    break
            if len(held) < count:
                held.clear()
                locks.close()
                if on_wait is not None:
                    on_wait()
                    on_wait = None
                time.sleep(LOOK_S)
        yield tuple(held)
