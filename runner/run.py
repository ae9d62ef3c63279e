"""One run from start to end: first record, server, script, parser, last record, run log."""

from __future__ import annotations

import contextlib
import datetime as dt
import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from parsers import registry
from results.errors import (
    BenchError,
    CapReached,
    Interrupted,
    RateLimited,
    Reported,
    ResumeMismatch,
    UsageError,
)
from results.open_files import too_many
from results.records import ErrorRecord, Remarks, RunRecord, RunStatus, ServerFacts
from results.stats.machines import with_host
from results.store.continuing import in_harness, to_continue
from runner.asked_style import with_style
from runner.attempt import Attempt
from runner.host import harness_facts, host_facts
from runner.program_age import changed_s
from runner.resume import require_same
from runner.room import require_memory
from runner.scoring.asked import ScoringAsked
from runner.serving import OwnServer

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from results.store.family_styles import StyleClaim
    from results.store.run_folder import RunFolder
    from results.store.runs import Runs
    from results.sweep_place import SweepPlace
    from runner.display import Display
    from runner.kld.choice import KldChoice
    from runner.scoring.baseline import Baseline
    from runner.script.standby import Standby
    from runner.serving import Serving
    from runner.spec import RunSpec
    from servers.models import Model
    from servers.plan import LaunchPlan

T = TypeVar("T")


class FinishedRun(msgspec.Struct, frozen=True):
    """A run that is recorded in its folder and in the run log. error: why it did not succeed, or None."""

    record: RunRecord
    folder: RunFolder
    error: Exception | Interrupted | None


def run(
    spec: RunSpec,
    runs: Runs,
    display: Display,
    held: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext,
    *,
    resume: str | None = None,
    serving: Serving | None = None,
    place: SweepPlace | None = None,
    label: str = "",
    style: StyleClaim | None = None,
    standby: Standby | None = None,
) -> FinishedRun:
    """Do the run. If it fails or is interrupted, it is recorded as such, and the result has the error.

    runs: where it is kept. held: makes a block in which signals wait. resume: the id (or its beginning) of an earlier
    run to continue, which keeps its label. serving: provides the server; None means that the run has its own. place:
    the run's place in a sweep. label: what the user calls a new run. style: in which style the model's family
    is asked. standby: the benchmark's program, if it is loading already. Raises BenchError for errors found before the
    run begins, and ResultsError if its record can't be written. Raises Interrupted for a signal after the run itself
    has ended; the record then says how it ended, but may lack the model's hash. However this ends, server and script
    are gone by then.
    """
    harness = _in_background(harness_facts)  # asks git, which takes as long as what stands below
    parser = registry.get(spec.parser)
    runs.check()
    earlier = runs.find(resume) if resume else None
    before = earlier.before if earlier else None
    if before is not None and before.rejudged_from:
        raise UsageError(
            f"{before.run_id} asked no model: it judges the answers of {before.rejudged_from} again",
            hint=f"to continue it: rejudge {before.run_id}",
        )
    if before is not None and before.shards and before.status is not RunStatus.SUCCEEDED:
        raise UsageError(
            f"{before.run_id} asked no model: it is merged of {len(before.shards)} shards",
            hint=f"to continue it, {to_continue(before)}",
        )
    kld = _kld_choice(spec, runs)
    scoring = None if spec.asked["shard"] else ScoringAsked.of(spec.asked)
    baseline = _baseline(scoring, runs, required=place is None)
    serving = serving or OwnServer()
    plan = serving.plan(spec.server, nonce=place.nonce if place else _nonce(before))
    if place is None:  # a sweep warns before it starts, and records what fails
        require_memory(spec.server, plan)
    now = dt.datetime.now(dt.UTC)
    entry = earlier or runs.new(spec.benchmark.name, _model_name(plan), now)
    folder = entry.folder
    with entry.claim():
        hashing = _hashing(spec.server.model) if spec.server.model else None
        record = _first_record(spec, plan, folder, now, before, harness=harness)
        record = msgspec.structs.replace(
            record, sweep=place or (before.sweep if before else None), remarks=Remarks(label=label)
        )
        if before is not None:
            if plan.model is not None and hashing is not None:
                known = msgspec.structs.replace(plan.model, sha256=_awaited(hashing, display))
                record = msgspec.structs.replace(record, model_identity=known)
            require_same(before, record)
        record = with_style(record, style.known if style is not None else None)
        attempt = Attempt(
            spec, plan, entry, record, display, serving=serving, style=style, kld=kld, standby=standby
        )
        begun = succeeded = False
        error: BaseException | None = None  # why it did not succeed
        late: BaseException | None = None  # raised after it had already succeeded or failed
        with contextlib.ExitStack() as closing:
            try:
                try:
                    entry.begin(record)
                    begun = True
                    display.say(f"run {folder.run_id}")
                    attempt.measure()
                    attempt.score(parser)
                    succeeded = True
                except BaseException as caught:  # noqa: BLE001 - recorded, then returned or raised again
                    error = too_many(caught) or caught
                attempt.note_telemetry()
                identified = False
                if succeeded and scoring is not None:
                    if identified := hashing is None or hashing.done():  # kept, however the scoring ends
                        _note_identity(attempt, hashing, display)
                    try:
                        attempt.note_composite(scoring, baseline)
                    except Interrupted as caught:  # what is measured is kept, and goes on like the run
                        error, succeeded = caught, False
                if succeeded and not identified:
                    _note_identity(attempt, hashing, display)
                elif hashing is not None and hashing.done() and not identified:
                    _note_hash(attempt, hashing, display)
                closing.enter_context(held())
            except BaseException as caught:  # noqa: BLE001 - likewise; while it lives, no other signal is raised
                if succeeded or error is not None:
                    late = caught
                else:
                    error = caught
            if error is not None and not begun:
                raise error
            if before is not None and isinstance(error, ResumeMismatch):  # the run has not changed
                entry.withdraw()
                raise error
            final = entry.finish(as_ended(attempt.record, error))
    display.close()
    if late is not None:
        raise late
    if error is not None and not isinstance(error, Exception | Interrupted):
        raise error
    return FinishedRun(final, folder, error)


