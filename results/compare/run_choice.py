"""Choose which of the recorded runs go into a table."""

from __future__ import annotations

import datetime as dt
import fnmatch
import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec

from results.errors import UsageError
from results.files import user_path
from results.records import RunStatus
from results.store.run_folder import all_records
from results.store.sweep_folder import SWEEPS, SweepFolder
from settings.benchmarks import BENCHMARKS
from settings.setting import Determines
from settings.suites import is_suite_file, shipped_suites, suite_facts
from settings.table import TABLE
from settings.values import closest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from results.records import RunRecord
    from results.store.reused_runs import ReusedRun
    from results.store.run_folder import RunFolder
    from results.store.run_store import RunStore

# Fields of the config that may differ between two runs of the same configuration.
_NOT_CONFIGURATION = {
    "path",
    "prompt",  # its file; prompt_sha256 says what is in it
    "nonce",
    "family_style",
    *(name for name, setting in TABLE.items() if setting.determines is Determines.NOTHING),
}
_OF_RACES = {"limit", "shuffle"}
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True)
class Choice:
    """Empty fields match any run. model: a pattern such as `*Q4*`, or part of the name. statuses: the effective ones: a
    run whose harness is dead counts as interrupted. every: include older runs of a configuration that was run again.
    archived: include archived runs. searches: include those of a better prompt, which have no score.
    """

    benchmarks: tuple[str, ...] = ()
    model: str = ""
    sweep_id: str = ""
    since: dt.datetime | None = None
    statuses: tuple[RunStatus, ...] = (RunStatus.SUCCEEDED,)
    every: bool = False
    archived: bool = False
    searches: bool = False


@dataclass(frozen=True)
class Chosen:
    """Oldest first. left_out: how many runs were left out, by reason, such as "failed" or "older"."""

    runs: tuple[tuple[RunFolder, RunRecord], ...]
    left_out: dict[str, int]


def choose_runs(
    results_dir: Path,
    choice: Choice,
    *,
    warn: Callable[[str], None],
    store: RunStore | None = None,
) -> Chosen:
    """Choose runs. One that can't be read is left out and reported to `warn`. store: of these runs, to read them from.

    Raises UsageError for a benchmark that nobody knows, NewerRecord, ResultsError.
    """
    names = tuple(
        suite_facts(user_path(name)).name if is_suite_file(name) else name for name in choice.benchmarks
    )
    choice = replace(choice, benchmarks=names)
    known = set(BENCHMARKS)
    models: set[str] = set()
    left_out: dict[str, int] = {}
    kept: list[tuple[RunFolder, RunRecord]] = []
    newest: dict[str, int] = {}
    reused = _reused(results_dir, choice)
    for folder, kept_record in all_records(results_dir, warn=warn) if store is None else store.records():
        record = _as_in_sweep(kept_record, reused, choice)
        known.add(record.benchmark)
        models.add(record.model)
        if not _asked_for(record, choice):
            continue
        if record.is_shard:  # a part of a result, also before the parts are merged
            left_out["shard"] = left_out.get("shard", 0) + 1
            continue
        if record.is_search and not choice.searches:
            left_out["search"] = left_out.get("search", 0) + 1
            continue
        if record.remarks.archived and not choice.archived:
            left_out["archived"] = left_out.get("archived", 0) + 1
            continue
        status = folder.effective_status(record)
        if choice.statuses and status not in choice.statuses:
            left_out[str(status)] = left_out.get(str(status), 0) + 1
            continue
        configuration = _configuration(record, in_sweep=bool(choice.sweep_id))
        shown = newest.get(configuration)
        if shown is None or not _has_kept_answers(record) or _has_kept_answers(kept[shown][1]):
            newest[configuration] = len(kept)
        kept.append((folder, record))
    for name in choice.benchmarks:
        if name not in known | shipped_suites().keys():
            hint = (
                closest(name, known | shipped_suites().keys()).removeprefix("; ")
                or f"one of {', '.join(sorted(known))}"
            )
            raise UsageError(f"there is no benchmark {name!r}, and no run of one", hint=hint)
    if choice.model and models and not any(_fits(model, choice.model) for model in models):
        meant = closest(choice.model, models).removeprefix("; ") or "see `bench_runner.py list`"
        raise UsageError(f"no run has a model that fits {choice.model!r}", hint=meant)
    if not choice.every:
        positions = set(newest.values())
        if len(kept) > len(positions):
            left_out["older"] = len(kept) - len(positions)
        kept = [run for position, run in enumerate(kept) if position in positions]
    return Chosen(tuple(kept), left_out)


