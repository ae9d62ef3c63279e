"""Workers that live among the machine's other processes: a keeper, its zygote, a folder for what programs write."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from sandbox.bubblewrap import TMP_BYTES
from sandbox.contract import SandboxError
from sandbox.folders import new_folder, remove
from sandbox.inside.confinement import OWN_CHILDREN, kill_below
from sandbox.interpreter import ONE_THREAD, Interpreter, Packages, find_interpreter, find_packages
from sandbox.own_users import OwnUsers
from sandbox.worker import Worker
from sandbox.zygote_program import zygote_program

if TYPE_CHECKING:
    from collections.abc import Callable

KEEPER_S = 2.0  # for it to end all that is left, before it is helped
HELPED_S = 60.0
KEEPER_AND_ZYGOTE = 2  # processes
OTHERS_MARGIN = 512  # processes and threads that the user starts elsewhere meanwhile


class Host:
    """Starts such workers. Started by root, each gets an ordinary user id of its own. Raises SandboxError."""

    def __init__(self, python: Path | None = None) -> None:
        if not Path(OWN_CHILDREN).exists():
            raise SandboxError(
                "the kernel does not list a process's children",
                hint=f"{OWN_CHILDREN} is missing: mount /proc, or use a kernel with CONFIG_PROC_CHILDREN",
            )
        self.as_root = os.geteuid() == 0
        self._users = OwnUsers()
        self.interpreter: Interpreter = find_interpreter(by_everybody=self.as_root, python=python)
        self.packages: Packages = find_packages(self.interpreter, by_everybody=self.as_root)
        self._other_tasks = KEEPER_AND_ZYGOTE if self.as_root else _tasks_of(os.getuid()) + OTHERS_MARGIN
        self._top = new_folder()
        self._importable = self._top / "packages"
        self._importable.mkdir(mode=0o755)
        for name, path in self.packages.files.items():
            (self._importable / name).symlink_to(path)

    @property
    def readable(self) -> tuple[Path, ...]:
        """The packages, and the folder in which programs find them."""
        return (self._importable, *self.packages.files.values())

    def folder(self, slot: int, kind: str = "") -> Path:
        """A new and empty one. The last one of that slot goes, with what a program may have left in it."""
        path = self._top / f"{slot}{kind}"
        remove(path)
        path.mkdir(mode=0o700)
        if self.as_root:
            os.chown(path, self._users.of(slot), self._users.of(slot))
        return path

    def start(
        self,
        slot: int,
        folder: Path,
        explain: Callable[[str], SandboxError],
        inherited: tuple[int, ...] = (),
        **place: Any,
    ) -> Worker:
        """place: the fields of `ZygoteSetup` that differ between levels. inherited: descriptors in it."""
        uid = self._users.of(slot) if self.as_root else None
        place = {
            "writable": [str(folder)],
            "folder_bytes": TMP_BYTES,
            "aside": str(self.folder(slot, ".aside")),
            "own_namespace": False,
            "other_tasks": self._other_tasks,
            **place,
        }
        diagnosis = tempfile.TemporaryFile()  # noqa: SIM115 - the worker closes it
        with zygote_program() as (program, arguments, descriptors):
            process = _Kept(
                [
                    self.interpreter.path,
                    "-I",
                    "-S",
                    "-B",
                    "-c",
                    self.packages.importable_from(str(self._importable)) + program,
                    *arguments,
                    json.dumps(place),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=diagnosis,
                bufsize=0,
                env={
                    "LANG": "C.UTF-8",
                    "LD_BIND_NOW": "1",
                    "TMPDIR": str(folder),
                    **(ONE_THREAD if self.packages.files else {}),
                },
                cwd="/",
                pass_fds=(*inherited, *descriptors),
                user=uid,
                group=uid,
                extra_groups=[] if uid is not None else None,
                start_new_session=True,
            )
        return Worker(process, diagnosis, explain)

    def close(self) -> None:
        remove(self._top)
        self._users.close()


class _Kept(subprocess.Popen[bytes]):
    """A keeper: asked to end, it first ends everything below it. Killed at once it could not."""

    def kill(self) -> None:
        self.terminate()

    def wait(self, timeout: float | None = None) -> int:
        if timeout is not None:
            return super().wait(timeout)
        deadline = time.monotonic() + KEEPER_S + HELPED_S
        patience_s = KEEPER_S
        while time.monotonic() < deadline:
            try:
                return super().wait(patience_s)
            except subprocess.TimeoutExpired:  # on a machine that is full of what is to be ended
                kill_below(f"/proc/{self.pid}/task/{self.pid}/children")
                patience_s = 0.05
        super().kill()
        return super().wait()


def _tasks_of(uid: int) -> int:
    """Processes and threads of a user, which RLIMIT_NPROC counts together."""
    return sum(
        process.info["num_threads"] or 1
        for process in psutil.process_iter(["uids", "num_threads"])
        if process.info["uids"] and process.info["uids"].real == uid
    )