def _kld_choice(spec: RunSpec, runs: Runs) -> KldChoice | None:
    """What a run of kld is compared with; None for other benchmarks. Raises UsageError, ResultsError."""
    if spec.benchmark.name != "kld" or spec.external_script is not None or spec.server.perplexity:
        return None
    from runner.kld.choice import choose

    return choose(spec, runs)


def _baseline(scoring: ScoringAsked | None, runs: Runs, *, required: bool) -> Baseline | None:
    """What the speed is compared with; None if nothing is. required: whether it must be here, else the run goes on
    without. Raises UsageError.
    """
    if scoring is None or scoring.baseline is None:
        return None
    from runner.scoring.baseline import find_baseline

    try:
        return find_baseline(scoring.baseline, runs)
    except UsageError:
        if required:
            raise
        return None  # of a sweep, on another machine: `rescore` knows it where the results are


def _first_record(
    spec: RunSpec,
    plan: LaunchPlan,
    folder: RunFolder,
    now: dt.datetime,
    before: RunRecord | None,
    *,
    harness: Future[dict[str, Any]],
) -> RunRecord:
    name = _model_name(plan)
    began_with = changed_s(plan)
    if before is not None:
        began_with = before.server.program_changed_s if before.server is not None else None
    record = RunRecord(
        run_id=folder.run_id,
        timestamp=now.isoformat(timespec="seconds"),
        status=RunStatus.STARTED,
        benchmark=spec.benchmark.name,
        model=name,
        config={
            **spec.config(),
            **plan.asked,
            **({"port": plan.base_url.port, "nonce": _nonce_of(plan)} if plan.has_server else {}),
        },
        model_identity=plan.model,
        draft_identity=plan.draft,
        server=ServerFacts(
            kind=plan.kind,
            command=plan.shown,
            url=plan.asked_at.url if plan.asked_at else "",
            asked=plan.asked,
            program_changed_s=began_with,
        ),
        host=host_facts(),
        harness=harness.result(),
    )
    if before is None:
        return record
    return msgspec.structs.replace(
        record,
        timestamp=before.timestamp,
        resumed=before.resumed + 1,
        earlier_hosts=with_host(before.earlier_hosts, before.host, record.host)
        if _has_answers(folder)
        else before.earlier_hosts,
        incidents=before.incidents,
        shards=before.shards,
        results=msgspec.structs.replace(record.results, time_taken=before.results.time_taken),
    )


