"""A `config.yaml` of models, execution and scoring, as a manifest: each model is a run of each benchmark.

Its tree becomes a manifest's, with every value on its line, so that the reader of manifests checks it like one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from documents.problems import Problem
from documents.tree import Node
from results.errors import UsageError
from settings.providers import LOCAL, PROVIDERS, provider_of
from settings.scoring.options import SCORING_SETTINGS
from settings.values import close_match, closest

if TYPE_CHECKING:
    from collections.abc import Collection

    from settings.providers import ProviderFacts

BENCHMARK = "tasks"  # of a config that names none
# The fields that a manifest has not, with their descriptions in the schema; then those that mean what they mean there.
CONFIG_FIELDS = {
    "models": "Instead of a matrix or runs: each model is a run of each benchmark.",
    "benchmark": f"The benchmark of the models, or a list of which each model runs all; without it, {BENCHMARK}.",
    "execution": "The limits of each program that a model writes, and settings of all runs.",
    "scoring": "Turns composite scores on, with their weights and other settings.",
}
SHARED_FIELDS = ("$schema", "seed", "test_mode", "engine")
MODEL_KEYS = ("name", "path", "provider", "api_key", "endpoint")
EXECUTION_KEYS = ("timeout", "memory_limit", "cpu_limit")
SCORING_KEYS = tuple(setting.name for setting in SCORING_SETTINGS if setting.kind != "flag")
_FIELDS = (*CONFIG_FIELDS, *SHARED_FIELDS)
_OF_A_MANIFEST = {"matrix", "runs", "defaults"}
_OWN = {"models", "execution", "scoring"}
_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_KEY_HINT = "name the variable, such as api_key: ${OPENAI_API_KEY}, or give api_key_file"


@dataclass
class Config:
    """A config as a manifest. names: what a field of the manifest is called in the file, by the field."""

    root: Node
    names: dict[str, str] = field(default_factory=dict)

    def name(self, manifest_field: str) -> str:
        """The field as the file has it."""
        head, rest = manifest_field, ""
        while head:
            if head in self.names:
                return self.names[head] + rest
            cut = max(head.rfind("."), head.rfind("["))
            head, rest = (head[:cut], head[cut:] + rest) if cut > 0 else ("", rest)
        return manifest_field


def is_config(root: Node, settings: Collection[str]) -> bool:
    """Whether a document has this form, and not a manifest's, be it with a misspelt field. settings: all names."""
    if not isinstance(root.value, dict) or _OF_A_MANIFEST & root.value.keys():
        return False
    return any(
        key in _OWN or (key not in settings and close_match(key, {*_FIELDS, *_OF_A_MANIFEST}) in _OWN)
        for key in root.value
    )


def read_config(root: Node, problems: list[Problem], settings: Collection[str]) -> Config:
    """The manifest that it stands for. problems: gets those that a manifest can't have. settings: all names."""
    return _Reader(root, problems, settings).config()


