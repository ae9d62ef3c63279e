"""A file of `tasks`, as benchmarks of prompt optimisers have them, as a manifest: each task is a run.

Its tree becomes a manifest's, with every value on its line, so that the reader of manifests checks it like one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from documents.problems import Problem
from documents.tree import Node
from settings.providers import LOCAL, PROVIDERS
from settings.values import closest
from sweeps.manifest.config_form import SHARED_FIELDS, Config

if TYPE_CHECKING:
    from collections.abc import Mapping

TASKS = "tasks"
_FIELDS = (TASKS, *SHARED_FIELDS)
_NAMES_ITS_MODEL = (
    "provider",
    "server",
    "server_command",
    "base_url",
)  # with one, `model` is not PROVIDER/MODEL


def is_tasks(root: Node) -> bool:
    """Whether a document has this form, and not a manifest's."""
    return isinstance(root.value, dict) and TASKS in root.value and not {"matrix", "runs"} & root.value.keys()


def read_tasks(root: Node, problems: list[Problem], *, few: int) -> Config:
    """The manifest that it stands for. problems: gets those that a manifest can't have. few: samples in test mode."""
    return _Reader(problems, few).config(root)


class _Reader:
    def __init__(self, problems: list[Problem], few: int) -> None:
        self._problems = problems
        self._few = few
        self._names: dict[str, str] = {}

    def config(self, root: Node) -> Config:
        fields: Mapping[str, Node] = root.value
        known = f"; known are {', '.join(_FIELDS)}"
        for key, node in fields.items():
            if key not in _FIELDS:
                self._wrong(node, key, f"there is no such field{closest(key, _FIELDS) or known}")
        made = {name: fields[name] for name in SHARED_FIELDS if name in fields}
        made["runs"] = Node(self._runs(fields[TASKS]), fields[TASKS].line)
        return Config(Node(made, root.line), self._names)

    def _wrong(self, node: Node, where: str, what: str, hint: str = "") -> None:
        self._problems.append(Problem(node.line, where, what, hint))

    def _runs(self, tasks: Node) -> list[Node]:
        if not isinstance(tasks.value, list) or not tasks.value:
            self._wrong(tasks, "tasks", "must be a list of at least one task")
            return []
        return [self._run(node, number) for number, node in enumerate(tasks.value)]

    def _run(self, node: Node, number: int) -> Node:
        where, at = f"tasks[{number}]", f"runs[{number}]"
        self._names[at] = where
        if not isinstance(node.value, dict):
            self._wrong(node, where, "must be a mapping of dataset, model, optimizer and its parameters")
            return Node({}, node.line)
        settings = dict(node.value)
        self._rename(settings, "dataset", "benchmark", number)
        if (inner := settings.pop("model_parameters", None)) is not None:
            self._spread(settings, inner, number)
        if (test_mode := settings.pop("test_mode", None)) is not None:
            self._few_samples(settings, test_mode, number)
        model = settings.get("model")
        if model is not None and not any(name in settings for name in _NAMES_ITS_MODEL):
            self._at_provider(settings, model, number)
        return Node(settings, node.line)

    def _rename(self, settings: dict[str, Node], old: str, new: str, number: int) -> None:
        where = f"tasks[{number}].{old}"
        if old not in settings:
            return
        if new in settings:
            self._wrong(settings[old], where, f"is given twice, as {new} too")
        self._names[f"runs[{number}].{new}"] = where
        settings[new] = settings.pop(old)

    def _spread(self, settings: dict[str, Node], inner: Node, number: int) -> None:
        where = f"tasks[{number}].model_parameters"
        if not isinstance(inner.value, dict):
            self._wrong(inner, where, "must be a mapping, such as {temperature: 0.7}")
            return
        for name, value in inner.value.items():
            if name in settings:
                self._wrong(value, f"{where}.{name}", "is given twice")
            settings[name] = value
            self._names[f"runs[{number}].{name}"] = f"{where}.{name}"

    def _few_samples(self, settings: dict[str, Node], asked: Node, number: int) -> None:
        where = f"tasks[{number}].test_mode"
        if not isinstance(asked.value, bool):
            self._wrong(asked, where, "must be true or false")
        elif asked.value:
            settings["limit"] = Node(self._few, asked.line, str(self._few))
            self._names[f"runs[{number}].limit"] = where

    def _at_provider(self, settings: dict[str, Node], model: Node, number: int) -> None:
        """`openai/gpt-4o-mini`: the provider, and its model."""
        provider, slash, name = model.value.partition("/") if isinstance(model.value, str) else ("", "", "")
        if not (slash and name and provider in PROVIDERS and provider != LOCAL):
            return
        settings["provider"] = Node(provider, model.line, provider)
        settings["model"] = Node(name, model.line, name)
        self._names[f"runs[{number}].provider"] = f"tasks[{number}].model"
