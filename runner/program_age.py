"""When the program behind a launch plan changed last. An older run with it had the same build, without starting it."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import TYPE_CHECKING

from servers.plan import KIND_WITHOUT_SERVER

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from servers.plan import LaunchPlan

_SCRIPTS = (".py", ".sh")
_MOST_LINKS = 40  # as the kernel


def changed_s(plan: LaunchPlan) -> float | None:
    """That of `program_changed_s` for what the plan starts."""
    return program_changed_s(plan.kind, plan.argv or plan.tool)


def program_changed_s(kind: str, command: Sequence[str]) -> float | None:
    """Seconds since the epoch at which the newest file of the server's program was put there or changed.

    None where that can't be known: a server that is already running, a program that isn't found. A file's time of
    change (ctime) is taken, which no copying or unpacking sets back, and also that of the links that lead to the
    program: they may point to another build since, whose own file is older.
    """
    if not command:
        return None
    files = _embedded() if kind == "embedded" else _program(kind, command)
    try:
        times = [file.lstat().st_ctime for file in files]
    except OSError:
        return None
    return max(times, default=None)


def _embedded() -> list[Path]:
    found = importlib.util.find_spec("xllamacpp")
    if found is None or found.origin is None:
        return []
    package = Path(found.origin).parent
    return [Path(found.origin), *package.glob("*.so*")]


def _program(kind: str, command: Sequence[str]) -> Iterable[Path]:
    name = command[0]
    import shutil

    there = name if os.sep in name else shutil.which(name)
    if there is None:
        return []
    path = Path(there).resolve()
    files = [path, *_links(Path(there).absolute())]
    if kind in {"llama.cpp", KIND_WITHOUT_SERVER}:
        files += path.parent.glob("*.so*")
    elif kind == "vllm":  # the program is a small script, which pip need not write anew
        files += path.parent.parent.glob("lib/python3*/site-packages/vllm-*.dist-info")
        files += Path(there).absolute().parent.parent.glob("lib/python3*/site-packages/vllm-*.dist-info")
    else:  # somebody's own command may start with an interpreter
        files += [word for text in command[1:] if text.endswith(_SCRIPTS) and (word := Path(text)).is_file()]
    return files


def _links(path: Path) -> list[Path]:
    """The symbolic links that lead from a path to its file, in any of its folders."""
    found: list[Path] = []
    while len(found) < _MOST_LINKS:
        link = next((part for part in (path, *path.parents) if part.is_symlink()), None)
        if link is None:
            break
        found.append(link)
        path = link.parent / link.readlink() / path.relative_to(link)
    return found
