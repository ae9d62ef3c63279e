"""Lock files that all programs of a user share on this machine."""

from __future__ import annotations

import os
import re
from pathlib import Path


def user_lock_file(name: str) -> Path:
    """The path of the user's lock file of that name, in a folder that only the user may enter. Raises OSError."""
    import tempfile

    folder = Path(tempfile.gettempdir()) / f"bench-runner-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise PermissionError(13, "the folder belongs to another user", str(folder))
    return folder / (re.sub(r"[^\w.-]", "_", name) + ".lock")
