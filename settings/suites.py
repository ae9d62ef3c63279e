"""Suites as the harness knows them: by their files, of which it reads the name, the version and what they name."""

from __future__ import annotations

import functools
import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from results.errors import UsageError
from results.files import read_file as read_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from documents.tree import Node

IDENTITY = ("suite_version", "suite_sha256")  # in settings and records
ENDINGS = (".yaml", ".yml")
SHIPPED = Path(__file__).resolve().parent.parent / "evaluation" / "suites" / "data"
_OWN_CODE = re.compile(r"([A-Za-z_]\w*)\.[A-Za-z_]\w*")
_FIELDS = {"file"}  # that name a file of rows
_CODE_FIELDS = {"metrics", "prepare"}  # that may name a Python file


class SuiteFacts(msgspec.Struct, frozen=True, kw_only=True):
    """sha256: of the file, and of the files beside it that it names, so that it changes with each of them. tasks: how
    many it has. metric: the main one of a single task, "" where the file names none.
    """

    name: str
    version: str
    about: str
    path: Path
    sha256: str
    tasks: int = 1
    metric: str = ""


@functools.cache
def shipped_suites() -> Mapping[str, Path]:
    """The suites that are part of the program, by name."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.yaml"))}


def is_suite_file(name: str) -> bool:
    """Whether a benchmark's name is the path of a suite file."""
    return name.lower().endswith(ENDINGS)


def suite_facts(path: Path) -> SuiteFacts:
    """Raises UsageError for a file that can't be read, or that does not say what it is."""
    from documents.reading import read_file, read_text

    source = read_file(path, kind="a suite", endings=ENDINGS)
    document, problems = read_text(source.text, source.form, source.name)
    top = document.value if isinstance(document.value, dict) else {}
    for name in ("name", "version"):
        if name not in top or not top[name].text.strip():
            raise UsageError(
                f"{path} is not a suite: it has no {name}",
                hint=f"`suites validate {path}` tells what it lacks",
                settings=("benchmark",),
            )
    tasks = top["tasks"].value if "tasks" in top and isinstance(top["tasks"].value, dict) else {}
    del problems  # its script tells them, all and in full
    return SuiteFacts(
        name=top["name"].text,
        version=top["version"].text,
        about=top["about"].text if "about" in top else "",
        path=path,
        sha256=_whole_sha256(path, source.sha256, document),
        tasks=len(tasks) or 1,
        metric=_first((*tasks.values(), document)[0]) or _first(document),
    )


def suite_identity(path: Path | None) -> dict[str, str]:
    """What records and settings say of a suite; runs that differ in it are not compared. None: no suite."""
    facts = None if path is None else suite_facts(path)
    return {} if facts is None else dict(zip(IDENTITY, (facts.version, facts.sha256), strict=True))


def _first(task: Node) -> str:
    """The first of a task's metrics."""
    metrics = task.value.get("metrics") if isinstance(task.value, dict) else None
    found = metrics.value if metrics is not None else None
    first = found[0] if isinstance(found, list) and found else metrics
    return first.text if first is not None and isinstance(first.value, str) else ""


def _whole_sha256(path: Path, own: str, document: Node) -> str:
    beside = sorted({found for found in _named(document) if _is_beside(path.parent, found)})
    if not beside:
        return own
    digest = hashlib.sha256(own.encode())
    for name in beside:
        digest.update(f"\0{name}\0".encode())
        digest.update(hashlib.sha256(read_bytes(path.parent / name)).digest())
    return digest.hexdigest()


def _is_beside(folder: Path, name: str) -> bool:
    """Other files can't belong to a suite; see `evaluation.suites.rows.beside`."""
    inside = not Path(name).is_absolute() and ".." not in Path(name).parts
    return inside and (folder / name).is_file()


def _named(node: Node, key: str = "") -> Iterator[str]:
    """The files that a document names."""
    if isinstance(node.value, dict):
        for name, each in node.value.items():
            yield from _named(each, name)
    elif isinstance(node.value, list):
        for each in node.value:
            yield from _named(each, key)
    elif isinstance(node.value, str) and key in _FIELDS:
        yield node.value
    elif isinstance(node.value, str) and key in _CODE_FIELDS and (found := _OWN_CODE.fullmatch(node.value)):
        yield f"{found[1]}.py"
