"""The folders that a sandbox makes among the machine's temporary ones; those of killed harnesses are removed."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path

from sandbox.contract import SandboxError
from sandbox.inside.confinement import empty

_PREFIX = "bench-sandbox-"
_USUAL = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108 - as places among which a folder of our own is made


def new_folder() -> Path:
    """For this harness, and to be entered by everybody. Raises SandboxError where root finds no such place."""
    places = [Path(tempfile.gettempdir()), *_USUAL]
    if os.geteuid() == 0:  # its workers are other users
        places = [place for place in places if reachable_by_everybody(place)]
    if not places:
        raise SandboxError(
            "no temporary folder can be entered by every user",
            hint=f"chmod o+x {tempfile.gettempdir()} and those above it",
        )
    _sweep(places[0])
    folder = Path(tempfile.mkdtemp(prefix=f"{_own_prefix()}{os.getpid()}-", dir=places[0]))
    folder.chmod(0o755)
    return folder


def reachable_by_everybody(path: Path) -> bool:
    """Whether all folders on the way can be entered, and the file be read and executed, by any user."""
    try:
        open_way = all(parent.stat().st_mode & 0o001 for parent in path.parents)
        return open_way and path.stat().st_mode & 0o005 == 0o005
    except OSError:
        return False


def remove(folder: Path) -> None:
    """With all in it, however deep. Is idempotent."""
    with contextlib.suppress(FileNotFoundError):
        empty(str(folder))
        folder.rmdir()


def _own_prefix() -> str:
    """With the numbering of processes that we see: in another one a living harness's number may seem dead."""
    return f"{_PREFIX}{Path('/proc/self/ns/pid').stat().st_ino}-"


def _sweep(place: Path) -> None:
    for folder in place.glob(f"{_own_prefix()}*"):
        pid = folder.name.removeprefix(_own_prefix()).partition("-")[0]
        with contextlib.suppress(OSError):
            # Ours, so nobody else can have put something in its place.
            ours = folder.lstat().st_uid == os.geteuid() and stat.S_ISDIR(folder.lstat().st_mode)
            if ours and pid.isdigit() and not Path(f"/proc/{pid}").exists():
                remove(folder)