class _Reader:
    def __init__(self, root: Node, problems: list[Problem], settings: Collection[str]) -> None:
        self._root, self._problems, self._settings = root, problems, settings
        self._names: dict[str, str] = {}

    def config(self) -> Config:
        fields: dict[str, Node] = self._root.value
        known = f"; known are {', '.join(_FIELDS)}"
        for key, node in fields.items():
            if key not in _FIELDS:
                what = f"there is no such field{closest(key, _FIELDS) or known}"
                self._wrong(node, key, what)
        defaults = self._execution(fields.get("execution")) | self._scoring(fields.get("scoring"))
        made = {name: fields[name] for name in SHARED_FIELDS if name in fields}
        if defaults:
            made["defaults"] = Node(defaults, self._root.line)
        models = fields.get("models")
        if models is not None:
            made["runs"] = self._runs(models, self._benchmarks(fields.get("benchmark")))
        else:
            if not any(close_match(key, _FIELDS) == "models" for key in fields):
                self._wrong(
                    self._root, "", "it has no models: a list of mappings, each with a name or a path"
                )
            made["runs"] = Node([Node({"benchmark": Node(BENCHMARK, 1)}, 1)], 1)  # so that it tells the rest
        return Config(Node(made, self._root.line), self._names)

    def _wrong(self, node: Node, where: str, what: str, hint: str = "") -> None:
        self._problems.append(Problem(node.line, where, what, hint))

    def _mapping(self, node: Node, where: str, own: tuple[str, ...], *, more: bool = True) -> dict[str, Node]:
        """The fields that are known: the form's own, and any setting of a run unless `more` is false."""
        known = [*own, *(name for name in self._settings if more and name not in own)]
        given = f"{', '.join(own[:-1])} and {own[-1]}"
        if not isinstance(node.value, dict):
            self._wrong(node, where, f"must be a mapping of {given}")
            return {}
        for key, each in node.value.items():
            if key not in known:
                what = closest(key, known) or f"; it takes {given}" + ", and any setting" * more
                self._wrong(each, f"{where}.{key}", f"there is no such setting{what}")
        return {key: each for key, each in node.value.items() if key in known}

    def _benchmarks(self, node: Node | None) -> list[tuple[Node, str]]:
        """Each with its field."""
        if node is None:
            return [(Node(BENCHMARK, self._root.line), "benchmark")]
        if not isinstance(node.value, list):
            return [(node, "benchmark")]
        if not node.value:
            self._wrong(node, "benchmark", "is an empty list, so there would be no runs")
        return [(each, f"benchmark[{number}]") for number, each in enumerate(node.value)]

    def _runs(self, models: Node, benchmarks: list[tuple[Node, str]]) -> Node:
        """The manifest's runs. What is no list is left to its reader, which refuses it."""
        self._names["runs"] = "models"
        if not isinstance(models.value, list):
            return models
        made: list[Node] = []
        for number, node in enumerate(models.value):
            where = f"models[{number}]"
            settings, names = self._model(node, where)
            for benchmark, called in benchmarks:
                at = f"runs[{len(made)}]"
                self._names |= {at: where, f"{at}.benchmark": called}
                self._names |= {f"{at}.{name}": field_ for name, field_ in names.items()}
                made.append(Node({"benchmark": benchmark, **settings}, node.line))
        return Node(made, models.line)

    def _model(self, node: Node, where: str) -> tuple[dict[str, Node], dict[str, str]]:
        """The settings of one model, and what those are called that the file calls otherwise."""
        fields = self._mapping(node, where, MODEL_KEYS)
        if "model" in fields:
            self._wrong(fields.pop("model"), f"{where}.model", "is called name, or path, here")
        name, path, key, endpoint = (
            fields.pop(each, None) for each in ("name", "path", "api_key", "endpoint")
        )
        names: dict[str, str] = {}
        if name is None and path is None:
            if isinstance(node.value, dict):
                self._wrong(node, where, "the model has no name")
            return {}, names
        facts = self._facts(fields.get("provider"))
        if facts is not None and facts.name == LOCAL and endpoint is None and "base_url" not in fields:
            fields.pop("provider", None)  # it is launched here
        if key is not None:
            self._key(key, f"{where}.api_key", facts or PROVIDERS[LOCAL])
        if endpoint is not None:
            if "base_url" in fields:
                self._wrong(endpoint, f"{where}.endpoint", "is given twice, as base_url too")
            fields["base_url"], names["base_url"] = endpoint, f"{where}.endpoint"
        if path is not None and name is not None:
            model = Node({"path": path, "name": name}, node.line)
            names |= {"model": where, "model.path": f"{where}.path", "model.name": f"{where}.name"}
        else:
            model = name or path or node
            names["model"] = f"{where}.{'name' if name is not None else 'path'}"
        return {"model": model, **fields}, names

    def _facts(self, provider: Node | None) -> ProviderFacts | None:
        """The provider; None for one that nobody knows, which the manifest's reader refuses."""
        if provider is None:
            return PROVIDERS[LOCAL]
        try:
            return provider_of(provider.value) if isinstance(provider.value, str) else None
        except UsageError:
            return None

    def _key(self, key: Node, where: str, facts: ProviderFacts) -> None:
        """A key is read from its variable when a request is sent; the file only names the variable."""
        text = key.value if isinstance(key.value, str) else ""
        found = _REFERENCE.fullmatch(text.strip())
        known = facts.key_variables
        if found is None:
            self._wrong(
                key,
                where,
                "must not be a key itself: the sweep's folder keeps this file as written",
                _KEY_HINT,
            )
        elif found[1] not in known:
            what = f"the key of provider {facts.name} is read from {' or '.join(known)}, not from {found[1]}"
            self._wrong(key, where, what, f"export {known[0]}=..., and name it here; or give api_key_file")

    def _execution(self, node: Node | None) -> dict[str, Node]:
        """Limits of one program. Processor time is counted over all of its processes and threads, so that on so many
        cores it may take the timeout that many times.
        """
        if node is None:
            return {}
        fields = self._mapping(node, "execution", EXECUTION_KEYS)
        for name, belongs in (("model", "under models"), ("benchmark", "at the top")):
            if name in fields:
                self._wrong(fields.pop(name), f"execution.{name}", f"belongs {belongs}")
        timeout, cores = fields.pop("timeout", None), fields.pop("cpu_limit", None)
        made = dict(fields)
        self._names |= {f"defaults.{name}": f"execution.{name}" for name in fields}
        count = 1.0 if cores is None else self._number(cores, "execution.cpu_limit")
        if timeout is None:
            if cores is not None and count not in {None, 1.0}:
                self._wrong(cores, "execution.cpu_limit", "needs a timeout, in seconds of each core")
            return made
        self._names["defaults.cpu_limit"] = "execution.timeout"
        if count == 1.0:
            made["cpu_limit"] = timeout
        elif count is not None and (seconds := self._number(timeout, "execution.timeout")) is not None:
            made["cpu_limit"] = Node(seconds * count, timeout.line, str(seconds * count))
        return made

    def _number(self, node: Node, where: str) -> float | None:
        if isinstance(node.value, int | float) and not isinstance(node.value, bool) and 0 < node.value < 1e6:
            return float(node.value)
        self._wrong(node, where, "must be a number above 0")
        return None

    def _scoring(self, node: Node | None) -> dict[str, Node]:
        """Composite scores: on, with what else is said of them."""
        if node is None:
            return {}
        fields = self._mapping(node, "scoring", SCORING_KEYS, more=False)
        self._names |= {f"defaults.{name}": f"scoring.{name}" for name in fields}
        self._names["defaults.scoring"] = "scoring"
        return {"scoring": Node(value=True, line=node.line, text="true"), **fields}
