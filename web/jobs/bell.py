"""Wake processes of this host that wait for a change, so that none has to look again and again.

Each waiter has a FIFO of its own in one folder; `ring` writes a byte into each. A FIFO that a killed process left is
removed by the next ring, because nobody reads it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import select
import time
from typing import TYPE_CHECKING, Protocol

from results.durable import explained

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

_SUFFIX = ".wait"
_NO_FIFOS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS}  # of a file system
_CLOCKWORK_S = 0.3


class Waiter(Protocol):
    """Something that wakes when others changed something. For one thread."""

    def fileno(self) -> int:
        """Readable when there may be something new, for event loops; `wait(0)` makes it unreadable again. Look every
        few seconds all the same.
        """

    def wait(self, timeout_s: float) -> bool:
        """Whether something was changed since the last call, at the latest after that time. May wake for nothing."""

    def close(self) -> None:
        """Stop waiting."""

    def __enter__(self) -> Self:
        """Use it in a block."""

    def __exit__(self, *_: object) -> None:
        """Close it."""


class Bell:
    """One bell a folder. It is a hint, and not a promise: who waits also looks by itself from time to time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def ring(self) -> None:
        """Wake all waiters. Never waits and never fails: a full pipe wakes its reader anyway."""
        try:
            names = [name for name in os.listdir(self._folder) if name.endswith(_SUFFIX)]  # noqa: PTH208 - names only
        except OSError:
            return
        for name in names:
            with contextlib.suppress(OSError):
                self._ring_one(self._folder / name)

    @staticmethod
    def _ring_one(path: Path) -> None:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:  # nobody reads it any more
            path.unlink(missing_ok=True)
            return
        try:
            os.write(descriptor, b"!")
        finally:
            os.close(descriptor)

    def waiter(self) -> FifoWaiter | Clockwork:
        """What is rung from now on wakes it. Raises ResultsError."""
        try:
            return FifoWaiter(self._folder)
        except OSError as error:
            if error.errno in _NO_FIFOS:
                return Clockwork()
            with explained("make", self._folder):
                raise


class FifoWaiter:
    """A waiter of this host. See Waiter."""

    def __init__(self, folder: Path) -> None:
        name = f"{os.getpid()}-{secrets.token_hex(6)}"
        new = folder / f"{name}.new"
        self._path = folder / f"{name}{_SUFFIX}"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.mkfifo(new, 0o600)
        # For writing too: so it is never at its end, whoever comes and goes.
        self._descriptor = os.open(new, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        new.rename(self._path)  # only now, when somebody reads it, may it be rung

    def fileno(self) -> int:
        return self._descriptor

    def wait(self, timeout_s: float) -> bool:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        if not poll.poll(max(0, timeout_s) * 1000):
            return False
        with contextlib.suppress(BlockingIOError):
            while len(os.read(self._descriptor, 4096)) == 4096:
                pass
        return True

    def close(self) -> None:
        if self._descriptor >= 0:
            self._path.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Clockwork:
    """A waiter where there are no FIFOs: it wakes by itself. See Waiter. Its descriptor never is readable."""

    def __init__(self) -> None:
        self._epoll = select.epoll()

    def fileno(self) -> int:
        return self._epoll.fileno()

    def wait(self, timeout_s: float) -> bool:
        time.sleep(min(max(0, timeout_s), _CLOCKWORK_S))
        return True

    def close(self) -> None:
        self._epoll.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
