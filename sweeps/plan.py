"""Plan the runs of a manifest, in the order in which they run. Each is validated in the same way as by `run`."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from documents.problems import Problem
from engines.planned_run import PlannedRun
from engines.shared_server import server_key
from parsers import registry
from results.errors import BenchError, UsageError
from results.files import user_path
from runner.attached import with_provider
from runner.fingerprint import determining, digest
from settings.adapters import AdapterText, adapter_text
from settings.asked import Asked
from settings.metric_texts import metrics_below
from settings.optimising.rows import datasets_below
from settings.scoring.options import SCORING_SETTINGS
from settings.suites import is_suite_file
from settings.table import TABLE
from settings.variables import Filled, as_written, shown
from sweeps.combinations import Combinations, Wanted, place
from sweeps.manifest.problems import COMMAND_LINE, refuse
from sweeps.manifest.reader import TEST_MODE_SAMPLES
from sweeps.model_files import model_argument
from sweeps.shards import with_shards

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from runner.spec import RunSpec
    from settings.setting import Setting
    from sweeps.manifest.reader import Manifest, ModelChoice, Settings


# Settings that are a path or a name -> whether this is a path.
_OTHER_COMPOSITE = ", and has that one's composite score: `rescore` computes another"
_PATH_OR_NAME: Mapping[str, Callable[[str], bool]] = {
    "server_binary": lambda text: "/" in text,
    "parser": registry.is_file,
    "benchmark": is_suite_file,
    "kld_reference": lambda text: text.endswith(".gguf") and not text.startswith("hf:"),
}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """runs: what is to be done, with shards in the place of the runs that are split.
    notes: things that the user might not expect, as sentences without a full stop. changed: that of `plan_runs`.
    """

    runs: tuple[PlannedRun, ...]
    notes: tuple[str, ...] = ()
    changed: Asked | None = None

    @property
    def wholes(self) -> tuple[PlannedRun, ...]:
        """The runs that are done in shards, each once."""
        return tuple({id(run.whole): run.whole for run in self.runs if run.whole is not None}.values())

    @property
    def entries(self) -> tuple[PlannedRun, ...]:
        """What is to be done, and each run that is split before its first shard."""
        found: dict[int, PlannedRun] = {}
        for run in self.runs:
            for each in filter(None, (run.whole, run)):
                found.setdefault(id(each), each)
        return tuple(found.values())

    @property
    def results(self) -> tuple[PlannedRun, ...]:
        """What comes of it: a run that is split once, and none of its shards."""
        return tuple(run for run in self.entries if run.whole is None)

    def shards(self, whole: PlannedRun) -> tuple[PlannedRun, ...]:
        """The shards of one of `wholes`, in their order."""
        return tuple(run for run in self.runs if run.whole is whole)


def plan_runs(
    manifest: Manifest,
    *,
    changed: Asked | None = None,
    table: Mapping[str, Setting] = TABLE,
    ask_scripts: bool = True,
) -> Plan:
    """All runs, grouped by model and then by server configuration, otherwise in the manifest's order.

    changed: settings that override the manifest's in every run. ask_scripts: as in `build_spec`.
    Raises UsageError with all errors and their lines. Starts nothing; may fetch models (`hf:`).
    """
    combinations = Combinations(manifest)
    wanted = combinations.wanted()
    planner = _Planner(manifest, table, changed.given if changed else {}, ask_scripts=ask_scripts)
    planner.problems += combinations.problems
    planner.notes += combinations.notes
    lines = [(run, each.line) for each in wanted if (run := planner.plan(each)) is not None]
    refuse(manifest.name, planner.problems)
    if not lines:
        refuse(manifest.name, [Problem(None, "", "no runs are left: everything is excluded")])
    planned = planner.without_repeated(lines)
    by_model = _first_places(_model_key(run) for run in planned)
    by_group = _first_places(run.group for run in planned)
    planned.sort(key=lambda run: (by_model[_model_key(run)], by_group[run.group]))  # stable
    labels = _labels(planned)
    named = [dataclasses.replace(run, label=label) for run, label in zip(planned, labels, strict=True)]
    runs = tuple(dataclasses.replace(run, index=index) for index, run in enumerate(with_shards(named)))
    return Plan(runs=runs, notes=tuple(planner.notes), changed=changed)


def require_a_chance(plan: Plan) -> None:
    """Raise UsageError if no run can start, as with a misspelt model."""
    errors = [run.error for run in plan.runs if run.error is not None]
    if errors and len(errors) == len(plan.runs):
        of_all = f"none of the {len(errors)} runs can start: " if len(errors) > 1 else ""
        raise UsageError(f"{of_all}{errors[0].message}", hint=errors[0].hint, settings=errors[0].settings)


class _Planner:
    def __init__(
        self,
        manifest: Manifest,
        table: Mapping[str, Setting],
        changed: Mapping[str, Any],
        *,
        ask_scripts: bool,
    ) -> None:
        self.manifest = manifest
        self.table = table
        self.changed = changed
        self.ask_scripts = ask_scripts
        self.problems: list[Problem] = []
        self.notes: list[str] = []
        self.launches: dict[str, Mapping[str, Any] | UsageError] = {}

    def plan(self, wanted: Wanted) -> PlannedRun | None:
        """The planned run; None if there are errors, which are then in `problems`."""
        given = {name: each for name, each in wanted.settings.items() if each.value is not None}
        if "benchmark" not in given:
            names = ", ".join(self.table["benchmark"].choices)
            give = "--benchmark NAME" if self.manifest.name == COMMAND_LINE else "`benchmark: NAME`"
            hint = f"give {give}, one of {names}"
            self.problems.append(Problem(wanted.line, wanted.field, "has no benchmark", hint))
            return None
        choice: ModelChoice | None = given["model"].value if "model" in given else None
        try:
            asked = with_provider(self.asked(given))
        except UsageError as error:
            self.blame(error, given, wanted)
            return None
        try:
            if choice and not _runs_already(asked):
                folder = self.manifest.folder
                asked = asked.but(model=_seen_from(folder, choice.text, model_argument(choice.text, folder)))
        except UsageError as error:
            return _broken(asked, error)
        spec = None if self.holds_a_key(asked, given) else self.spec(asked, given, wanted)
        if spec is None:
            return None
        if choice and choice.name and spec.server.model:
            model = dataclasses.replace(spec.server.model, name=choice.name)
            spec = spec.with_server(dataclasses.replace(spec.server, model=model))
        group = server_key(spec.server)
        return PlannedRun(
            index=0,
            label="",
            asked=spec.asked,
            spec=spec,
            group=group,
            needs=self.launch(spec, group, given, wanted),
        )

    def holds_a_key(self, asked: Asked, given: Settings) -> bool:
        """Whether a value holds a key, which is a problem because the sweep's folder keeps the manifest."""
        recorded = asked.recorded()
        found = [
            each
            for name, each in given.items()
            if self.table[name].may_hold_secret and recorded[name] != as_written(asked[name])
        ]
        what = "holds a key, and a sweep keeps its manifest on disk; write ${NAME} for it"
        self.problems += [Problem(each.line, each.field, what) for each in found]
        return bool(found)

    def asked(self, given: Settings) -> Asked:
        found: dict[str, Any] = {}
        for name, each in given.items():
            kind, value = self.table[name].kind, each.value
            if kind == "path" or (name in _PATH_OR_NAME and _PATH_OR_NAME[name](value)):
                value = _below(self.manifest.folder, value)
            elif kind == "model":
                value = value.text
            elif name == "metrics" and value is not None:
                value = metrics_below(self.manifest.folder, value)
            elif name == "datasets" and value is not None:
                value = datasets_below(self.manifest.folder, value)
            elif kind == "adapters" and value is not None:
                value = tuple(_adapter_below(self.manifest.folder, text) for text in value)
            found[name] = value
        if "seed" not in found and self.manifest.seed is not None:
            found["seed"] = self.manifest.seed.value
        if self.manifest.test_mode:
            found["limit"] = min(found.get("limit") or TEST_MODE_SAMPLES, TEST_MODE_SAMPLES)
        if "model" not in found and not _runs_already(found):
            found["model"] = "demo"
        return Asked({**found, **self.changed}, self.table)

    def spec(self, asked: Asked, given: Settings, wanted: Wanted) -> RunSpec | None:
        from runner.request import build_spec

        try:
            return build_spec(asked, ask_scripts=self.ask_scripts)
        except BenchError as error:  # may come from a benchmark's script that checks its data
            self.blame(error, given, wanted)
            return None

    def launch(self, spec: RunSpec, group: str, given: Settings, wanted: Wanted) -> Mapping[str, Any]:
        """The settings that the server is asked for. If its command line is impossible, that is a problem."""
        from servers.launch import plan
        from servers.request import require_known

        if group not in self.launches:
            try:
                if spec.server.kind == "attach":
                    require_known(spec.server)
                    self.launches[group] = {}
                else:  # the port needn't be free yet
                    self.launches[group] = plan(dataclasses.replace(spec.server, port=None), nonce="0").asked
            except UsageError as error:
                self.launches[group] = error
        found = self.launches[group]
        if isinstance(found, UsageError):
            self.blame(found, given, wanted)
            return {}
        return found

    def blame(self, error: BenchError, given: Settings, wanted: Wanted) -> None:
        """Add the error as a problem of the first given setting that it is about, or of the run."""
        more = error.hint or error.log_tail.strip().rpartition("\n")[2]
        what = f"{error.message} ({more})" if more else error.message
        at = next((given[name] for name in error.settings if name in given), wanted)
        self.problems.append(Problem(at.line, at.field, what))

    def without_repeated(self, lines: Sequence[tuple[PlannedRun, int | None]]) -> list[PlannedRun]:
        """The runs without those that repeat an earlier one."""
        kept: dict[str, tuple[PlannedRun, int | None]] = {}
        for run, line in lines:
            model = run.spec.server.model if run.spec else None
            facts = (
                determining(run.spec, model=str(model.path or model.name) if model else None)
                if run.spec
                else {}
            )
            key = digest(facts or {"error": True, **run.asked.written()})
            first, first_line = kept.setdefault(key, (run, line))
            if first is not run:
                where, there = (place(self.manifest, each) for each in (line, first_line))
                said = f"{where}: the same run is already listed ({there}); it runs only once"
                self.notes.append(said + _OTHER_COMPOSITE * _scored_otherwise(run, first))
        return [run for run, _ in kept.values()]


