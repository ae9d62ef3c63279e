"""The landlock level: for hosts that forbid user namespaces to ordinary programs.

Landlock for the files, for TCP and, from Linux 6.12 on, for signals; a seccomp filter; limits. The packages that speak
Landlock are a year old and for the calling process; here a ruleset is made outside and laid on inside, where nothing
can be imported: three system calls.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.bubblewrap import TMP_BYTES
from sandbox.contract import SandboxError
from sandbox.host import Host
from sandbox.ruleset import LEAST_ABI, NETWORK_ABI, SIGNALS_ABI, abi_version, create_ruleset
from sandbox.seccomp import child_filter_program, host_filter_program

if TYPE_CHECKING:
    from sandbox.worker import Worker

_DEVICES = tuple(Path("/dev") / name for name in ("null", "full", "random", "urandom"))
_QUIET_ABI, _LOG_SAME_EXEC_OFF = (
    7,
    1,
)  # LANDLOCK_RESTRICT_SELF_LOG_SAME_EXEC_OFF: refusals are not the audit log's


class Landlock:
    """A `sandbox.pool.Launcher`. A worker starts in some 40 ms.

    Other than under bubblewrap a program has no sockets but connected pairs and no POSIX semaphores, so no
    multiprocessing; changes of modes, owners and times do nothing; and before Linux 6.12 it can only signal itself.
    To remove something does nothing, and to rename is refused as if it were to another disk: a file that is removed
    while it is open is seen by nobody, and fills the disk all the same.

    abi: as on a kernel that knows no more of Landlock than that. python: another interpreter than our own.
    """

    def __init__(self, abi: int | None = None, python: Path | None = None) -> None:
        self._abi = min(abi_version(), abi if abi is not None else 1 << 30)
        if self._abi < LEAST_ABI:
            has = f"Landlock {self._abi}, {LEAST_ABI} is needed" if self._abi else "no Landlock"
            raise SandboxError(
                f"this kernel has {has}",
                hint="Linux 6.2 or newer, with `landlock` in /sys/kernel/security/lsm (the kernel's option lsm=)",
            )
        zygote_filter = host_filter_program()
        child_filter = child_filter_program(signals=self._abi >= SIGNALS_ABI)
        if zygote_filter is None or child_filter is None:
            raise SandboxError(
                "landlock also needs a seccomp filter, and there is none for this processor",
                hint="x86_64 and aarch64 have one; bubblewrap works everywhere",
            )
        self._filters = {"zygote_filter": zygote_filter, "child_filter": child_filter}
        self._host = Host(python)

    def describe(self) -> dict[str, Any]:
        return {
            "level": "landlock",
            "landlock_abi": self._abi,
            "kernel": os.uname().release,
            "interpreter": str(self._host.interpreter.path),
            "packages": self._host.packages.versions,
            "seccomp": True,
            "not_stopped": list(self._not_stopped()),
        }

    def _not_stopped(self) -> tuple[str, ...]:
        found = [
            "It can see whether any file exists, its size, owner and times, and where a link leads.",
            "It can see which processes exist, but not what they are.",
            f"For a tenth of a second its temporary folder may hold more than {TMP_BYTES >> 20} MiB.",
            "It may lock files of the interpreter (flock).",
            "If the kernel kills the two processes that supervise it (out of memory), what it started lives on.",
        ]
        if not self._host.as_root:
            found.append("For a tenth of a second it may have more processes than the limit.")
        if self._abi < NETWORK_ABI or self._abi < SIGNALS_ABI:
            found.append("Only the seccomp filter blocks network and signals: this kernel's Landlock can't.")
        return tuple(found)

    def close(self) -> None:
        self._host.close()

    def explain(self, error: Exception) -> SandboxError:
        user = "as an ordinary user " if self._host.as_root else ""
        return SandboxError(
            f"Python can't be started {user}here: {error}",
            hint="as root in a namespace that has no other users, start the harness itself as an ordinary one",
        )

    def start(self, slot: int) -> Worker:
        folder = self._host.folder(slot)
        with contextlib.ExitStack() as files:
            interpreter = self._host.interpreter
            ruleset = create_ruleset(
                self._abi,
                readable=(*interpreter.folders, *self._host.readable),
                hidden=interpreter.hidden,
                written=_DEVICES,
                folder=folder,
            )
            files.callback(os.close, ruleset)
            inherited = {"ruleset": ruleset}
            for name, program in self._filters.items():
                descriptor = os.memfd_create("seccomp")
                files.callback(os.close, descriptor)
                os.write(descriptor, program)
                os.lseek(descriptor, 0, os.SEEK_SET)
                inherited[name] = descriptor
            flags = _LOG_SAME_EXEC_OFF if self._abi >= _QUIET_ABI else 0
            return self._host.start(
                slot,
                folder,
                _not_ready,
                tuple(inherited.values()),
                confinement={**inherited, "flags": flags},
            )


def _not_ready(said: str) -> SandboxError:
    return SandboxError(
        f"landlock does not work here: {said}",
        hint="check whether the folder for temporary files is accessible",
    )
