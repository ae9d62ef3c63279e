"""Whose a container is: so that those of a dead harness can be told, and removed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from sandbox.attached import remove

if TYPE_CHECKING:
    from docker import APIClient

LABEL = "bench-runner.harness"


def own_label() -> str:
    """Names this process and never another one: where it lives, its number, when it started."""
    return _label(os.getpid())


def sweep(client: APIClient) -> None:
    """Remove the containers of harnesses that lived on this machine and are dead. Raises DockerException.

    There are some only where the engine itself was killed or stopped together with the harness, or the harness
    while it started one.
    """
    for container in client.containers(all=True, filters={"label": LABEL}):
        label = container["Labels"].get(LABEL, "")
        place, _, process = label.rpartition(" ")
        number = process.partition("@")[0]
        if place == _place() and number.isdigit() and label != _label(int(number)):
            remove(client, container["Id"])


def _label(pid: int) -> str:
    try:
        started = psutil.Process(pid).create_time()
    except psutil.Error:
        started = 0.0
    return f"{_place()} {pid}@{started:.2f}"


def _place() -> str:
    """The machine since it was started, and which numbers its processes have for us."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return f"{boot}/{Path('/proc/self/ns/pid').stat().st_ino}"
