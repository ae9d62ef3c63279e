"""A small root folder with the system's Python and nothing else, as the content of a container's image."""

from __future__ import annotations

import os
import subprocess
import tarfile
from pathlib import Path

PYTHON = Path("/usr/bin/python3")


def pack(archive: Path) -> None:
    """A tar of it, for `docker import`. Its /etc/shadow is one that only root may read."""
    python = Path(os.path.realpath(PYTHON))
    command = [python, "-I", "-c", "import sysconfig; print(sysconfig.get_path('stdlib'))"]
    library = Path(subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip())
    files = {python, *_shared_libraries(python)}
    for module in (library / "lib-dynload").glob("*.so"):
        files |= _shared_libraries(module)
    with tarfile.open(archive, "w", dereference=True) as tar:
        for folder in sorted({parent for path in (*files, library) for parent in path.parents}):
            if folder != Path("/"):
                tar.addfile(_entry(str(folder), tarfile.DIRTYPE))
        for path in sorted(files):
            tar.add(path)
        tar.add(library, filter=_without_tests)
        link = _entry(str(PYTHON), tarfile.SYMTYPE)
        link.linkname = python.name
        tar.addfile(link)
        tar.addfile(_entry("/etc", tarfile.DIRTYPE))
        tar.addfile(_entry("/etc/shadow", tarfile.REGTYPE, 0o600))


def _entry(path: str, kind: bytes, mode: int = 0o755) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(path.lstrip("/"))
    entry.type, entry.mode = kind, mode
    return entry


def _shared_libraries(path: Path) -> set[Path]:
    answer = subprocess.run(["ldd", path], capture_output=True, text=True, check=False)
    words = (word for line in answer.stdout.splitlines() for word in line.split())
    return {Path(word) for word in words if word.startswith("/")}


def _without_tests(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    left_out = {"__pycache__", "test", "idlelib", "ensurepip", "lib2to3", "tkinter"}
    return None if left_out & set(Path(entry.name).parts) else entry
