"""Expand a manifest into runs: every combination of its matrix, minus the excluded ones, plus the included ones.

The rules are those of `strategy.matrix` in GitHub Actions, which many people know:
https://docs.github.com/en/actions/using-workflows/workflow-syntax-for-github-actions#jobsjob_idstrategymatrixinclude
"""

from __future__ import annotations

import dataclasses
import fnmatch
import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from documents.problems import Problem
from results.errors import UsageError
from sweeps.manifest.problems import problem_text
from sweeps.manifest.reader import Given, ModelChoice
from sweeps.model_files import chosen_models

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sweeps.manifest.reader import Entry, Manifest, Matrix, Settings


@dataclass(frozen=True)
class Wanted:
    """A run from the manifest, with everything merged. line, field: its place there."""

    settings: Settings
    line: int | None
    field: str


class Combinations:
    """The runs of a manifest. problems: with globs. notes: things that the user might not expect."""

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest
        self.problems: list[Problem] = []
        self.notes: list[str] = []

    def wanted(self) -> list[Wanted]:
        found = list(self.of_matrix(self.manifest.matrix)) if self.manifest.matrix else []
        for entry in self.manifest.runs:
            given = entry.settings.get("model") or self.manifest.defaults.get("model")
            for model in self.models([given]) if given else [None]:
                chosen = {**self.manifest.defaults, **_overrides(model), **entry.settings}
                found.append(Wanted(chosen | _model(model), entry.line, entry.field))
        return found

    def of_matrix(self, matrix: Matrix) -> Iterator[Wanted]:
        """The matrix's combinations, minus the excluded ones, then what `include` adds."""
        axes = {name: tuple(values) for name, values in matrix.axes.items()}
        default = self.manifest.defaults.get("model")
        if axes and default and "model" not in axes:
            axes["model"] = (default,)
        if "model" in axes:
            axes["model"] = tuple(self.models(axes["model"]))
        combinations = [
            dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values()) if axes
        ]
        for entry in matrix.exclude:
            kept = [each for each in combinations if not self.is_excluded(each, entry)]
            if len(kept) == len(combinations):
                self.notes.append(f"{place(self.manifest, entry.line, entry.field)} excludes no run")
            combinations = kept
        added: list[Settings] = [{} for _ in combinations]
        alone: list[tuple[Entry, Given | None]] = []
        for entry in matrix.include:
            own = entry.settings.get("model")
            extended = [
                more
                for combination, more in zip(combinations, added, strict=True)
                if self.is_extended(combination, entry)
            ]
            for more in extended:
                more.update(_overrides(own))
                more.update({name: each for name, each in entry.settings.items() if name not in axes})
            if not extended:
                given = own or default
                alone += [(entry, model) for model in (self.models([given]) if given else [None])]
        for combination, more in zip(combinations, added, strict=True):
            overrides = _overrides(combination.get("model"))
            merged = {**self.manifest.defaults, **combination, **overrides, **more}
            yield Wanted(merged, self.line_of(combination, matrix.line), "matrix")
        for entry, model in alone:
            merged = {**self.manifest.defaults, **_overrides(model), **entry.settings, **_model(model)}
            yield Wanted(merged, entry.line, entry.field)

    def models(self, given: Iterable[Given]) -> list[Given]:
        """One value per model: each glob is replaced by the files that it matches."""
        found: list[Given] = []
        for each in given:
            if each.value is None:
                found.append(each)
                continue
            try:
                chosen = chosen_models(each.value, self.manifest.folder)
            except UsageError as error:
                self.problems.append(Problem(each.line, each.field, error.message, error.hint))
                continue
            if chosen.left_out and chosen.left_out not in self.notes:
                self.notes.append(chosen.left_out)
            found += [dataclasses.replace(each, value=choice) for choice in chosen.models]
        return found

    def is_excluded(self, combination: Settings, entry: Entry) -> bool:
        return all(
            any(_matches(combination[name], pattern) for pattern in patterns)
            for name, patterns in entry.patterns.items()
        )

    def is_extended(self, combination: Settings, entry: Entry) -> bool:
        """Whether the entry extends the combination without changing any of its values."""
        return all(
            _model_matches(combination[name].value, given.value)
            if name == "model" and given.value and combination[name].value
            else combination[name].value == given.value
            for name, given in entry.settings.items()
            if name in combination
        )

    def line_of(self, combination: Settings, otherwise: int | None) -> int | None:
        given = combination.get("model") or next(iter(combination.values()), None)
        return given.line if given else otherwise


def place(manifest: Manifest, line: int | None, field: str = "") -> str:
    """A place as text: sweep.yaml:7: matrix.exclude[0]."""
    return problem_text(Problem(line, field, ""), manifest.name)


def _overrides(model: Given | None) -> Settings:
    return dict(model.value.overrides) if model is not None and model.value is not None else {}


def _model(model: Given | None) -> Settings:
    return {} if model is None else {"model": model}


def _matches(given: Given, pattern: Given) -> bool:
    if isinstance(given.value, ModelChoice):
        return isinstance(pattern.value, str) and _named_by(given.value, pattern.value)
    return bool(given.value == pattern.value)


def _model_matches(choice: ModelChoice, wanted: ModelChoice) -> bool:
    return _named_by(choice, wanted.text)


def _named_by(choice: ModelChoice, pattern: str) -> bool:
    """Whether the pattern matches the model's path, its file name with or without .gguf, or its given name."""
    path = Path(choice.text)
    pattern = pattern.removeprefix("./")
    names = {choice.text, path.name, path.stem, choice.name or ""}
    below = "/" in pattern and fnmatch.fnmatchcase(choice.text, f"*/{pattern}")
    return below or any(name == pattern or fnmatch.fnmatchcase(name, pattern) for name in names)