def _scored_otherwise(run: PlannedRun, other: PlannedRun) -> bool:
    """Composite scores make no other run."""
    return any(run.asked[setting.name] != other.asked[setting.name] for setting in SCORING_SETTINGS)


def _model_key(run: PlannedRun) -> str:
    return str(run.asked["model"] or run.asked["base_url"])


def _broken(asked: Asked, error: UsageError) -> PlannedRun:
    group = digest({"model": asked["model"]})[:12]
    return PlannedRun(index=0, label="", asked=asked, spec=None, group=group, needs={}, error=error)


def _runs_already(asked: Mapping[str, Any]) -> bool:
    return bool(asked.get("base_url") or asked.get("provider")) or asked.get("server") in {
        "attach",
        "provider",
    }


def _below(folder: Path, text: str) -> str:
    """The path relative to the manifest's folder."""
    return _seen_from(folder, text, str(user_path(text, folder)))


def _adapter_below(folder: Path, text: str) -> str:
    given = adapter_text(text)
    if given.scale is not None and user_path(text, folder).exists():
        return str(user_path(text, folder))
    return AdapterText(str(user_path(given.file, folder)), given.scale).written


def _seen_from(folder: Path, text: str, path: str) -> str:
    """The path, with a written form (variables by name) that means the same from any folder."""
    if not isinstance(text, Filled):
        return path
    is_whole = path == text or user_path(text).is_absolute()
    return Filled(path, text.written if is_whole else f"{as_written(str(folder))}/{text.written}")


