"""Find a finished run that a new one would only repeat.

Reused is a run of this machine that succeeded and lost no answer, with the same fingerprint, of this version of the
program, judged by today's rules, on a server whose program has not changed since. A server that was already running may
serve something else by now, so its runs are not reused; nor are those compared with a run by its name, archived,
damaged and merged ones, and runs whose settings were lowered after memory ran out. Where answers are compared sample by
sample, which leaves lost ones out, a run that lost a few may be reused too.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import TYPE_CHECKING, Any

from results.errors import BenchError, ParseError
from results.records import RunStatus
from results.stats.lost_answers import too_many_lost
from results.store.run_folder import all_records
from results.store.verdicts import read_verdicts
from runner.asked_style import decided_alone
from runner.host import harness_facts, host_facts
from runner.kld.way import names_model
from runner.program_age import changed_s
from servers.launch import plan as make_plan
from servers.models import identity
from settings.verdict_rules import FIRST, rules_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from results.records import RunRecord
    from results.store.run_folder import RunFolder
    from runner.spec import RunSpec

_HOST = ("hostname", "processor", "gpus")
_TIMESTAMP_S = 1.0  # an older record says only when it began, in whole seconds


class FinishedRuns:
    """The finished runs of a results folder that may stand for new ones. Reads each record once.

    race_seed: also runs of races with that order of samples, stopped early or not. lossy: also runs that lost answers,
    but not too many (`too_many_lost`). warn: called for records that can't be read. Raises NewerRecord, ResultsError.
    """

    def __init__(
        self,
        results_dir: Path,
        *,
        warn: Callable[[str], None],
        race_seed: int | None = None,
        lossy: bool = False,
    ) -> None:
        self._race_seed = race_seed
        self._by_kind: dict[object, list[tuple[RunFolder, RunRecord]]] = {}
        self._facts: tuple[dict[str, Any], dict[str, Any]] | None = None
        for folder, record in all_records(results_dir, warn=warn):
            if _may_be_reused(record, lossy=lossy):
                self._by_kind.setdefault(_kind(record), []).append((folder, record))

    def find(
        self, spec: RunSpec, fingerprint: Callable[[], str], *, alone: bool = False
    ) -> tuple[RunFolder, RunRecord] | None:
        """The newest run that this one would repeat. Otherwise like `each`."""
        return next(self.each(spec, fingerprint, alone=alone), None)

    def each(
        self, spec: RunSpec, fingerprint: Callable[[], str], *, alone: bool = False
    ) -> Iterator[tuple[RunFolder, RunRecord]]:
        """The runs that this one would repeat, newest first. fingerprint: called only if there may be one, because it
        reads the model's files the first time. alone: only runs whose prompt style no other model of a sweep decided.
        """
        if spec.server.is_running or _names_a_run(spec):
            return
        candidates = self._by_kind.get(_kind_of(spec), [])
        candidates = [run for run in candidates if self._is_of_today(run[1]) and _same_rules(run[1], spec)]
        if not candidates:
            return
        name = fingerprint()
        for folder, record in reversed(candidates):
            if alone and not decided_alone(record):
                continue
            if (
                self._stands_for(record, name, spec)
                and _same_program(record, spec)
                and _is_whole(folder, record)
            ):
                yield folder, record

    def is_current(self, record: RunRecord, spec: RunSpec) -> bool:
        """Whether the run, finished or not, is of this program on this machine, judged by today's rules, on a server
        whose program has not changed since it began. Never known of a server that was already running, or a provider's.
        """
        return (
            not spec.server.is_running
            and self._is_of_today(record)
            and _same_rules(record, spec)
            and _same_program(record, spec)
        )

    def _is_of_today(self, record: RunRecord) -> bool:
        """Whether it is of this program on this machine."""
        if self._facts is None:
            self._facts = harness_facts(), host_facts()
        harness, host = self._facts
        return record.harness == harness and all(record.host.get(name) == host[name] for name in _HOST)

    def _stands_for(self, record: RunRecord, fingerprint: str, spec: RunSpec) -> bool:
        place = record.sweep
        if self._race_seed is None:
            return record.fingerprint == fingerprint
        if place is not None and place.race_result is not None:
            return place.fingerprint == fingerprint and record.config.get("shuffle") == self._race_seed
        # A race takes its samples in another order: a run of the first ones has others.
        return record.fingerprint == fingerprint and spec.asked["limit"] is None


def _names_a_run(spec: RunSpec) -> bool:
    """Whether a setting is the name of a run, which may name another one by now."""
    reference = spec.asked["kld_reference"]
    return reference is not None and not names_model(reference)


def _may_be_reused(record: RunRecord, *, lossy: bool) -> bool:
    score = record.score
    lost = score is None or score.lost > 0
    if lossy and score is not None:
        lost = too_many_lost(score.lost, score.completions or 0)
    elsewhere = record.remarks.archived or bool(record.rejudged_from)
    reduced = record.sweep is not None and bool(record.sweep.reductions)
    return (
        record.status is RunStatus.SUCCEEDED
        and bool(record.fingerprint)
        and not (lost or elsewhere or reduced)
    )


def _kind(record: RunRecord) -> tuple[object, ...]:
    model = record.model_identity
    return (record.benchmark, record.config.get("server"), model.size_bytes if model else None)


def _kind_of(spec: RunSpec) -> tuple[object, ...]:
    try:
        size_bytes = identity(spec.server.model).size_bytes if spec.server.model else None
    except BenchError:
        size_bytes = None
    return (spec.benchmark.name, spec.server.kind, size_bytes)


def _same_rules(record: RunRecord, spec: RunSpec) -> bool:
    if spec.external_script is not None:
        return True
    today = rules_of(spec.benchmark.name)._asdict()
    return all(record.config.get(name, FIRST._asdict()[name]) == number for name, number in today.items())


def _same_program(record: RunRecord, spec: RunSpec) -> bool:
    """Whether the server would be the same program, unchanged since the run began."""
    try:
        plan = make_plan(dataclasses.replace(spec.server, port=None), nonce="0")  # the port needn't be free
        began = dt.datetime.fromisoformat(record.timestamp).timestamp()
    except (BenchError, ValueError):
        return False
    changed = changed_s(plan)
    if record.server is None or record.server.command[:1] != plan.shown[:1] or changed is None:
        return False
    if record.server.program_changed_s is not None:
        return changed == record.server.program_changed_s
    return changed < began + _TIMESTAMP_S


def _is_whole(folder: RunFolder, record: RunRecord) -> bool:
    """Whether a verdict is there for each completion that it counts. Runs of other kinds have none."""
    score = record.score
    if record.config.get("parser") != "summary" or score is None or score.completions is None:
        return True
    try:
        verdicts, unreadable = read_verdicts(folder.completions)
    except (OSError, ParseError):
        return False
    return not unreadable and len(verdicts) >= score.completions
