"""Read a YAML, JSON or TOML file, and parse its text into a tree."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from documents.problems import Problem, refuse
from documents.tree import Stop
from results.errors import UsageError
from results.files import instead_of, open_to_read

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from documents.tree import Node, Tree

Form = Literal["yaml", "json", "toml"]
FORMS: dict[str, Form] = {".yaml": "yaml", ".yml": "yaml", ".json": "json", ".toml": "toml"}
MOST_BYTES = 1 << 28


@dataclass(frozen=True)
class Source:
    """A file's text. name: for messages. sha256: of the file's bytes."""

    text: str
    form: Form
    name: str
    sha256: str


def read_file(path: Path, *, kind: str, endings: Sequence[str] = tuple(FORMS)) -> Source:
    """Read a file without ever blocking on a FIFO. kind: for messages, such as `a manifest`. Raises UsageError."""
    if path.suffix.lower() not in endings:
        raise UsageError(
            f"{path}: {kind} ends in {', '.join(endings)}",
            hint="give a file inside that folder"
            if path.is_dir()
            else f"rename it, such as {path.stem}{endings[0]}",
        )
    try:
        data = _bytes_of(path)
        text = data.decode("utf-8-sig")
    except (OSError, ValueError) as error:
        if isinstance(error, UnicodeDecodeError):
            line = data.count(b"\n", 0, error.start) + 1
            refuse(str(path), [Problem(line, "", "is not UTF-8")])
        why = error.strerror if isinstance(error, OSError) else None
        hint = instead_of(path.absolute()) if why else ""
        raise UsageError(f"{path} can't be read: {why or error}", hint=hint) from error
    return Source(text, FORMS[path.suffix.lower()], str(path), hashlib.sha256(data).hexdigest())


def read_text(text: str, form: Form, name: str, *, hint: str = "") -> tuple[Node, list[Problem]]:
    """The tree, and the problems with it. Raises UsageError, with the line, for text that can't be read at all."""
    tree = _tree(text, form)
    try:
        return tree.document(), tree.problems
    except Stop:
        refuse(name, tree.problems, hint=hint)
        raise


def _tree(text: str, form: Form) -> Tree:
    match form:
        case "yaml":
            from documents.yaml_tree import YamlTree

            return YamlTree(text)
        case "json":
            from documents.json_tree import JsonTree

            return JsonTree(text)
        case "toml":
            from documents.toml_tree import TomlTree

            return TomlTree(text)


def _bytes_of(path: Path) -> bytes:
    with open_to_read(path) as file:
        if os.fstat(file.fileno()).st_size > MOST_BYTES:
            raise ValueError(f"it has more than {MOST_BYTES >> 20} MiB")
        return file.read()
