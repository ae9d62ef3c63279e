"""Read a sweep's manifest: many runs in one YAML, JSON or TOML file.

All errors are reported at once, each with its line, field, and what would be right. docs/manifest.md is the page for
users; sweeps/manifest/schema.py has the JSON Schema.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from documents.problems import Problem
from documents.reading import read_file, read_text
from results.errors import UsageError
from settings.scoring.weights import PART_NAME, known_parts, no_such_part, read_weight, read_weights
from settings.suites import is_suite_file
from settings.table import TABLE
from settings.values import closest, read_value
from settings.variables import expand
from sweeps.manifest.config_form import Config, is_config, read_config
from sweeps.manifest.engine_part import read_engine
from sweeps.manifest.problems import COMMAND_LINE, refuse
from sweeps.manifest.tasks_form import is_tasks, read_tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from documents.reading import Form
    from documents.tree import Node
    from results.store.sweep_folder import EngineText
    from settings.setting import Setting

TEST_MODE_SAMPLES = 5
# The fields at the top level, with their descriptions in the schema.
FIELDS = {
    "$schema": "Where your editor finds the schema; bench-runner ignores it.",
    "seed": "The seed of runs without a seed of their own.",
    "test_mode": f"Try everything with {TEST_MODE_SAMPLES} samples per benchmark.",
    "defaults": "Default settings of all runs.",
    "matrix": "Runs of every combination: a setting with several values is an axis.",
    "runs": "Single runs, after those of the matrix.",
    "engine": "The machines that the sweep runs on: an engine's name, or a mapping of name and its settings.",
}
MODEL_FIELDS = {
    "path": "The model: a file, a glob of files, a folder, or a name.",
    "name": "Its name in tables and records.",
    "overrides": "Settings for the runs of this model.",
}


@dataclass(frozen=True, kw_only=True)
class Given:
    """A setting's value from `read_value`. None means not given, even if the defaults have a value."""

    value: Any
    line: int | None
    field: str


Settings = dict[str, Given]


@dataclass(frozen=True, kw_only=True)
class ModelChoice:
    """A model in the manifest. text: may be a glob; relative to the manifest's folder."""

    text: str
    name: str | None = None
    overrides: Settings = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """An item of `runs`, `include` or `exclude`. patterns: for `exclude`, the values that each setting matches."""

    settings: Settings
    patterns: Mapping[str, tuple[Given, ...]] = field(default_factory=dict)
    line: int | None
    field: str


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """The matrix. axes: settings with their values, in the file's order."""

    axes: Mapping[str, tuple[Given, ...]]
    include: tuple[Entry, ...]
    exclude: tuple[Entry, ...]
    line: int | None


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """A manifest. text: as written, with the names of variables instead of their values. name: for messages.

    folder: the base of relative paths. engine: as written; None if it isn't given.
    """

    text: str
    form: Form
    name: str
    folder: Path
    seed: Given | None = None
    test_mode: bool = False
    defaults: Settings = field(default_factory=dict)
    matrix: Matrix | None = None
    runs: tuple[Entry, ...] = ()
    engine: EngineText | None = None


def read_manifest(path: Path) -> Manifest:
    """Read a manifest. Raises UsageError with all its errors."""
    source = read_file(path, kind="a manifest")
    return parse_manifest(source.text, form=source.form, name=source.name, folder=path.absolute().parent)


def parse_manifest(
    text: str, *, form: Form, name: str, folder: Path, table: Mapping[str, Setting] = TABLE
) -> Manifest:
    """Like `read_manifest`, from a text."""
    hint = "`bench_runner.py schema` prints everything that a manifest can contain"
    if name == COMMAND_LINE:
        hint = "see `bench_runner.py sweep --help`"
    root, problems = read_text(text, form, name, hint=hint)
    names = {name for name, setting in table.items() if not setting.hidden}
    config = Config(root)
    if is_tasks(root):
        config = read_tasks(root, problems, few=TEST_MODE_SAMPLES)
    elif is_config(root, names):
        config = read_config(root, problems, names)
    root = config.root
    reader = _Reader(table, problems, config.name)
    found = reader.manifest(root)
    refuse(name, reader.problems, hint=hint)
    return Manifest(text=text, form=form, name=name, folder=folder, **found)


