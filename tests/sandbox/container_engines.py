"""Real container engines for the tests, each on a socket and in a folder of its own, gone afterwards."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from docker import APIClient
from docker.errors import DockerException

from tests.sandbox.python_image import pack

if TYPE_CHECKING:
    from collections.abc import Iterator

ENGINES = ("docker", "podman")
PROGRAM = {"docker": "dockerd", "podman": "podman"}
# Podman takes no other tag from `import`.
IMAGE = "sandbox-python:latest"
WITHOUT_PYTHON = "sandbox-nothing:latest"
START_S = 20.0
ENDED_S = 60.0
PODMANS_CGROUP = "libpod_parent"


def command(engine: str, folder: Path, socket: Path) -> list[str]:
    """Neither touches the machine's network, nor another engine's folders."""
    if engine == "docker":
        options = ["--bridge=none", "--iptables=false", "--ip-forward=false", "--ip-masq=false"]
        folders = [f"--data-root={folder}/data", f"--exec-root={folder}/exec", f"--pidfile={folder}/pid"]
        return [
            "dockerd",
            *options,
            *folders,
            f"--cgroup-parent=/{cgroup(engine)}",
            f"--host=unix://{socket}",
        ]
    folders = [f"--root={folder}/data", f"--runroot={folder}/exec", f"--tmpdir={folder}/tmp"]
    runtime = ["--cgroup-manager=cgroupfs", "--events-backend=file"]
    runtime += ["--runtime=runc"] if shutil.which("runc") else []
    return ["podman", *folders, *runtime, "system", "service", "--time=0", f"unix://{socket}"]


def cgroup(engine: str) -> str:
    return PODMANS_CGROUP if engine == "podman" else f"bench-test-{os.getpid()}"


@contextlib.contextmanager
def running(engine: str) -> Iterator[str]:
    """Its URL; both images are in it. Skips the test where the engine is not installed or does not start.

    Its folder is no tmp_path, which is longer beside other tests: Podman refuses more than 50 characters.
    """
    if shutil.which(PROGRAM[engine]) is None:
        pytest.skip(f"{PROGRAM[engine]} is not installed: as root, tests/real_servers.sh does it on Debian")
    folder = Path(tempfile.mkdtemp(prefix=engine, dir="/tmp"))
    socket, log = folder / "engine.sock", folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(command(engine, folder, socket), stdout=output, stderr=output)
    try:
        client = _answering(socket, process)
        if client is None:
            pytest.skip(f"{PROGRAM[engine]} does not start here: {log.read_text(errors='replace')[-300:]}")
        with contextlib.closing(client):
            pack(folder / "image.tar")
            client.import_image_from_file(str(folder / "image.tar"), *IMAGE.split(":"))
            client.import_image_from_data(b"\0" * 10240, *WITHOUT_PYTHON.split(":"))  # an archive of nothing
            yield f"unix://{socket}"
            left = client.containers(all=True)
        assert left == []
    finally:
        process.terminate()
        process.wait(20)
        _wait_for_others(folder)
        _clean(engine, folder)


def _answering(socket: Path, process: subprocess.Popen[bytes]) -> APIClient | None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(DockerException, OSError):
            if socket.exists():
                return APIClient(base_url=f"unix://{socket}", version="auto", timeout=60)
        time.sleep(0.05)
    return None


def _wait_for_others(folder: Path) -> None:
    """Podman's conmon starts another podman when a container ended, which makes and mounts its folders anew."""
    deadline = time.monotonic() + ENDED_S
    while left := [each.pid for each in psutil.process_iter() if _names(each, folder)]:
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


def _names(process: psutil.Process, folder: Path) -> bool:
    try:
        return any(str(folder) in word for word in process.cmdline())
    except psutil.Error:
        return False


def _clean(engine: str, folder: Path) -> None:
    """What engines leave on the machine when they end: mounts in their folders, empty cgroups."""
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()]
    for mount in reversed(mounts):
        if Path(mount).is_relative_to(folder):
            subprocess.run(["umount", mount], check=True)
    for top in Path("/sys/fs/cgroup").glob(f"**/{cgroup(engine)}"):
        for group in (*sorted(top.glob("**/"), reverse=True), top):
            with contextlib.suppress(OSError):  # gone, or another engine's containers are in it
                group.rmdir()
    shutil.rmtree(folder)
