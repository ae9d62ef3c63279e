"""Interpreters of other versions for the sandbox, where this machine has them."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sandbox.folders import reachable_by_everybody, remove

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSIONS = ("3.11", "3.12", "3.13", "3.14")
_NOT_NEEDED = (
    "test",
    "idlelib",
    "tkinter",
    "ensurepip",
    "site-packages",
    "config-*",
    "*.a",
    "__pycache__",
    "pip*",
)


@contextmanager
def python_of(version: str) -> Iterator[Path]:
    """An interpreter that every user can start. Skips the test where there is none."""
    found = _find(version)
    if found is None:
        pytest.skip(f"no Python {version} on PATH, in ~/.pyenv/versions or known to uv")
    if os.geteuid() != 0 or reachable_by_everybody(found):
        yield found
        return
    top = Path(tempfile.mkdtemp(prefix="py-", dir="/var/tmp"))  # /tmp is another one inside
    top.chmod(0o755)
    try:
        prefix = found.parent.parent
        (top / "bin").mkdir()
        # Its own library is looked for where it was built, which others may not enter.
        built, moved = f"{prefix}/lib".encode(), f"{top}/lib".encode()
        if len(moved) > len(built):
            pytest.skip(f"{found} is for its own user only")
        program = found.read_bytes().replace(built + b"\0", moved.ljust(len(built) + 1, b"\0"))
        (top / "bin" / found.name).write_bytes(program)
        (top / "bin" / found.name).chmod(0o755)
        library = f"lib/python{version}"
        shutil.copytree(prefix / library, top / library, ignore=shutil.ignore_patterns(*_NOT_NEEDED))
        for path in (prefix / "lib").glob("libpython*.so*"):
            shutil.copy(path, top / "lib" / path.name)
        yield top / "bin" / found.name
    finally:
        remove(top)


def _find(version: str) -> Path | None:
    places = [Path(found)] if (found := shutil.which(f"python{version}")) else []
    versions = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}"))
    if shutil.which("uv"):
        said = subprocess.run(
            ["uv", "python", "find", version], capture_output=True, text=True, check=False
        ).stdout.strip()
        versions += [Path(said)] if said else []
    for place in [*places, *versions]:
        path = _itself(place, version)
        if path is not None:
            return path
    return None


def _itself(place: Path, version: str) -> Path | None:
    """The program that answers there, which may be a shim of it; None where it is of another version."""
    code = "import os, sys; print('%d.%d' % sys.version_info[:2], os.path.realpath(sys.executable))"
    said = subprocess.run([place, "-I", "-c", code], capture_output=True, text=True, check=False).stdout
    found, _, path = said.strip().partition(" ")
    return Path(path) if found == version else None
