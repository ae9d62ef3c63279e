"""The bubblewrap level: one bwrap a worker, a warm zygote inside, a fresh fork of it for each program."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from typing import TYPE_CHECKING, Any

from sandbox.contract import SandboxError
from sandbox.folders import reachable_by_everybody, remove
from sandbox.interpreter import (
    ONE_THREAD,
    bwrap_version,
    copy_for_everybody,
    find_bwrap,
    find_interpreter,
    find_packages,
)
from sandbox.own_users import OwnUsers
from sandbox.seccomp import filter_program
from sandbox.worker import Worker
from sandbox.zygote_program import zygote_program

if TYPE_CHECKING:
    from pathlib import Path

TMP_BYTES = 256 << 20
SHM_BYTES = 64 << 20
_PACKAGES = "/opt/packages"  # inside


class Bubblewrap:
    """A `sandbox.pool.Launcher`. A worker starts in some 50 ms.

    Started by root, the workers run under ordinary user ids of their own: inside a user namespace root outside
    is still root for files such as /proc/sys, and its processes are not counted.

    python: another interpreter for them than our own.
    """

    def __init__(self, python: Path | None = None) -> None:
        self._as_root = os.geteuid() == 0
        self._users = OwnUsers()
        self._interpreter = find_interpreter(by_everybody=self._as_root, python=python)
        self._packages = find_packages(self._interpreter, by_everybody=self._as_root)
        bwrap = find_bwrap()
        self._version = bwrap_version(bwrap)
        self._copy: Path | None = None
        if self._as_root and not reachable_by_everybody(bwrap):
            self._copy = copy_for_everybody(bwrap)
            bwrap = self._copy / bwrap.parent.parent.name / "_bin" / "bwrap"
        self._bwrap = bwrap
        self._filter = filter_program()

    def describe(self) -> dict[str, Any]:
        return {
            "level": "bubblewrap",
            "bwrap": self._version,
            "interpreter": str(self._interpreter.path),
            "packages": self._packages.versions,
            "seccomp": self._filter is not None,
        }

    def close(self) -> None:
        if self._copy is not None:
            remove(self._copy)
        self._users.close()

    def explain(self, error: Exception) -> SandboxError:
        user = "as an ordinary user " if self._as_root else ""
        return SandboxError(
            f"bwrap can't be started {user}here: {error}",
            hint="as root in a namespace that has no other users, start the harness itself as an ordinary one"
            if self._as_root
            else f"check whether you can start {self._bwrap} by hand",
        )

    def start(self, slot: int) -> Worker:
        uid = self._users.of(slot) if self._as_root else None
        diagnosis = tempfile.TemporaryFile()  # noqa: SIM115 - the worker closes it
        with contextlib.ExitStack() as files:
            options = list(self._options())
            program, arguments, descriptors = files.enter_context(zygote_program())
            inherited = [*descriptors]
            if self._filter is not None:
                descriptor = os.memfd_create("seccomp")
                files.callback(os.close, descriptor)
                os.write(descriptor, self._filter)
                os.lseek(descriptor, 0, os.SEEK_SET)
                inherited.append(descriptor)
                options += ["--seccomp", str(descriptor)]
            process = subprocess.Popen(
                [
                    self._bwrap,
                    *options,
                    "--",
                    self._interpreter.path,
                    "-I",
                    "-S",
                    "-B",
                    "-c",
                    self._packages.importable_from(_PACKAGES) + program,
                    *arguments,
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=diagnosis,
                bufsize=0,
                env={},
                cwd="/",
                pass_fds=inherited,
                user=uid,
                group=uid,
                extra_groups=[] if uid is not None else None,
                start_new_session=True,  # what asks a script to stop must not reach the programs that it judges
            )
        # The namespace's init is bwrap's child: it dies with bwrap, and everything in the namespace with it.
        return Worker(process, diagnosis, _forbidden)

    def _options(self) -> list[str]:
        options = [
            "--unshare-all",
            "--unshare-user",
            "--disable-userns",
            "--die-with-parent",
            "--new-session",
        ]
        options += ["--clearenv", "--as-pid-1", "--cap-drop", "ALL", "--hostname", "sandbox"]
        for folder in self._interpreter.folders:
            options += ["--ro-bind", str(folder), str(folder)]
        for folder in self._interpreter.hidden:
            options += ["--tmpfs", str(folder), "--remount-ro", str(folder)]
        for name, path in self._packages.files.items():
            options += ["--ro-bind", str(path), f"{_PACKAGES}/{name}"]
        for name, value in ONE_THREAD.items() if self._packages.files else ():
            options += ["--setenv", name, value]
        for path, target in self._interpreter.links:
            options += ["--symlink", target, str(path)]
        # /dev/full reads as zeros as well, and can't be mapped: memory that is shared that way belongs to no process.
        options += ["--dev", "/dev", "--dev-bind", "/dev/full", "/dev/zero"]
        options += ["--size", str(SHM_BYTES), "--tmpfs", "/dev/shm"]  # noqa: S108 - inside
        options += ["--size", str(TMP_BYTES), "--tmpfs", "/tmp"]  # noqa: S108 - inside
        return [
            *options,
            "--remount-ro",
            "/dev",
            "--remount-ro",
            "/",
            "--setenv",
            "LANG",
            "C.UTF-8",
            "--setenv",
            "LD_BIND_NOW",
            "1",
        ]


def _forbidden(said: str) -> SandboxError:
    return SandboxError(
        f"bubblewrap does not work here: {said}",
        hint="user namespaces may be forbidden to ordinary programs (Ubuntu since 23.10: AppArmor; see "
        "`sysctl kernel.apparmor_restrict_unprivileged_userns`); an AppArmor profile for bwrap allows them",
    )
