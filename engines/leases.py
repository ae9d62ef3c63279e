"""Which run has which GPUs of this machine, or its processors: a lock a device, so that sweeps don't share one."""

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
    """`count` of the devices, as soon as so many are free; all at once, so that nobody holds some and waits for more.

    names: such as GPUs' uuids. on_wait: called once when they are not free. Whoever holds one and dies, however,
    gives it back. Locks are of one user: what others do on a card is seen by the telemetry. Raises ResultsError.
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
