"""The container level: one container of Docker or Podman a worker, with the zygote as its first process."""

from __future__ import annotations

import contextlib
import os
import resource
import tempfile
from typing import Any

from docker.errors import APIError, DockerException

from sandbox.attached import AttachedContainer, remove
from sandbox.bubblewrap import SHM_BYTES, TMP_BYTES
from sandbox.container_owner import LABEL, own_label, sweep
from sandbox.contract import SandboxError
from sandbox.engine import Engine
from sandbox.own_users import OwnUsers
from sandbox.seccomp import filter_program
from sandbox.worker import Worker
from sandbox.zygote_program import zygote_text

IMAGE_VARIABLE = "BENCH_SANDBOX_IMAGE"
# Behind the limits of a program, which are tighter and tell why: for what gets past all of them.
MEMORY_BYTES = 4 << 30
PROCESSES = 512
OPEN_FILES = 65_536
_NOTHING = "ro,noexec,size=4096,mode=0555"  # a folder with nothing in it
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}  # Go's names, which images carry, to the kernel's
# Before all else inside: what the image sets in the environment goes, and our filter comes on top of the engine's.
_BEFORE = """
import ctypes, os, site, sys
if sys.version_info < (3, 9):
    sys.exit(f"it has Python {sys.version.split()[0]}, but 3.9 or newer is needed")
os.environ.clear()
os.environ.update(LANG="C.UTF-8", OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")
sys.path += [folder for folder in site.getsitepackages() if os.path.isdir(folder)]  # those of the image
class Filter(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("program", ctypes.c_char_p)]
if FILTER and ctypes.CDLL(None, use_errno=True).prctl(22, 2, ctypes.byref(Filter(len(FILTER) // 8, FILTER)), 0, 0):
    sys.exit(f"the seccomp filter is refused: {os.strerror(ctypes.get_errno())}")
del Filter, FILTER, site
"""


class Container:
    """A `sandbox.pool.Launcher`. A worker starts in half a second.

    As tight as bubblewrap but for what engines always show: /proc and /sys of the container, and with Podman the
    machine's /etc/hosts. Where the engine's processes can't be seen from here (`watched` is False, as with Docker
    Desktop), only the zygote and the container limit a program: one that sleeps ends at its wall limit.

    Each worker has an ordinary user id of its own, since processes are limited by user, and engines share user ids
    between containers.
    """

    def __init__(self) -> None:
        self._name = os.environ.get(IMAGE_VARIABLE, "")
        if not self._name:
            raise SandboxError(
                "no container image is given",
                hint=f"{IMAGE_VARIABLE}=python:3.12-slim, say; the image needs python3 and nothing else",
            )
        self._engine = Engine.connect()
        try:
            self._image = self._engine.image(self._name)
            sweep(self._engine.client)
        except BaseException:
            self._engine.close()
            raise
        self._filter = filter_program(_MACHINES.get(self._image.architecture, self._image.architecture))
        self._watched: bool | None = None
        self._users = OwnUsers()

    def describe(self) -> dict[str, Any]:
        return {
            "level": "container",
            "engine": self._engine.version,
            "image": self._name,
            "image_id": self._image.id,
            "seccomp": self._filter is not None,
            "watched": self._watched,
        }

    def close(self) -> None:
        self._engine.close()
        self._users.close()

    def explain(self, error: Exception) -> SandboxError:
        return SandboxError(
            f"no container can be started: {error}",
            hint=f"see whether `docker run --rm --network none {self._name} python3 -V` works (or podman's)",
        )

    def start(self, slot: int) -> Worker:
        try:
            return self._start(slot)
        except DockerException as error:
            said = error.explanation if isinstance(error, APIError) and error.explanation else error
            if '"python3"' in str(said):  # not found, or not executable
                raise self._without_python(str(said)) from error
            raise self.explain(RuntimeError(said)) from error

    def _start(self, slot: int) -> Worker:
        client = self._engine.client
        with contextlib.ExitStack() as undo:
            container = client.create_container_from_config(self._configuration(slot))["Id"]
            undo.callback(remove, client, container)
            diagnosis = undo.enter_context(tempfile.TemporaryFile())
            attached = AttachedContainer(self._engine, container, diagnosis)
            undo.callback(attached.close)
            client.start(container)
            self._watched = attached.look_up() is not None
            undo.pop_all()
        return Worker(attached, diagnosis, self._without_python)

    def _without_python(self, said: str) -> SandboxError:
        return SandboxError(
            f"Python does not start in a container of {self._name}: {said}",
            hint="use an image with python3 (3.9 or newer) on its PATH, such as python:3.12-slim",
        )

    def _configuration(self, slot: int) -> dict[str, Any]:
        """The body of POST /containers/create (docs.docker.com/reference/api/engine)."""
        uid = self._users.of(slot)
        before = f"FILTER = {self._filter or b''!r}\n{_BEFORE}"
        files = min(OPEN_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
        writable = "rw,exec,nosuid,nodev,mode=1777"
        # Writable otherwise, read-only root or not: message queues, what Podman adds, what the image declares.
        covered = ("/dev/mqueue", "/run", "/var/tmp", *self._image.volumes)  # noqa: S108 - inside
        return {
            "Image": self._image.id,
            "Entrypoint": ["python3", "-I", "-S", "-B", "-c", before + zygote_text()],
            "Cmd": [],
            "User": f"{uid}:{uid}",
            "WorkingDir": "/",
            "Hostname": "sandbox",
            "Env": ["LANG=C.UTF-8", "LD_BIND_NOW=1"],
            "Labels": {LABEL: own_label()},
            # It would run beside the zygote. Podman makes a timer even of none.
            **({"Healthcheck": {"Test": ["NONE"]}} if self._image.healthcheck else {}),
            "AttachStdin": True,
            "AttachStdout": True,
            "AttachStderr": True,
            "OpenStdin": True,
            "StdinOnce": True,  # it ends with our connection: so the zygote ends when the harness dies in any way
            "Tty": False,
            "HostConfig": {
                "AutoRemove": True,
                "NetworkMode": "none",
                "Dns": ["127.0.0.1"],  # or else the machine's own stand in /etc/resolv.conf
                "IpcMode": "private",
                "ReadonlyRootfs": True,
                "CapDrop": ["ALL"],
                "SecurityOpt": ["no-new-privileges"],
                "Memory": MEMORY_BYTES,
                "MemorySwap": MEMORY_BYTES,  # with swap; none, then
                "PidsLimit": PROCESSES,
                # Each named, or else Podman asks for more than a machine may allow.
                "Ulimits": [
                    {"Name": "core", "Soft": 0, "Hard": 0},
                    {"Name": "nofile", "Soft": files, "Hard": files},
                    {"Name": "nproc", "Soft": PROCESSES, "Hard": PROCESSES},
                ],
                "LogConfig": {"Type": "none", "Config": {}},  # or else all frames are kept on disk
                "Tmpfs": {
                    **dict.fromkeys(covered, _NOTHING),
                    "/tmp": f"{writable},size={TMP_BYTES}",  # noqa: S108 - inside
                    "/dev/shm": f"{writable},size={SHM_BYTES}",  # noqa: S108 - inside
                },
            },
        }
