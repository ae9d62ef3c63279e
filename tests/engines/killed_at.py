"""Kill what works on a disk before each of its changes, one after the other."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

CHANGES = ("fsync", "rename", "replace", "unlink", "mkdir", "rmdir", "pwrite", "ftruncate")


def killed_at(step: int, work: Callable[[], object]) -> int:
    """Run `work` in a child that is killed before its step-th change of the disk, from 0. Returns how it ended: 0 if it
    came to its end, 9 if it was killed.
    """
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with contextlib.suppress(BaseException):
        left = [step]

        def counted(usual: Callable[..., Any]) -> Callable[..., Any]:
            def call(*words: object, **options: object) -> object:
                left[0] -= 1
                if left[0] < 0:
                    os._exit(9)
                return usual(*words, **options)

            return call

        for name in CHANGES:
            setattr(os, name, counted(getattr(os, name)))
        work()
        os._exit(0)
    os._exit(1)
