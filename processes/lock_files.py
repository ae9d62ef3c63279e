"""Lock files that all programs of one user on this machine share."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path


def open_lock_file(name: str) -> int:
    """A descriptor of the user's lock file of that name. Raises OSError, also when the folder is somebody else's."""
    folder = Path(tempfile.gettempdir()) / f"bench-runner-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise PermissionError(13, "somebody else's folder", str(folder))
    path = folder / (re.sub(r"[^\w.-]", "_", name) + ".lock")
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