class _Reader:
    """Walks the tree and collects problems."""

    def __init__(
        self, table: Mapping[str, Setting], problems: list[Problem], called: Callable[[str], str]
    ) -> None:
        """called: what a field is called in the file."""
        self.known = table
        self.called = called
        self.problems = problems
        self.benchmarks: list[Given] = []
        self.scorers: list[str] = []
        self.weighed: list[tuple[str, int, str]] = []  # part, line and field
        self.has_script = False

    def wrong(self, line: int | None, where: str, what: str) -> None:
        self.problems.append(Problem(line, self.called(where), what))

    def manifest(self, root: Node) -> dict[str, Any]:
        fields = self.mapping(root, "", "a manifest must be a mapping")
        for key, node in fields.items():
            if key in FIELDS:
                continue
            hint = closest(key, FIELDS)
            if not hint and key in self.known:
                hint = "; put settings of runs under defaults, matrix or runs"
            self.wrong(node.line, key, f"there is no such field{hint or _known(FIELDS)}")
        matrix = self.matrix(fields["matrix"]) if "matrix" in fields else None
        runs = tuple(
            self.entry(node, f"runs[{index}]")
            for index, node in enumerate(self.items(fields.get("runs"), "runs"))
        )
        if isinstance(root.value, dict) and "matrix" not in fields and "runs" not in fields:
            self.wrong(root.line, "", "it has no matrix, runs or models")
        found = {
            "seed": self.given(self.known["seed"], fields["seed"], "seed") if "seed" in fields else None,
            "test_mode": self.flag(fields["test_mode"], "test_mode") if "test_mode" in fields else False,
            "defaults": self.settings(fields["defaults"], "defaults") if "defaults" in fields else {},
            "matrix": matrix,
            "runs": runs,
            "engine": read_engine(fields["engine"], self.problems) if "engine" in fields else None,
        }
        self.require_benchmarks()
        self.require_parts()
        return found

    def matrix(self, node: Node) -> Matrix:
        fields = self.mapping(node, "matrix", "must be a mapping of settings, include and exclude")
        axes: dict[str, tuple[Given, ...]] = {}
        for key, each in fields.items():
            if key in {"include", "exclude"}:
                continue
            setting = self.setting(key, each, f"matrix.{key}", ("include", "exclude"))
            if setting is not None:
                axes[key] = self.axis(setting, each, f"matrix.{key}")
        include = tuple(
            self.entry(each, f"matrix.include[{index}]")
            for index, each in enumerate(self.items(fields.get("include"), "matrix.include"))
        )
        exclude = tuple(
            self.exclude(each, f"matrix.exclude[{index}]", axes)
            for index, each in enumerate(self.items(fields.get("exclude"), "matrix.exclude"))
        )
        if isinstance(node.value, dict) and not axes and not include and not self.problems:
            self.wrong(node.line, "matrix", "is empty, so there would be no runs")
        return Matrix(axes=axes, include=include, exclude=exclude, line=node.line)

    def axis(self, setting: Setting, node: Node, where: str) -> tuple[Given, ...]:
        if not isinstance(node.value, list):
            return (self.given(setting, node, where),)
        if not node.value:
            self.wrong(node.line, where, "is an empty list, so there would be no runs")
        return tuple(self.given(setting, each, f"{where}[{index}]") for index, each in enumerate(node.value))

    def entry(self, node: Node, where: str) -> Entry:
        return Entry(settings=self.settings(node, where), line=node.line, field=self.called(where))

    def exclude(self, node: Node, where: str, axes: Mapping[str, tuple[Given, ...]]) -> Entry:
        patterns: dict[str, tuple[Given, ...]] = {}
        for key, each in self.mapping(node, where, "must be a mapping of axes").items():
            at = f"{where}.{key}"
            if key not in axes:
                what = f"is not an axis of the matrix{closest(key, axes)}; its axes: {', '.join(axes)}"
                self.wrong(each.line, at, what)
            elif key == "model":
                texts = each.value if isinstance(each.value, list) else [each]
                patterns[key] = tuple(self.pattern(one, at) for one in texts)
            else:
                patterns[key] = self.axis(self.known[key], each, at)
        if not patterns and not self.problems:
            self.wrong(node.line, where, "is empty, so it would exclude everything")
        return Entry(settings={}, patterns=patterns, line=node.line, field=self.called(where))

    def pattern(self, node: Node, where: str) -> Given:
        """A model in an exclude: a glob over its path, file name or name."""
        return Given(value=self.text(node, where), line=node.line, field=self.called(where))

    def settings(self, node: Node, where: str) -> Settings:
        found: Settings = {}
        for key, each in self.mapping(node, where, "must be a mapping of settings").items():
            at = f"{where}.{key}"
            setting = self.setting(key, each, at)
            if setting is None:
                continue
            if isinstance(each.value, list) and not setting.takes_list:
                self.wrong(each.line, at, "a list makes several runs: it belongs under matrix")
            else:
                found[key] = self.given(setting, each, at)
        return found

    def setting(self, key: str, node: Node, where: str, others: tuple[str, ...] = ()) -> Setting | None:
        found = self.known.get(key)
        if found is None or found.hidden:
            hint = (
                closest(key, [*(name for name, each in self.known.items() if not each.hidden), *others])
                or "; `bench_runner.py schema` lists them"
            )
            self.wrong(node.line, where, f"there is no such setting{hint}")
            return None
        return found

    def given(self, setting: Setting, node: Node, where: str) -> Given:
        """The setting's value; if it is invalid, None and a problem."""
        value: Any = None
        if setting.kind == "weights" and not self.weights(node, where):
            return Given(value=None, line=node.line, field=self.called(where))
        try:
            value = self.model(node, where) if setting.kind == "model" else read_value(setting, node.plain())
        except UsageError as error:
            self.wrong(node.line, where, _whole(error))
        found = Given(value=value, line=node.line, field=self.called(where))
        self.has_script = self.has_script or (setting.name == "script" and value is not None)
        if setting.name == "benchmark" and value is not None:
            self.benchmarks.append(found)
        if setting.name == "scorer" and value is not None:
            self.scorers.append(value)
        return found

    def weights(self, node: Node, where: str) -> bool:
        """Note which parts have weights. Whether they may be right; each wrong one of a mapping has its own line."""
        before = len(self.problems)
        pairs = node.value.items() if isinstance(node.value, dict) else ()
        for name, each in pairs:
            try:
                read_weight(name, each.plain())
            except UsageError as error:
                self.wrong(each.line, f"{where}.{name}", _whole(error))
            if PART_NAME.fullmatch(name):
                self.weighed.append((name, each.line, f"{where}.{name}"))
        if isinstance(node.value, str):
            with contextlib.suppress(UsageError):  # told when it is read
                self.weighed += [(name, node.line, where) for name in read_weights(expand(node.value))]
        return len(self.problems) == before

    def require_parts(self) -> None:
        """Check which parts have weights; a scorer anywhere in the manifest may give one."""
        known = known_parts(self.scorers)
        for name, line, where in self.weighed:
            if name not in known:
                self.wrong(line, where, no_such_part(name, known))

    def require_benchmarks(self) -> None:
        """Check the benchmarks' names. External scripts may use any name."""
        listed, choices = self.known["benchmark"].choices, self.known["benchmark"].every_choice
        for given in self.benchmarks if not self.has_script else ():
            if given.value not in choices and not is_suite_file(given.value):
                known = f"not one of {', '.join(listed)}{closest(given.value, choices)}"
                self.wrong(given.line, given.field, f"{given.value!r} is {known}")

    def model(self, node: Node, where: str) -> ModelChoice | None:
        if node.value is None:
            return None
        if isinstance(node.value, str):
            return ModelChoice(text=self.text(node, where))
        fields = self.mapping(node, where, "must be a text, or a mapping of path, name and overrides")
        for key, each in fields.items():
            if key not in MODEL_FIELDS:
                self.wrong(
                    each.line,
                    f"{where}.{key}",
                    f"there is no such field{closest(key, MODEL_FIELDS) or _known(MODEL_FIELDS)}",
                )
        if isinstance(node.value, dict) and "path" not in fields:
            self.wrong(node.line, where, "the model has no path")
        overrides = fields.get("overrides")
        chosen = self.settings(overrides, f"{where}.overrides") if overrides else {}
        if overrides and "model" in chosen:
            self.wrong(chosen["model"].line, f"{where}.overrides.model", "a model can't override itself")
        return ModelChoice(
            text=self.text(fields["path"], f"{where}.path") if "path" in fields else "",
            name=self.text(fields["name"], f"{where}.name") if "name" in fields else None,
            overrides=chosen,
        )

    def text(self, node: Node, where: str) -> str:
        try:
            if not isinstance(node.value, str):
                raise UsageError("must be a text")
            found = expand(node.value)
            if not found.strip():
                raise UsageError("is empty")
        except UsageError as error:
            self.wrong(node.line, where, _whole(error))
            return ""
        return found

    def flag(self, node: Node, where: str) -> bool:
        value = node.value
        if isinstance(value, str):
            value = {"true": True, "false": False}.get(self.text(node, where), value)
        if not isinstance(value, bool):
            self.wrong(node.line, where, "must be true or false")
        return value is True

    def mapping(self, node: Node, where: str, what: str) -> dict[str, Node]:
        if not isinstance(node.value, dict):
            self.wrong(node.line, where, what)
            return {}
        return node.value

    def items(self, node: Node | None, where: str) -> list[Node]:
        if node is None:
            return []
        if not isinstance(node.value, list):
            self.wrong(node.line, where, "must be a list")
            return []
        if not node.value and where == "runs":
            self.wrong(node.line, where, "is an empty list, so there would be no runs")
        return node.value


def _known(fields: Mapping[str, str]) -> str:
    return f"; known: {', '.join(fields)}"


def _whole(error: UsageError) -> str:
    return f"{error.message} ({error.hint})" if error.hint else error.message