def _has_answers(folder: RunFolder) -> bool:
    try:
        return folder.completions.stat().st_size > 0
    except OSError:
        return False


def _model_name(plan: LaunchPlan) -> str:
    return plan.model.name if plan.model else (plan.model_name or "server")


def _nonce(before: RunRecord | None) -> str:
    """The ending of the model's name at the server. A resumed run keeps it, so that the script finds the same name."""
    kept = before.config.get("nonce") if before else None
    return kept if isinstance(kept, str) and kept else f"{time.time_ns() & 0xFFFF:04x}"


def _nonce_of(plan: LaunchPlan) -> str:
    return (plan.model_name or "").rpartition("-")[2]


def _hashing(model: Model) -> Future[str | None]:
    """The hash of its files, while the server loads."""
    from servers.models import content_sha256

    return _in_background(lambda: content_sha256(model))


def _in_background(function: Callable[[], T]) -> Future[T]:
    """Call the function in a daemon thread, so that it doesn't block exiting, however long it takes."""
    future: Future[T] = Future()

    def work() -> None:
        try:
            future.set_result(function())
        except BaseException as error:  # noqa: BLE001 - raised again by result()
            future.set_exception(error)

    threading.Thread(target=work, name="in the background", daemon=True).start()
    return future


def _awaited(hashing: Future[str | None], display: Display) -> str | None:
    """Wait for the hash, which for a large model can take minutes. A signal ends the wait. Raises UsageError."""
    if not hashing.done():
        display.say("waiting for the hash of the model's file")
    return hashing.result()


def _note_identity(attempt: Attempt, hashing: Future[str | None] | None, display: Display) -> None:
    """By what a run that has all its answers is known again."""
    if hashing is not None:
        _note_hash(attempt, hashing, display)
    attempt.note_fingerprint()


def _note_hash(attempt: Attempt, hashing: Future[str | None], display: Display) -> None:
    try:
        attempt.note_hash(_awaited(hashing, display))
    except BenchError as error:
        display.say(f"note: the model's hash is missing from the record: {error.message}")
    except Interrupted as interrupted:
        interrupted.hint = (
            f"the run has ended and is recorded, without the model's hash: show {attempt.record.run_id}"
        )
        raise


def as_ended(record: RunRecord, error: BaseException | None) -> RunRecord:
    """The record with its status and error, whose hint says which command goes on."""
    if error is None:
        return msgspec.structs.replace(record, status=RunStatus.SUCCEEDED, error=None)
    status = (
        RunStatus.INTERRUPTED
        if isinstance(error, Interrupted | CapReached | RateLimited)
        else RunStatus.FAILED
    )
    if isinstance(error, Interrupted):
        error.hint = f"{to_continue(record)} to continue"
    if isinstance(error, CapReached):
        error.hint = f"to continue, {error.hint} and {to_continue(record)}"
    if isinstance(error, Reported):
        error.hint = in_harness(error.hint, record)
        told = ErrorRecord(kind=error.kind, message=error.message, hint=error.hint, log_tail=error.log_tail)
    else:
        told = ErrorRecord(kind="unexpected", message=f"{type(error).__name__}: {error}")
    return msgspec.structs.replace(record, status=status, error=told)
