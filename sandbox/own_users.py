"""Ordinary user ids for workers, one each: the kernel counts the processes of a user together."""

from __future__ import annotations

import errno
import itertools
import os
import secrets
import socket
from typing import TYPE_CHECKING

from sandbox.contract import SandboxError

if TYPE_CHECKING:
    from collections.abc import Sequence

UIDS = range(60_000, 64_000)  # above ordinary users, and below 65,536: a container may have no more than that


class OwnUsers:
    """User ids under which nobody runs anything, one for each slot.

    Each stays reserved, also against other programs that choose theirs here, until `close` or until this process ends
    in any way. Not against those in another network namespace: that is what chance is for.
    """

    def __init__(self, uids: Sequence[int] = UIDS) -> None:
        self._uids = uids
        self._reserved: dict[int, tuple[int, socket.socket]] = {}

    def of(self, slot: int) -> int:
        """The one of that slot, the same each time. Raises SandboxError when all are taken."""
        if slot not in self._reserved:
            self._reserved[slot] = self._reserve()
        return self._reserved[slot][0]

    def close(self) -> None:
        """Let others have them. Is idempotent."""
        while self._reserved:
            self._reserved.popitem()[1][1].close()

    def _reserve(self) -> tuple[int, socket.socket]:
        start = secrets.randbelow(len(self._uids))
        uids = [*self._uids[start:], *self._uids[:start]]
        # Some kernels can't say who runs anything: then one that is only not reserved.
        for uid in itertools.chain(itertools.filterfalse(_is_in_use, uids), uids):
            reservation = _reservation(uid)
            if reservation is not None:
                return uid, reservation
        raise SandboxError(
            f"each user id from {self._uids[0]} to {self._uids[-1]} is taken by another sandbox",
            hint="end programs that execute code in sandboxes, or start the harness as an ordinary user",
        )


def _is_in_use(uid: int) -> bool:
    """Whether a process that can be seen from here has this user, such as what a killed sandbox left."""
    try:
        os.getpriority(os.PRIO_USER, uid)
    except ProcessLookupError:
        return False
    return True


def _reservation(uid: int) -> socket.socket | None:
    """A name in the kernel's memory that one process can have at a time, and that goes with it; None if it is taken."""
    name = socket.socket(socket.AF_UNIX)
    try:
        name.bind(f"\0bench-runner-uid-{uid}")
    except OSError as error:
        name.close()
        if error.errno == errno.EADDRINUSE:
            return None
        raise
    return name
