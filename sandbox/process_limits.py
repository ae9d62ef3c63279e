"""The process level: limits, and nothing else. It is no sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.contract import SandboxError
from sandbox.host import Host

if TYPE_CHECKING:
    from sandbox.worker import Worker

WARNING = (
    "the level `process` is not a sandbox: the model's code can read, change and send away whatever you can; "
    "use it only for code that you trust, or on a machine that you can throw away"
)
NOT_STOPPED = (
    "It can read, change and delete every file that you can.",
    "It can reach the network and every service on this machine.",
    "It can see, signal and end all your processes, including this program.",
    "What it starts can outlive it if it first ends the two processes that supervise it.",
    "For a tenth of a second its temporary folder may be larger than its limit.",
)


class ProcessLimits:
    """A `sandbox.pool.Launcher`. Started by root, programs run as ordinary users all the same."""

    def __init__(self) -> None:
        self._host = Host()

    def describe(self) -> dict[str, Any]:
        return {
            "level": "process",
            "interpreter": str(self._host.interpreter.path),
            "packages": self._host.packages.versions,
            "seccomp": False,
            "warning": WARNING,
            "not_stopped": list(NOT_STOPPED),
        }

    def close(self) -> None:
        self._host.close()

    def explain(self, error: Exception) -> SandboxError:
        return SandboxError(
            f"Python can't be started here: {error}", hint="start the harness as an ordinary user"
        )

    def start(self, slot: int) -> Worker:
        return self._host.start(slot, self._host.folder(slot), self._not_ready)

    @staticmethod
    def _not_ready(said: str) -> SandboxError:
        return SandboxError(
            f"the limits do not work here: {said}",
            hint="check whether the folder for temporary files is accessible",
        )