def _reused(results_dir: Path, choice: Choice) -> dict[str, ReusedRun]:
    """The runs of others that the chosen sweep refers to, by id."""
    if not choice.sweep_id:
        return {}
    sweep = SweepFolder(results_dir.absolute() / SWEEPS / choice.sweep_id)
    return {run.run_id: run for run in sweep.reused.references().values()}


def _as_in_sweep(record: RunRecord, reused: Mapping[str, ReusedRun], choice: Choice) -> RunRecord:
    if record.run_id not in reused:
        return record
    seen = reused[record.run_id].as_seen(record)
    place = msgspec.structs.replace(seen.sweep, sweep_id=choice.sweep_id) if seen.sweep is not None else None
    return msgspec.structs.replace(seen, sweep=place)


def parse_since(text: str, now: dt.datetime, option: str = "--since") -> dt.datetime:
    """An ISO 8601 date or time (in this machine's zone unless it names one), or an age such as 90m, 12h, 7d, 2w.

    Raises UsageError.
    """
    while_ago = re.fullmatch(r"(\d{1,6})([mhdw])", text.strip())
    try:
        if while_ago:
            return now - dt.timedelta(**{_UNITS[while_ago[2]]: int(while_ago[1])})
        return dt.datetime.fromisoformat(text.strip()).astimezone(dt.UTC)
    except (ValueError, OverflowError) as error:
        raise UsageError(
            f"{option} {text!r} is not a time", hint="such as 2026-11-21, 2026-11-21T09:00, 12h or 7d"
        ) from error


def _has_kept_answers(record: RunRecord) -> bool:
    """Whether it knows no speed and no cost, because answers came out of the cache."""
    return record.score is not None and record.score.cached > 0


def _asked_for(record: RunRecord, choice: Choice) -> bool:
    if choice.benchmarks and record.benchmark not in choice.benchmarks:
        return False
    if choice.sweep_id and (record.sweep is None or record.sweep.sweep_id != choice.sweep_id):
        return False
    if choice.since is not None and dt.datetime.fromisoformat(record.timestamp) < choice.since:
        return False
    return not choice.model or _fits(record.model, choice.model)


def _fits(model: str, pattern: str) -> bool:
    name, wanted = model.lower(), pattern.lower()
    return fnmatch.fnmatchcase(name, wanted) or wanted in name


def _configuration(record: RunRecord, *, in_sweep: bool) -> str:
    """The same text for runs of the same configuration on the same kind of machine. In a sweep, the fingerprint."""
    place, model = record.sweep, record.model_identity
    if in_sweep and place is not None:
        return place.fingerprint
    without = _NOT_CONFIGURATION | (_OF_RACES if place is not None and place.race_result else set())
    gpus: Sequence[object] = record.host.get("gpus") or ()
    facts = {
        "benchmark": record.benchmark,
        "model": (model.sha256 if model is not None else None) or record.model,
        "config": {name: value for name, value in record.config.items() if name not in without},
        "reduced": [
            msgspec.structs.astuple(each) for each in (place.reductions if place is not None else ())
        ],
        "raced": place is not None and place.race_result is not None,
        "gpus": [gpu.get("name") for gpu in gpus if isinstance(gpu, dict)],
        "processor": record.host.get("processor"),
    }
    return json.dumps(facts, sort_keys=True, default=str)
