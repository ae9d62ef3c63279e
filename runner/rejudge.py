"""A finished run's verdicts again, from its answers and under today's rules: a run without a model or a server."""

from __future__ import annotations

import contextlib
import datetime as dt
import sys
import time
from typing import TYPE_CHECKING, Any

import msgspec

from parsers import registry
from parsers.contract import ScriptOutput, read_end
from results.errors import Interrupted, UsageError
from results.records import Phases, Remarks, Results, RunRecord, RunStatus
from results.store.continuing import to_continue
from runner.attempt import RAW_OUTPUT_BYTES
from runner.host import harness_facts
from runner.rerun import recorded_value
from runner.run import FinishedRun, as_ended
from runner.script.command import Script, option_words, suite_words
from runner.script.following import NothingToWatch, require_success, run_script
from settings.benchmarks import recorded_benchmark
from settings.secrets import without_secrets
from settings.setting import Section
from settings.suites import suite_identity
from settings.table import TABLE
from settings.verdict_rules import rules_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from results.store.run_folder import RunFolder
    from results.store.runs import RunEntry, Runs
    from runner.display import Display
    from settings.benchmarks import Benchmark

_PASSED_ON = {"as_published", "metrics"}  # beside the benchmark's own settings, and those of execution


def rejudge(
    name: str,
    runs: Runs,
    display: Display,
    held: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext,
    *,
    sandbox: str | None = None,
) -> FinishedRun:
    """Judge the answers of a run again, into a new one; of a rejudgement that was cut off, do the rest of it.

    name: what `RunFolder.find` takes. sandbox: another one. It is recorded like any run, and its error is in what is
    returned. Raises UsageError for a run that can't be judged again, and ResultsError.
    """
    runs.check()
    named = runs.find(name)
    earlier = named.before
    if earlier is not None and earlier.rejudged_from and earlier.status is not RunStatus.SUCCEEDED:
        parent, entry = runs.find(earlier.rejudged_from), named
    else:
        parent, entry = named, None
    before = _judgeable(parent)
    now = dt.datetime.now(dt.UTC)
    entry = entry or runs.new(before.benchmark, before.model, now)
    with entry.claim():
        command = _command(before, parent.folder, entry.folder, sandbox)
        record = _first_record(before, entry, now, command)
        error: BaseException | None = None
        entry.begin(record)
        display.say(f"run {entry.folder.run_id}")
        try:
            record = _judged(record, entry.folder, command, display)
        except BaseException as caught:  # noqa: BLE001 - recorded, then returned or raised again
            error = caught
        with held():
            entry.finish(as_ended(record, error))
    display.close()
    if error is not None and not isinstance(error, Exception | Interrupted):
        raise error
    return FinishedRun(entry.folder.read_record(), entry.folder, error)


def finished_whole(record: RunRecord | None, folder: RunFolder, *, instead: str) -> RunRecord:
    """The record, where all answers of a whole run are there, also if it was interrupted after it had its score, while
    the composite was computed. instead: what to do with a shard's run, a verb phrase.

    Raises UsageError.
    """
    if record is None:
        raise UsageError(f"{folder.run_id} has no record", hint="name another run; see `list`")
    status = folder.effective_status(record)
    answered = status is RunStatus.INTERRUPTED and record.score is not None
    if status is not RunStatus.SUCCEEDED and not answered:
        raise UsageError(
            f"{folder.run_id} did not finish (status: {status}), so its answers are not a fair selection",
            hint=f"finish it first: {to_continue(record)}",
        )
    if record.is_shard:
        raise UsageError(
            f"{folder.run_id} is the shard {record.config['shard']} of a run", hint=f"{instead}; see `list`"
        )
    return record


def _judgeable(entry: RunEntry) -> RunRecord:
    folder = entry.folder
    record = finished_whole(entry.before, folder, instead="judge the whole run again")
    if not str(record.config.get("script", "")).startswith("scripts."):
        raise UsageError(
            f"{folder.run_id} was made by an external script, which judged its answers in its own way",
            hint="only runs of the built-in benchmarks can be judged again",
        )
    if recorded_benchmark(record.benchmark, record.config) is None or not folder.completions.exists():
        raise UsageError(
            f"{folder.run_id} has no answers to judge: it has no {folder.completions.name}",
            hint="a benchmark of speed has none, nor has a search of a better prompt",
        )
    return record


def _command(record: RunRecord, parent: RunFolder, folder: RunFolder, sandbox: str | None) -> tuple[str, ...]:
    """What the script is told: where the answers are, and what of the run's settings bears upon verdicts."""
    words = ["--output", str(folder.path), "--rejudge", str(parent.path)]
    config = record.config | ({"sandbox": sandbox} if sandbox else {})
    for name, setting in TABLE.items():
        wanted = setting.is_own or setting.section is Section.JUDGING or name in _PASSED_ON
        if wanted and setting.knows_benchmark(record.benchmark) and config.get(name) is not None:
            words += option_words(setting, recorded_value(setting, config[name]))
    benchmark = _benchmark(record)
    return (sys.executable, "-m", benchmark.module, *words, *suite_words(benchmark))


def _benchmark(record: RunRecord) -> Benchmark:
    found = recorded_benchmark(record.benchmark, record.config)
    if found is None:
        raise AssertionError("only runs of our own benchmarks are judged again")
    return found


def _first_record(
    before: RunRecord, entry: RunEntry, now: dt.datetime, command: tuple[str, ...]
) -> RunRecord:
    """That of the run whose answers they are, but for what is of this one."""
    known = entry.before
    return msgspec.structs.replace(
        before,
        run_id=entry.folder.run_id,
        timestamp=known.timestamp if known else now.isoformat(timespec="seconds"),
        status=RunStatus.STARTED,
        config=before.config
        | rules_of(before.benchmark)._asdict()
        | suite_identity(_benchmark(before).suite),
        results=Results(),
        score=None,
        composite=None,
        phases=Phases(),
        script_command=without_secrets(command),
        harness=harness_facts(),
        telemetry=None,
        incidents=(),
        resumed=known.resumed + 1 if known else 0,
        rejudged_from=before.run_id,
        merged_from="",
        shards=(),
        remarks=known.remarks if known else Remarks(),
        sweep=None,
        error=None,
    )


def _judged(record: RunRecord, folder: RunFolder, command: tuple[str, ...], display: Display) -> RunRecord:
    began = time.monotonic()
    said_from = folder.script_out.stat().st_size if folder.script_out.exists() else 0
    script = Script.without_server(command, shown=record.script_command)

    def on_event(event: dict[str, Any]) -> None:
        if event["event"] == "progress":
            display.progress(event)

    ended = run_script(script, folder, NothingToWatch(), on_event=on_event)
    require_success(ended, folder, said_from=said_from, command=record.script_command)
    output = ScriptOutput.from_files(folder.script_out, folder.script_log, folder.path, exit_code=0)
    score = registry.get(_benchmark(record).parser).parse(output)
    seconds = round(time.monotonic() - began, 3)
    return msgspec.structs.replace(
        record,
        score=score,
        results=Results(
            score=score.score, time_taken=seconds, raw_output=read_end(folder.script_out, RAW_OUTPUT_BYTES)
        ),
        phases=Phases(script_s=round(ended.seconds, 3), execute_s=score.execute_s),
    )
