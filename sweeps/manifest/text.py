"""YAML, JSON or TOML as a tree whose every value knows its line."""

from __future__ import annotations

import datetime as dt
import json
import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from results.errors import UsageError
from sweeps.manifest.toml_lines import toml_lines

if TYPE_CHECKING:
    from collections.abc import Iterable

Form = Literal["yaml", "json", "toml"]
FORMS: dict[str, Form] = {".yaml": "yaml", ".yml": "yaml", ".json": "json", ".toml": "toml"}
MOST_VALUES = 100_000  # of a document: YAML's aliases can make billions of a kilobyte
COMMAND_LINE = "command line"  # the name of the manifest that was made of it: it has no lines to speak of
Lines = dict[tuple[str | int, ...], int]


@dataclass(frozen=True)
class Node:
    """A value of the document. value: dict[str, Node], list[Node], str, int, float, bool or None.

    line: of its key, in a list its own; from 1.
    """

    value: Any
    line: int

    def plain(self) -> Any:
        """Without the lines."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


@dataclass(frozen=True)
class Problem:
    """Something wrong in a manifest. line: None where there is none. field: such as matrix.gpu_layers[1]."""

    line: int | None
    field: str
    what: str

    def text(self, name: str) -> str:
        """One line, such as `sweep.yaml:7: defaults.limit: ...`, or `--limit: ...` of the command line."""
        where, field = (name if self.line is None else f"{name}:{self.line}"), self.field
        if name == COMMAND_LINE:
            option = re.match(r"matrix\.(\w+)", field)
            where, field = f"--{option[1].replace('_', '-')}" if option else name, ""
            where = "" if self.what.startswith(f"{where} ") else where
        return ": ".join(part for part in (where, field, self.what) if part)


def refuse(name: str, problems: Iterable[Problem], *, hint: str = "") -> None:
    """Raise UsageError with all of them, in the order of their lines; nothing when there are none."""
    ordered = sorted(problems, key=lambda problem: problem.line or 0)
    lines = list(dict.fromkeys(problem.text(name) for problem in ordered))
    if not lines:
        return
    if len(lines) > 1:
        lines.insert(0, f"{len(lines)} things are wrong in {name}")
    raise UsageError("\n".join(lines), hint=hint)


def read_text(text: str, form: Form, name: str) -> Node:
    """The document as a tree. Raises UsageError, with the line, for what is not of that form or has a key twice."""
    try:
        return {"yaml": _yaml, "json": _json, "toml": _toml}[form](text, name)
    except RecursionError:
        raise UsageError(f"{name} is nested too deeply") from None


def _yaml(text: str, name: str) -> Node:
    import yaml

    from sweeps.manifest.yaml_lines import TooMuch, yaml_lines

    try:
        data, lines, repeated = yaml_lines(text, MOST_VALUES)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        begun = error.context_mark.line + 1 if error.context_mark else line
        context = f", {error.context} from line {begun}" if error.context and begun != line else ""
        raise UsageError(f"{name}:{line}: {error.problem or error.context}{context}") from None
    except yaml.YAMLError as error:  # a character that YAML has no place for
        raise UsageError(f"{name}: {error}") from None
    except TooMuch:
        raise UsageError(
            f"{name} has more than {MOST_VALUES} values, counting those of its aliases"
        ) from None
    refuse(name, [Problem(line, key, "is there twice") for key, line in repeated])
    return _with_lines(data, lines)


def _json(text: str, name: str) -> Node:
    from sweeps.manifest.json_lines import json_lines

    def refused(word: str) -> None:
        raise UsageError(f"{name}: {word} is no number of JSON")

    try:
        data = json.loads(text, parse_constant=refused)
    except json.JSONDecodeError as error:
        raise UsageError(f"{name}:{error.lineno}: {error.msg} (column {error.colno})") from None
    lines, repeated = json_lines(text)
    refuse(name, [Problem(line, key, "is there twice") for key, line in repeated])
    return _with_lines(data, lines)


def _toml(text: str, name: str) -> Node:
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        what = str(error)
        place = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)", what)
        line = int(place[1]) if place and place[1] else text.count("\n") + 1
        raise UsageError(f"{name}:{line}: {what[: place.start()] if place else what}") from None
    return _with_lines(data, toml_lines(text))


def _with_lines(data: Any, lines: Lines) -> Node:
    def node(value: Any, path: tuple[str | int, ...], above: int) -> Node:
        line = lines.get(path, above)
        if isinstance(value, dict):
            return Node({key: node(each, (*path, key), line) for key, each in value.items()}, line)
        if isinstance(value, list):
            return Node([node(each, (*path, index), line) for index, each in enumerate(value)], line)
        if isinstance(value, dt.date | dt.time):  # TOML's dates: settings are texts
            value = value.isoformat()
        return Node(value, line)

    return node(data, (), 1)
