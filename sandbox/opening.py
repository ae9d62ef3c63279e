"""A sandbox that opens while its owner does something else."""

from __future__ import annotations

import contextlib
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Self

from sandbox import open_sandbox

if TYPE_CHECKING:
    from types import TracebackType

    from sandbox.contract import Sandbox


def usual_workers() -> int:
    """As many as this process may use processors."""
    return len(os.sched_getaffinity(0))


class OpeningSandbox:
    """Opened in a thread from now on, with `usual_workers`; use as a context manager, whose end closes it."""

    def __init__(self, level: str) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="opening")
        self._opened = self._thread.submit(open_sandbox, level, usual_workers())

    def wait(self) -> Sandbox:
        """The open sandbox. Raises what `open_sandbox` raises."""
        return self._opened.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(Exception):  # told to whoever waited for it, if anybody did
            self._opened.result().close()
        self._thread.shutdown()
