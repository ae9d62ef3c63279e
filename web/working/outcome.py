"""How a job has ended, by the records of its runs. What its process's exit code was is never asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from results.errors import CapReached, RateLimited
from results.plain_text import cell
from results.records import RunStatus
from web.jobs.job import JobStatus
from web.working.job_folder import find_sweep

if TYPE_CHECKING:
    from pathlib import Path

    from results.records import RunRecord
    from results.store.sweep_folder import PlanEntry, SweepFolder
    from web.config import ServeConfig
    from web.working.job_folder import AttemptFolder

_TOLD = 3  # failed runs that are told one by one
_LONGEST = 300  # characters of each
_LOG_BYTES = 1 << 16
_OWN_CAUSES = {CapReached.kind, RateLimited.kind}
ERROR, HINT = "error:", "try:"  # how a command of ours begins to tell its error, and what to do


@dataclass(frozen=True, kw_only=True)
class JobOutcome:
    """status: COMPLETED if every run succeeded, FAILED if all have ended and some failed, INTERRUPTED if something is
    left to do, also a run that failed and shall be tried again. detail: which runs failed and why; of one that is
    INTERRUPTED, what stopped it, where that is known. run_ids: of the runs that have a record, in the plan's order.
    runs_total: 0 before the sweep has begun. samples_done: completions on disk. waits_for_provider: what stopped it is
    a provider's limit of requests.
    """

    status: JobStatus
    detail: str = ""
    run_ids: tuple[str, ...] = ()
    runs_done: int = 0
    runs_total: int = 0
    samples_done: int = 0
    waits_for_provider: bool = False


def job_outcome(config: ServeConfig, job_id: str) -> JobOutcome:
    """The outcome of a job whose process has ended, or so far. Raises ResultsError if its records can't be read."""
    sweep = find_sweep(config.results_dir, job_id)
    return JobOutcome(status=JobStatus.INTERRUPTED) if sweep is None else sweep_outcome(sweep)


def sweep_outcome(sweep: SweepFolder) -> JobOutcome:
    """The same, of a sweep. Raises ResultsError."""
    planned = sweep.planned(warn=lambda _: None)
    again = sweep.requested_retries()
    failed: dict[str, tuple[str, RunRecord]] = {}
    interrupted: list[RunRecord] = []
    run_ids: dict[str, None] = {}
    done = samples = 0
    for entry, found in planned:
        if found is None:
            done += sweep.is_deleted(entry)
            continue
        folder, record = found
        run_ids[record.run_id] = None
        samples += _lines(folder.completions)
        seen = folder.effective_status(record)
        if seen is RunStatus.FAILED and _fingerprint(entry, record) in again:
            continue  # an earlier try, which says nothing about the one that was asked for
        if seen is RunStatus.FAILED:
            failed[record.run_id] = (entry.label, record)
        elif seen is RunStatus.INTERRUPTED:
            interrupted.append(record)
        done += seen in {RunStatus.FAILED, RunStatus.SUCCEEDED}
    if done < len(planned):
        status, detail = JobStatus.INTERRUPTED, next((why for run in interrupted if (why := _cause(run))), "")
    elif failed:
        status, detail = JobStatus.FAILED, _failures(list(failed.values()), len(planned))
    else:
        status, detail = JobStatus.COMPLETED, ""
    return JobOutcome(
        status=status,
        detail=detail,
        run_ids=tuple(run_ids),
        runs_done=done,
        runs_total=len(planned),
        samples_done=samples,
        waits_for_provider=any(
            run.error is not None and run.error.kind == RateLimited.kind for run in interrupted
        ),
    )


def ask_for_retries(sweep: SweepFolder) -> None:
    """Ask for every run that has failed to be tried again. Is idempotent. Raises ResultsError."""
    for fingerprint, (folder, record) in sweep.runs(warn=lambda _: None).items():
        if folder.effective_status(record) is RunStatus.FAILED:
            sweep.request_retry(fingerprint)


def last_words(folder: AttemptFolder, since: int = 0) -> str:
    """The end of what the sweep printed, from its error on if there is one, in one line; "" if it printed nothing.

    since: how long the log was before.
    """
    size = folder.log_bytes()
    begin = max(since if since <= size else 0, size - _LOG_BYTES)
    try:
        with folder.log.open("rb") as file:
            file.seek(begin)
            lines = file.read(_LOG_BYTES).decode(errors="replace").splitlines()
    except OSError:
        return ""
    lines = [line for line in lines if line.strip()]
    errors = [number for number, line in enumerate(lines) if line.startswith(ERROR)]
    if not errors:
        return _short(" ".join(lines[-2:]))
    error, *others = lines[errors[-1] :]
    hint = next((line.removeprefix(HINT).strip() for line in others[:3] if line.startswith(HINT)), "")
    return _short(error + (f" ({hint})" if hint else ""))


def _fingerprint(entry: PlanEntry, record: RunRecord) -> str:
    return entry.fingerprint or (record.sweep.fingerprint if record.sweep else "")


def _failures(failed: list[tuple[str, RunRecord]], total: int) -> str:
    told = "; ".join(
        f"{_short(label)}: {_why(record) or 'no reason was recorded'}" for label, record in failed[:_TOLD]
    )
    more = f"; and {len(failed) - _TOLD} more" if len(failed) > _TOLD else ""
    return f"{len(failed)} of {total} run{'s' if total > 1 else ''} failed: {told}{more}"


def _cause(record: RunRecord) -> str:
    """What stopped it, if that is the job's own; a signal or the death of its harness says nothing about it."""
    return _why(record) if record.error is not None and record.error.kind in _OWN_CAUSES else ""


def _why(record: RunRecord) -> str:
    if record.error is None:
        return ""
    return _short(record.error.message + (f" ({record.error.hint})" if record.error.hint else ""))


def _short(text: str) -> str:
    text = cell(text)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _lines(path: Path) -> int:
    count = 0
    try:
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                count += chunk.count(b"\n")
    except OSError:
        return 0
    return count
