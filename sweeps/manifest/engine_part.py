"""The manifest's `engine:` part: on which machines the sweep runs, and how to reach them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from documents.problems import Problem
from documents.tree import Node
from documents.typed import TypedReader
from engines.registry import LOCAL, NAMES, settings_type
from results.errors import UsageError
from results.store.sweep_folder import EngineText
from settings.secrets import is_secret, without_secrets_in
from settings.values import closest
from settings.variables import VARIABLE, expand

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "name"


def read_engine(node: Node, problems: list[Problem], where: str = "engine") -> EngineText | None:
    """The part as written. Notes everything that is wrong in it, and then returns None."""
    before = len(problems)
    fields = node.value if isinstance(node.value, dict) else {NAME: node}
    name = fields.get(NAME)
    at = f"{where}.{NAME}" if isinstance(node.value, dict) else where
    if name is None:
        problems.append(Problem(node.line, at, f"is missing; one of {', '.join(NAMES)}"))
    elif not isinstance(name.value, str):
        problems.append(Problem(name.line, at, f"must be the name of an engine: one of {', '.join(NAMES)}"))
    elif name.value not in NAMES:
        known = closest(name.value, NAMES) or f"; known: {', '.join(NAMES)}"
        problems.append(Problem(name.line, at, f"there is no such engine{known}"))
    if len(problems) > before or name is None:
        return None
    given = {key: each for key, each in fields.items() if key != NAME}
    read_settings(name.value, Node(given, node.line), problems, where)
    if len(problems) > before:
        return None
    return EngineText(name=name.value, settings={key: each.plain() for key, each in given.items()})


def read_settings(name: str, node: Node, problems: list[Problem], where: str = "engine") -> Any:
    """An engine's settings, of its own type, with variables filled in; None if something in them is wrong."""
    if name == LOCAL:
        problems += [
            Problem(each.line, f"{where}.{key}", "this machine takes no settings")
            for key, each in node.value.items()
        ]
        return None
    problems += _secrets(node, where)
    before = len(problems)
    filled = _filled(node, problems, where)
    if len(problems) > before:
        return None
    try:
        return TypedReader(problems).struct(filled, settings_type(name), where)
    except UsageError as error:
        hint = f" ({error.hint})" if error.hint else ""
        problems.append(Problem(node.line, where, f"{error.message}{hint}"))
        return None


def _secrets(node: Node, where: str) -> Iterator[Problem]:
    """The folder of a sweep keeps its settings in clear, so a key or password can't stand in them."""
    if isinstance(node.value, dict):
        for key, each in node.value.items():
            at = f"{where}.{key}"
            if is_secret(key) and not (isinstance(each.value, str) and VARIABLE.fullmatch(each.value)):
                yield Problem(
                    each.line,
                    at,
                    "the sweep's folder would keep this secret; write the name of a variable: ${NAME}",
                )
            else:
                yield from _secrets(each, at)
    elif isinstance(node.value, list):
        for index, each in enumerate(node.value):
            yield from _secrets(each, f"{where}[{index}]")
    elif isinstance(node.value, str) and without_secrets_in(node.value) != node.value:
        yield Problem(
            node.line,
            where,
            "the sweep's folder would keep the secret in it; write the name of a variable: ${NAME}",
        )


def _filled(node: Node, problems: list[Problem], where: str) -> Node:
    if isinstance(node.value, dict):
        return Node(
            {key: _filled(each, problems, f"{where}.{key}") for key, each in node.value.items()}, node.line
        )
    if isinstance(node.value, list):
        return Node(
            [_filled(each, problems, f"{where}[{index}]") for index, each in enumerate(node.value)], node.line
        )
    if not isinstance(node.value, str):
        return node
    try:
        text = expand(node.value)
    except UsageError as error:
        problems.append(Problem(node.line, where, f"{error.message} ({error.hint})"))
        return node
    return Node(text, node.line, text)
