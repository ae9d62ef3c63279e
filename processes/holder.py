"""Becomes a program that holds a lock, see `processes.detached`: notes in the locked file which process that is.

It is run as a Python without site packages, so it imports little. argv: the lock's descriptor, and the program with its
arguments.
"""

from __future__ import annotations

import _signal as signal  # type: ignore[import-not-found]
import os
import sys

from processes.tree import read_member


def boot_id() -> bytes:
    """Differs each time the machine starts; process numbers and start times repeat. "-" if it isn't told."""
    try:
        descriptor = os.open("/proc/sys/kernel/random/boot_id", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b"-"
    try:
        return os.read(descriptor, 64).strip() or b"-"
    finally:
        os.close(descriptor)


def main() -> None:
    descriptor, argv = int(sys.argv[1]), sys.argv[2:]
    own = read_member(os.getpid())
    line = b"%d %d %s\n" % (os.getpid(), own.start if own else 0, boot_id())
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, line, 0)
        os.fsync(descriptor)
    except OSError as error:  # nobody could stop what nobody can find
        sys.exit(f"cannot note the process in its lock: {error.strerror}")
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    try:
        os.execve(argv[0], argv, os.environ)  # noqa: S606 - no shell is the point
    except OSError as error:
        sys.exit(f"cannot start {argv[0]}: {error.strerror}")
