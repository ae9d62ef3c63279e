"""The worker that `serve` starts beside itself: started again whenever it dies, and ended in order with `serve`."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Literal, Self

from processes.process import Exit
from web.working.control import CONTROL_VARIABLE, STOP

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
STEADY_S = 60.0  # a worker that has lived so long is started again at once
STOP_S = 30.0  # a worker may take so long to end its jobs; then it is killed, and the next one adopts them

State = Literal["running", "restarting", "stopped"]


class WorkerChild:
    """command: the worker's whole command line. say: what is reported of it. Its output goes where ours goes.

    If this process dies in any way, the worker ends and leaves its jobs running.
    """

    def __init__(
        self, command: Sequence[str], *, say: Callable[[str], None], env: Mapping[str, str] = os.environ
    ) -> None:
        self._command = tuple(command)
        self._env = {**env, CONTROL_VARIABLE: "stdin"}
        self._say = say
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._keep, name="worker", daemon=True)

    @property
    def state(self) -> State:
        """Whether it works."""
        if self._wake.is_set() or not self._thread.is_alive():
            return "stopped"
        process = self._process
        return "running" if process is not None and process.poll() is None else "restarting"

    @property
    def pid(self) -> int | None:
        """Of the worker that runs; None between two of them."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self) -> None:
        """Start it, and again whenever it ends by itself. Returns at once."""
        self._thread.start()

    def stop(self, within_s: float = STOP_S) -> None:
        """End it: its jobs are stopped cleanly, and go on at the next start. Is idempotent."""
        self._wake.set()
        with self._lock:
            process = self._process
        if process is not None:
            with contextlib.suppress(OSError, ValueError):
                if process.stdin is not None:
                    process.stdin.write(STOP)
            try:
                process.wait(within_s)
            except subprocess.TimeoutExpired:
                process.kill()
        if self._thread.is_alive():
            self._thread.join(within_s)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _keep(self) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            began = time.monotonic()
            with self._lock:
                if self._wake.is_set():
                    return
                try:
                    # A session of its own: Ctrl-C is for `serve`, which ends it in order.
                    self._process = subprocess.Popen(
                        self._command, stdin=subprocess.PIPE, bufsize=0, env=self._env, start_new_session=True
                    )
                except OSError as error:
                    self._process = None
                    self._say(f"the worker can't be started: {error.strerror or error}")
            if self._process is not None:
                code = self._process.wait()
                if self._process.stdin is not None:
                    self._process.stdin.close()
                if self._wake.is_set():
                    return
                ended = Exit(code, None) if code >= 0 else Exit(None, -code)
                self._say(f"the worker ended: {ended.describe()}; its jobs go on, and it is started again")
            if time.monotonic() - began >= STEADY_S:
                pause_s = FIRST_PAUSE_S
            self._wake.wait(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