def _first_places(keys: Iterable[str]) -> dict[str, int]:
    return {key: place for place, key in enumerate(dict.fromkeys(keys))}


def _labels(runs: Sequence[PlannedRun]) -> list[str]:
    """A label for each run: the model's name, the benchmark, and the settings that differ between runs."""
    names = [name for name in runs[0].asked if name not in {"model", "benchmark"}] if runs else []
    varying = [name for name in names if len({str(run.asked[name]) for run in runs}) > 1]
    names_of = {setting: _file_names(run.asked[setting] for run in runs) for setting in varying}
    found: list[str] = []
    alike: Counter[str] = Counter()  # of each label, those that are equal or differ in a number only
    for run in runs:
        model = run.spec.server.model if run.spec else None
        named = run.spec.server.model_name if run.spec and run.spec.server.provider else None
        asked = run.asked["model"]
        elsewhere = Path(str(asked)).stem if asked else _address(str(run.asked["base_url"]))
        name = model.name if model else named or elsewhere
        words = [name, _benchmark_of(run)]
        for setting in varying:
            value = run.asked[setting]
            if value not in {None, ()}:
                words.append(f"{setting}={_shown(value, names_of[setting])}")
        label = " ".join(words)
        if same := alike[label]:
            label = f"{label} #{same + 1}"
        found.append(label)
        alike.update([label, *(label[: sign.start()] for sign in re.finditer(" #", label))])
    return found


def _benchmark_of(run: PlannedRun) -> str:
    """Its name, which a suite's file says."""
    return run.spec.benchmark.name if run.spec else str(run.asked.get("benchmark") or "")


def _address(url: str) -> str:
    """Host, port and path: the path alone says nothing, since most end alike."""
    return url.partition("://")[2].rstrip("/") or url


def _file_names(values: Iterable[Any]) -> Counter[str]:
    """How many different values have the same last part, as paths."""
    return Counter(text.rpartition("/")[2] for text in {str(value) for value in values})


def _shown(value: Any, file_names: Counter[str]) -> str:
    """The value for a label: the last part of a path if that is unambiguous; variables by name."""
    if isinstance(value, tuple):
        return " ".join(shown(word).rpartition("/")[2] if word[:1] == "/" else shown(word) for word in value)
    if isinstance(value, Filled):
        return value.written
    text = str(value)
    if "://" in text:
        return _address(text)
    name = text.rpartition("/")[2]
    return text if not name or file_names[name] > 1 else name
