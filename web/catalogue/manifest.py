"""A request -> the manifest of its sweep, in which each name of the catalogue is what the operator means by it."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

from results.errors import UsageError
from settings.providers import LOCAL
from settings.table import TABLE
from settings.values import closest, read_value
from settings.variables import as_written
from sweeps.manifest.reader import FIELDS, MODEL_FIELDS
from web.catalogue.amounts import MOST_SAMPLES, most_samples
from web.catalogue.choice import Choice, choose
from web.catalogue.mistakes import Mistakes
from web.catalogue.models import ModelNames
from web.catalogue.values import require_plain, written_benchmark, written_value

if TYPE_CHECKING:
    from collections.abc import Callable

    from web.catalogue.request import OllamaParams, RunRequest
    from web.config import ServeConfig

MOST_RUNS = 200  # planning them takes a second or two
MOST_EXCLUDED = 2_000  # values in all of exclude
_WHO = ("provider", "server")
_OF_OLLAMA = {"num_predict": "max_tokens"}


def manifest_document(request: RunRequest, config: ServeConfig) -> dict[str, Any]:
    """The manifest as plain JSON values. Raises RequestRefused with every mistake.

    Texts of the request stay as they are: what looks like a variable in them is written so that none is filled in.
    """
    translator = _Translator(config)
    if (request.manifest is None) == (request.suite is None):
        translator.mistakes.add("", "give either suite (with config) or manifest")
        translator.mistakes.refuse()
    if request.manifest is not None:
        if request.config is not None:
            translator.mistakes.add("config", "stands in the manifest: leave it out")
        document = translator.whole(request.manifest)
    else:
        document = translator.single(request)
    if request.engine is not None:
        if "engine" in document:
            translator.mistakes.add("engine", "stands in the manifest too: leave one out")
        translator.engine(document, request.engine, "engine")
    translator.mistakes.refuse()
    for where, samples in most_samples(document):
        if samples > MOST_SAMPLES:
            translator.mistakes.add(
                f"manifest.{where}" if request.manifest is not None else "config.params",
                f"a run may ask for {samples} samples or requests; at most {MOST_SAMPLES} are taken",
            )
    translator.mistakes.refuse()
    return document


class _Translator:
    def __init__(self, config: ServeConfig) -> None:
        self.config = config
        self.mistakes = Mistakes()
        self.models = ModelNames(config.models_dir)
        self.excluded = 0

    def single(self, request: RunRequest) -> dict[str, Any]:
        """One run."""
        from web.catalogue.request import RunConfig

        config = request.config or RunConfig()
        found: dict[str, Any] = {}
        self.take(found, "benchmark", "suite", lambda: written_benchmark(request.suite))
        choice = Choice()
        try:
            choice = choose(self.config, provider=config.provider, server=config.server)
        except UsageError as error:
            self.mistakes.add("config.provider" if config.provider != LOCAL else "config.server", error)
        else:
            self.take(found, "model", "config.model", lambda: self.model(choice, config.model))
        self.values(found, config.params, "config.params", choice)
        if config.ollama_params is not None:
            self.ollama(found, config.ollama_params, choice)
        return {"runs": [{**_operators(choice), **found}]}

    def whole(self, given: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name in given:
            if name not in FIELDS:
                self.mistakes.add(f"manifest.{name}", f"there is no such field{closest(name, FIELDS)}")
        if given.get("engine") is not None:
            self.engine(found, given["engine"], "manifest.engine")
        for name in ("matrix", "defaults"):
            if given.get(name) is not None and not isinstance(given[name], dict):
                self.mistakes.add(f"manifest.{name}", "must be an object")
        if given.get("seed") is not None:
            self.take(
                found,
                "seed",
                "manifest.seed",
                lambda: read_value(TABLE["seed"], given["seed"], variables=False),
            )
        if given.get("test_mode") is not None:
            found["test_mode"] = given["test_mode"] is True
            if not isinstance(given["test_mode"], bool):
                self.mistakes.add("manifest.test_mode", "is neither true nor false")
        defaults = _object(given.get("defaults"))
        common = self.choice(defaults, "manifest.defaults", Choice())
        if defaults:
            found["defaults"] = self.settings(defaults, "manifest.defaults", common)
        found["defaults"] = {**found.get("defaults", {}), **_operators(common)}
        if "matrix" in given:
            found["matrix"] = self.matrix(_object(given["matrix"]), common)
        if "runs" in given:
            found["runs"] = [
                self.entry(each, f"manifest.runs[{index}]", common, own=True)
                for index, each in enumerate(self.items(given["runs"], "manifest.runs"))
            ]
        if "matrix" not in given and "runs" not in given:
            self.mistakes.add("manifest", "it has neither a matrix nor runs")
        self.require_few(found)
        return found

    def engine(self, found: dict[str, Any], name: Any, where: str) -> None:
        """The machines, by the operator's name for them."""
        engines = self.config.engines
        if isinstance(name, str) and name in engines:
            found["engine"] = dict(engines[name])
        elif not isinstance(name, str):
            self.mistakes.add(
                where, "must be a name of the catalogue, which stands for an engine and its settings"
            )
        elif not engines:
            self.mistakes.add(where, "the operator offers no engine: leave it out")
        else:
            known = closest(name, engines) or f"; one of {', '.join(engines)}"
            self.mistakes.add(where, f"there is no engine {name!r}{known}")

    def matrix(self, given: dict[str, Any], common: Choice) -> dict[str, Any]:
        where = "manifest.matrix"
        found: dict[str, Any] = {}
        for name, value in given.items():
            at = f"{where}.{name}"
            if name == "include":
                found[name] = [
                    self.entry(each, f"{at}[{index}]", common, own=False)
                    for index, each in enumerate(self.items(value, at))
                ]
            elif name == "exclude":
                found[name] = [
                    self.pattern(each, f"{at}[{index}]", common)
                    for index, each in enumerate(self.items(value, at))
                ]
            elif name in _WHO:
                self.mistakes.add(at, "can't be an axis: give it in defaults, or in each of the runs")
            else:
                several = self.items(value, at) if isinstance(value, list) else [value]
                axis: list[Any] = []
                for index, each in enumerate(several):
                    place = f"{at}[{index}]" if isinstance(value, list) else at
                    one: dict[str, Any] = {}
                    self.setting(one, name, each, place, common)
                    axis += one.values()
                found[name] = axis
        return found

    def entry(self, given: Any, where: str, common: Choice, *, own: bool) -> dict[str, Any]:
        """An item of runs or include. own: whether it may say who answers."""
        if not isinstance(given, dict):
            self.mistakes.add(where, "must be an object of settings")
            return {}
        if not own and any(name in given for name in _WHO):
            self.mistakes.add(where, "can't say who answers: give it in defaults, or in each of the runs")
            return {}
        choice = self.choice(given, where, common)
        found = self.settings(given, where, choice)
        if choice is common:
            return found
        if given.get("model") is None and not choice.loads:
            # Not the model of the defaults, which is a file here.
            self.take(found, "model", f"{where}.model", lambda: self.model(choice, None))
            found.setdefault("model", None)
        return {**found, **_operators(choice)}

    def pattern(self, given: Any, where: str, common: Choice) -> dict[str, Any]:
        if not isinstance(given, dict):
            self.mistakes.add(where, "must be an object of settings")
            return {}
        found: dict[str, Any] = {}
        for name, value in given.items():
            several = self.items(value, f"{where}.{name}") if isinstance(value, list) else [value]
            self.excluded += len(several)
            if self.excluded > MOST_EXCLUDED:
                self.mistakes.add("manifest.matrix.exclude", f"has more than {MOST_EXCLUDED} values")
                self.mistakes.refuse()
            values: list[Any] = []
            for each in several:
                one: dict[str, Any] = {}
                if name == "model":
                    self.take(one, name, f"{where}.model", partial(_glob, each))
                else:
                    self.setting(one, name, each, f"{where}.{name}", common)
                values += one.values()
            found[name] = values
        return found

    def choice(self, given: dict[str, Any], where: str, common: Choice) -> Choice:
        """Who answers, by what these settings say; otherwise the common one."""
        if not any(given.get(name) is not None for name in _WHO):
            return common
        if common.settings or common.what != LOCAL:
            self.mistakes.add(
                where, "defaults say who answers already: give it there, or in each of the runs"
            )
            return common
        said: dict[str, str] = {}
        for name in _WHO:
            value = given.get(name)
            if isinstance(value, str):
                said[name] = value
            elif value is not None:
                self.mistakes.add(f"{where}.{name}", "is not a text")
                return common
        try:
            return choose(self.config, provider=said.get("provider", LOCAL), server=said.get("server"))
        except UsageError as error:
            self.mistakes.add(f"{where}.{next(iter(said))}", error)
            return common

    def settings(self, given: dict[str, Any], where: str, choice: Choice) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in given.items():
            if name not in _WHO:
                self.setting(found, name, value, f"{where}.{name}", choice)
        return found

    def setting(self, found: dict[str, Any], name: str, value: Any, where: str, choice: Choice) -> None:
        """Put one setting's value into `found`, unless it is not given or wrong."""
        if value is None:
            return
        if name == "benchmark":
            self.take(found, name, where, lambda: written_benchmark(value))
        elif name == "model":
            self.take(found, name, where, lambda: self.model_choice(value, where, choice))
        elif name in choice.settings:
            self.mistakes.add(where, f"the operator sets this for {choice.what}")
        else:
            self.take(found, name, where, lambda: written_value(name, value, self.config, self.models))

    def values(self, found: dict[str, Any], given: dict[str, Any], where: str, choice: Choice) -> None:
        for name, value in given.items():
            if name in {"benchmark", "model", *_WHO}:
                field = "suite" if name == "benchmark" else f"config.{name}"
                self.mistakes.add(f"{where}.{name}", f"belongs into {field}")
            else:
                self.setting(found, name, value, f"{where}.{name}", choice)

    def ollama(self, found: dict[str, Any], given: OllamaParams, choice: Choice) -> None:
        where = "config.ollama_params"
        if choice.provider != "ollama":
            self.mistakes.add(where, "these are for the provider ollama; give params")
            return
        for name, value in given.model_dump(exclude_none=True).items():
            setting = _OF_OLLAMA.get(name, name)
            if setting in found:
                self.mistakes.add(f"{where}.{name}", f"config.params has {setting} too")
            elif name != "num_ctx":
                self.setting(found, setting, value, f"{where}.{name}", choice)
            elif "provider_params" in choice.settings:
                self.mistakes.add(f"{where}.{name}", f"the operator sets parameters of {choice.what}")
            elif value < 1:
                self.mistakes.add(f"{where}.{name}", f"{value} is out of range: 1 or more")
            else:
                found["provider_params"] = {"num_ctx": value}

    def model_choice(self, value: Any, where: str, choice: Choice) -> Any:
        """A name, or an object with the name in `path`, as in a manifest."""
        if not isinstance(value, dict):
            return self.model(choice, value)
        found: dict[str, Any] = {}
        for name in value:
            if name not in MODEL_FIELDS:
                self.mistakes.add(f"{where}.{name}", f"there is no such field{closest(name, MODEL_FIELDS)}")
        if value.get("path") is None:
            raise UsageError("the model has no path")
        self.take(found, "path", f"{where}.path", lambda: self.model(choice, value["path"]))
        if value.get("name") is not None:
            self.take(found, "name", f"{where}.name", lambda: _glob(value["name"]))
        overrides = value.get("overrides")
        if overrides is not None and not isinstance(overrides, dict):
            self.mistakes.add(f"{where}.overrides", "must be an object of settings")
        elif overrides:
            if {"model", *_WHO} & overrides.keys():
                self.mistakes.add(f"{where}.overrides", "can't change the model or who answers")
            else:
                found["overrides"] = self.settings(overrides, f"{where}.overrides", choice)
        return found

    def model(self, choice: Choice, name: Any) -> str | None:
        if name is not None and not isinstance(name, str):
            raise UsageError("is not the name of a model")
        found = choice.model(name, self.models)
        return as_written(found) if found is not None else None

    def take(self, found: dict[str, Any], name: str, where: str, read: Callable[[], Any]) -> None:
        try:
            value = read()
        except UsageError as error:
            self.mistakes.add(where, error)
            return
        if value is not None:
            found[name] = value

    def items(self, value: Any, where: str) -> list[Any]:
        if not isinstance(value, list):
            self.mistakes.add(where, "must be a list")
            return []
        if len(value) > MOST_RUNS:
            self.mistakes.add(where, f"has more than {MOST_RUNS} items")
            return []
        return value

    def require_few(self, document: dict[str, Any]) -> None:
        """Before anything is multiplied out."""
        matrix = document.get("matrix", {})
        axes = [len(values) for name, values in matrix.items() if name not in {"include", "exclude"}]
        runs = (
            (math.prod(axes) if axes else 0) + len(matrix.get("include", ())) + len(document.get("runs", ()))
        )
        if runs > MOST_RUNS:
            self.mistakes.add("manifest", f"it has {runs} runs; a job has at most {MOST_RUNS}")


def _operators(choice: Choice) -> dict[str, Any]:
    """What the operator set, as it is written there: its variables are filled in where the job runs."""
    return dict(choice.settings)


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _glob(value: Any) -> str:
    if not isinstance(value, str):
        raise UsageError("is not a text")
    require_plain(value)
    if not value.strip():
        raise UsageError("is empty")
    return str(as_written(value))
