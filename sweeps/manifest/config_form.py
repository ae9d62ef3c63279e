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
from settings.values import closest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from settings.providers import ProviderFacts

BENCHMARK = "tasks"  # of a config that names none
_MANIFEST_FIELDS = ("$schema", "seed", "test_mode", "engine")  # these mean what they mean there
_FIELDS = ("models", "benchmark", "execution", "scoring", *_MANIFEST_FIELDS)
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


def is_config(root: Node) -> bool:
    """Whether a document has this form, and not a manifest's."""
    return (
        isinstance(root.value, dict) and "models" in root.value and not {"matrix", "runs"} & root.value.keys()
    )


def read_config(root: Node, problems: list[Problem]) -> Config:
    """The manifest that it stands for. problems: gets those that a manifest can't have."""
    return _Reader(root, problems).config()


class _Reader:
    def __init__(self, root: Node, problems: list[Problem]) -> None:
        self._root, self._problems = root, problems
        self._names: dict[str, str] = {}

    def config(self) -> Config:
        fields: dict[str, Node] = self._root.value
        known = f"; known are {', '.join(_FIELDS)}"
        for key, node in fields.items():
            if key not in _FIELDS:
                what = f"there is no such field{closest(key, _FIELDS) or known}"
                self._wrong(node, key, what)
        defaults = self._execution(fields.get("execution")) | self._scoring(fields.get("scoring"))
        made = {name: fields[name] for name in _MANIFEST_FIELDS if name in fields}
        if defaults:
            made["defaults"] = Node(defaults, self._root.line)
        made["runs"] = Node(
            self._runs(fields["models"], self._benchmarks(fields.get("benchmark"))), fields["models"].line
        )
        return Config(Node(made, self._root.line), self._names)

    def _wrong(self, node: Node, where: str, what: str, hint: str = "") -> None:
        self._problems.append(Problem(node.line, where, what, hint))

    def _mapping(self, node: Node, where: str, what: str) -> Mapping[str, Node]:
        if isinstance(node.value, dict):
            return node.value
        self._wrong(node, where, f"must be a mapping of {what}")
        return {}

    def _benchmarks(self, node: Node | None) -> list[tuple[Node, str]]:
        """Each with its field."""
        if node is None:
            return [(Node(BENCHMARK, self._root.line), "benchmark")]
        if not isinstance(node.value, list):
            return [(node, "benchmark")]
        if not node.value:
            self._wrong(node, "benchmark", "is an empty list, so there would be no runs")
        return [(each, f"benchmark[{number}]") for number, each in enumerate(node.value)]

    def _runs(self, models: Node, benchmarks: list[tuple[Node, str]]) -> list[Node]:
        if not isinstance(models.value, list):
            self._wrong(models, "models", "must be a list")
            return []
        if not models.value:
            self._wrong(models, "models", "is an empty list, so there would be no runs")
        made: list[Node] = []
        for number, node in enumerate(models.value):
            where = f"models[{number}]"
            settings, names = self._model(node, where)
            for benchmark, called in benchmarks:
                at = f"runs[{len(made)}]"
                self._names |= {at: where, f"{at}.benchmark": called}
                self._names |= {f"{at}.{name}": field_ for name, field_ in names.items()}
                made.append(Node({"benchmark": benchmark, **settings}, node.line))
        return made

    def _model(self, node: Node, where: str) -> tuple[dict[str, Node], dict[str, str]]:
        """The settings of one model, and what those are called that the file calls otherwise."""
        fields = dict(self._mapping(node, where, "name, provider, api_key and endpoint"))
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
        fields = dict(self._mapping(node, "execution", "timeout, memory_limit and cpu_limit"))
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
        fields = self._mapping(node, "scoring", "weights and what else scoring takes")
        self._names |= {f"defaults.{name}": f"scoring.{name}" for name in fields}
        self._names["defaults.scoring"] = "scoring"
        return {"scoring": Node(value=True, line=node.line, text="true"), **fields}
