"""The finished runs that may be the baseline of a watch: the same settings, whatever the build."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from results.errors import NotComparable
from results.files import user_path
from results.records import RunStatus
from results.store.run_folder import all_records
from settings.setting import Determines
from settings.table import TABLE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from results.records import RunRecord
    from results.store.run_folder import RunFolder
    from runner.spec import RunSpec

    Run = tuple[RunFolder, RunRecord]

CHOICE = ("limit", "shuffle")  # of samples
_NO_BUILD = (None, "", "b0-unknown")  # the last one is llama.cpp without its repository
_FOLLOWING = {"parallel", "ctx_size"}  # a record has them also if they were not given
_MAY_DIFFER = {*CHOICE, "server_binary", "benchmark", "model", "sandbox"}


@dataclass(frozen=True, kw_only=True)
class StoredRuns:
    """spec: the run that is watched. warn: called for records that can't be read."""

    results_dir: Path
    spec: RunSpec
    warn: Callable[[str], None]

    def finished(self) -> list[Run]:
        """With these settings, of any build and any choice of samples, oldest first. Raises NewerRecord."""
        return [
            (folder, record)
            for folder, record in all_records(self.results_dir, warn=self.warn)
            if record.status is RunStatus.SUCCEEDED
            and record.benchmark == self.spec.benchmark.name
            and record.score is not None
            and not (record.remarks.archived or record.rejudged_from)
            and (record.sweep is None or record.sweep.race_result is None)
            and not self.differing(record)
        ]

    def with_companion(self, run: Run) -> list[Run]:
        """The run, and the newest other one of the same build and samples, if there is one.

        The build is what the server says; where it doesn't, or has no number, no other run is known to be of it.
        """
        told = run[1].server.effective.get("build") if run[1].server is not None else None
        if told in _NO_BUILD:
            return [run]
        others = [
            other
            for other in self.finished()
            if other[0].run_id != run[0].run_id
            and _build(other[1]) == _build(run[1])
            and same_samples(other[1], run[1].config)
        ]
        return [run, *others[-1:]]

    def require_same(self, run: Run) -> None:
        """Raise NotComparable if this can't be the baseline."""
        folder, record = run
        if folder.effective_status(record) is not RunStatus.SUCCEEDED or record.score is None:
            raise NotComparable(
                f"the baseline {folder.run_id} did not finish", hint="name another run; see `list`"
            )
        if record.benchmark != self.spec.benchmark.name:
            raise NotComparable(
                f"the baseline {folder.run_id} is a run of {record.benchmark}, not of {self.spec.benchmark.name}",
                hint=f"give --benchmark {record.benchmark}",
            )
        if differing := self.differing(record):
            raise NotComparable(
                f"the baseline {folder.run_id} has other settings: {', '.join(differing)}",
                hint="give the same ones as the baseline had: `show RUN --json` has them in `config`",
            )

    def differing(self, record: RunRecord) -> list[str]:
        """Names of the settings that differ, the build and the choice of samples aside."""
        ours, theirs = self.spec.config(), record.config
        differing = [
            name
            for name, setting in TABLE.items()
            if setting.determines is not Determines.NOTHING
            and name not in _MAY_DIFFER
            and _plain(ours.get(name)) != _plain(theirs.get(name))
            and not (name in _FOLLOWING and ours.get(name) is None)
        ]
        if not self._same_model(record):
            differing.append("model")
        return differing

    def _same_model(self, record: RunRecord) -> bool:
        """Whether it is the model of that place, whatever its content is now."""
        model = self.spec.server.model
        if model is None:
            return True
        if model.path is not None and model_place(self.spec) == str(model.path.absolute()):
            kept = record.model_identity
            return kept is not None and kept.path == str(model.path.absolute())
        return record.model == model.name

    def samples_there(self) -> int | None:
        """The number of samples of the benchmark, if a run has found it out."""
        for _, record in reversed(all_records(self.results_dir, warn=lambda _: None)):
            if record.benchmark == self.spec.benchmark.name and record.score is not None:
                there = record.score.details.get("samples_there")
                if isinstance(there, int):
                    return there
        return None


def model_place(spec: RunSpec) -> str | None:
    """Where the model is kept, by which it is known when its content changes: its file, or the name that it is fetched
    by, because another revision of that is another file. None without a model.
    """
    model = spec.server.model
    if model is None:
        return None
    text = str(spec.asked["model"] or "demo")
    return str(model.path.absolute()) if model.path is not None and user_path(text).exists() else text


def same_samples(record: RunRecord, config: dict[str, object]) -> bool:
    """Whether a run was asked for the same choice of samples."""
    return all(record.config.get(name) == config.get(name) for name in CHOICE)


def _build(record: RunRecord) -> tuple[object, ...]:
    """What runs of one build on one machine have in common."""
    model, server = record.model_identity, record.server
    return (
        server.command[:1] if server is not None else (),
        server.effective.get("build") if server is not None else None,
        model.sha256 if model is not None else None,
        str(record.host.get("gpus")),
        record.host.get("hostname"),
    )


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
