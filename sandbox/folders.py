"""The folders that a sandbox makes among the machine's temporary ones; those of killed harnesses are removed."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path

from sandbox.confinement import empty

_PREFIX = "bench-sandbox-"


def new_folder() -> Path:
    """For this harness, and to be entered by everybody."""
    _sweep()
    folder = Path(tempfile.mkdtemp(prefix=f"{_own_prefix()}{os.getpid()}-"))
    folder.chmod(0o755)
    return folder


def remove(folder: Path) -> None:
    """With all in it, however deep. Is idempotent."""
    with contextlib.suppress(FileNotFoundError):
        empty(str(folder))
        folder.rmdir()


def _own_prefix() -> str:
    """With the numbering of processes that we see: in another one a living harness's number may seem dead."""
    return f"{_PREFIX}{Path('/proc/self/ns/pid').stat().st_ino}-"


def _sweep() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{_own_prefix()}*"):
        pid = folder.name.removeprefix(_own_prefix()).partition("-")[0]
        with contextlib.suppress(OSError):
            # Ours, so nobody else can have put something in its place.
            ours = folder.lstat().st_uid == os.geteuid() and stat.S_ISDIR(folder.lstat().st_mode)
            if ours and pid.isdigit() and not Path(f"/proc/{pid}").exists():
                remove(folder)
