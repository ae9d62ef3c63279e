"""How far jobs are, for pages and streams of events: read from their sweeps' and runs' folders, only what is new."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from results.errors import ResultsError
from results.plain_text import plain
from results.records import RunStatus
from runner.progress import ProgressReader, RunProgress
from sweeps.whereabouts import whereabouts
from web.jobs.job import JobStatus
from web.working.job_folder import AttemptFolder, find_sweep

if TYPE_CHECKING:
    from collections.abc import Sequence

    from results.records import RunRecord
    from results.store.run_folder import RunFolder
    from results.store.sweep_folder import SweepFolder
    from web.config import ServeConfig
    from web.jobs.job import Job

KEPT_S = 0.5
MOST_JOBS = 64  # that are kept to read only what is new of them
LAST_INCIDENTS = 20
WAITING = b"waiting for a device that another run is using\n"  # what a sweep prints then, see engines/lane.py

Phase = Literal["queued", "preparing", "waiting", "loading", "running", "interrupted", "ended"]
RunState = Literal["waiting", "running", "succeeded", "failed", "interrupted", "deleted"]


@dataclass(frozen=True, kw_only=True)
class JobIncident:
    """A server died or hung, and was restarted. time: ISO 8601, UTC. what: safe text in one line."""

    time: str
    run: str
    what: str


@dataclass(frozen=True, kw_only=True)
class JobRun:
    """One planned run of a job. run_id: "" before it has begun. score: in percent. done, total: completions; None if
    not known. why: of a failed or interrupted one, safe text in one line.
    """

    label: str
    status: RunState
    run_id: str = ""
    benchmark: str = ""
    model: str = ""
    score: float | None = None
    done: int | None = None
    total: int | None = None
    tokens_per_s: float | None = None
    left_s: float | None = None
    seconds: float | None = None
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class JobProgress:
    """phase: "preparing" before the first run has begun, "waiting" for a device that another program holds, "loading"
    while a server starts. samples_done, samples_total: completions of the runs that have begun; None if not known.
    left_s: seconds until the job ends; None if that can't be told. devices: a line for each GPU.
    """

    phase: Phase
    runs_done: int = 0
    runs_failed: int = 0
    runs_total: int = 0
    samples_done: int | None = None
    samples_total: int | None = None
    tokens_per_s: float | None = None
    left_s: float | None = None
    running: tuple[str, ...] = ()
    incidents: tuple[JobIncident, ...] = ()
    devices: tuple[str, ...] = ()


@dataclass
class _Reader:
    """What is kept of one job."""

    sweep: SweepFolder | None = None
    runs: dict[str, ProgressReader] = field(default_factory=dict)
    at: float = float("-inf")
    answer: tuple[JobProgress, tuple[JobRun, ...]] | None = None
    about: object = None  # of the job, on which the answer depends
    lock: threading.Lock = field(default_factory=threading.Lock)


class JobReaders:
    """Reads the progress of jobs. A process has one of it, for all its threads.

    An answer is kept for KEPT_S, so any number of readers of one job costs the same.
    """

    def __init__(self, config: ServeConfig) -> None:
        self._config = config
        self._readers: OrderedDict[str, _Reader] = OrderedDict()
        self._sweep_ids: dict[str, str] = {}  # by run folder, of all jobs
        self._lock = threading.Lock()

    def progress(self, job: Job) -> JobProgress:
        """How far it is. Never raises for a folder that can't be read: then little is known."""
        return self._read(job)[0]

    def runs(self, job: Job) -> tuple[JobRun, ...]:
        """Its planned runs; none before its sweep has begun."""
        return self._read(job)[1]

    def _read(self, job: Job) -> tuple[JobProgress, tuple[JobRun, ...]]:
        with self._lock:
            reader = self._readers.setdefault(job.job_id, _Reader())
            self._readers.move_to_end(job.job_id)
            while len(self._readers) > MOST_JOBS:
                self._readers.popitem(last=False)
        about = (job.status, job.attempt)
        with reader.lock:
            now = time.monotonic()
            if reader.answer is None or reader.about != about or now - reader.at >= KEPT_S:
                reader.answer, reader.about = self._look(job, reader), about
                reader.at = time.monotonic()
            return reader.answer

    def _look(self, job: Job, reader: _Reader) -> tuple[JobProgress, tuple[JobRun, ...]]:
        lines: list[tuple[JobRun, RunRecord | None, RunProgress]] = []
        try:
            if reader.sweep is None or (job.sweep_id and reader.sweep.sweep_id != job.sweep_id):
                reader.sweep = find_sweep(self._config.results_dir, job.job_id, self._sweep_ids)
            if reader.sweep is not None:
                lines = _lines(reader.sweep, reader.runs)
        except ResultsError:  # the results folder has gone, or a record is of a newer version
            reader.sweep = None
        runs = tuple(run for run, _, _ in lines)
        return self._progress(job, lines), runs

    def _progress(
        self, job: Job, lines: Sequence[tuple[JobRun, RunRecord | None, RunProgress]]
    ) -> JobProgress:
        runs = [run for run, _, _ in lines]
        running = [(run, seen) for run, _, seen in lines if run.status == "running"]
        totals = [run.total for run in runs if run.status != "waiting"]
        rates = [seen.tokens_per_s for _, seen in running if seen.tokens_per_s is not None]
        incidents = [
            JobIncident(time=each.time, run=run.label, what=plain(each.what))
            for run, record, _ in lines
            if record is not None
            for each in record.incidents
        ]
        return JobProgress(
            phase=self._phase(job, running),
            runs_done=sum(run.status in {"succeeded", "failed", "deleted"} for run in runs),
            runs_failed=sum(run.status == "failed" for run in runs),
            runs_total=len(runs),
            samples_done=sum(run.done or 0 for run in runs) if runs else None,
            samples_total=None if not totals or None in totals else sum(total or 0 for total in totals),
            tokens_per_s=sum(rates) if rates else None,
            left_s=_left_s(runs) if running else None,
            running=tuple(run.label for run, _ in running),
            incidents=tuple(sorted(incidents, key=lambda each: each.time)[-LAST_INCIDENTS:]),
            devices=tuple(plain(line) for _, seen in running for line in seen.devices),
        )

    def _phase(self, job: Job, running: Sequence[tuple[JobRun, RunProgress]]) -> Phase:
        if job.status.is_final:
            return "ended"
        if job.status is JobStatus.PENDING:
            return "queued"
        if job.status is JobStatus.INTERRUPTED:
            return "interrupted"
        if running:
            answered = any(seen.done or seen.phase not in {"load", "baseline", ""} for _, seen in running)
            return "running" if answered else "loading"
        attempts = AttemptFolder.all_of(self._config.jobs_dir, job.job_id)
        return "waiting" if attempts and waits_for_device(attempts[-1]) else "preparing"


def waits_for_device(folder: AttemptFolder) -> bool:
    """Whether the last line that the sweep printed says so."""
    try:
        with folder.log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - len(WAITING) - 1))
            end = file.read(len(WAITING) + 1)
    except OSError:
        return False
    return end in {WAITING, b"\n" + WAITING}


def _lines(
    sweep: SweepFolder, readers: dict[str, ProgressReader]
) -> list[tuple[JobRun, RunRecord | None, RunProgress]]:
    found: list[tuple[JobRun, RunRecord | None, RunProgress]] = []
    where = whereabouts(sweep, lambda _: None)  # of what is on the machines of an engine
    goes_on = bool(where.running) and sweep.worker_pid() is not None
    for entry, there in sweep.planned(warn=lambda _: None):
        live = where.run(entry) if goes_on else None
        if live is not None:
            found.append(_line(entry.label, live.folder, live.record, readers, live.record.status))
            continue
        if there is None:
            state: RunState = "deleted" if sweep.is_deleted(entry) else "waiting"
            run = JobRun(label=entry.label, status=state, benchmark=entry.benchmark, model=entry.model)
            found.append((run, None, RunProgress()))
            continue
        found.append(_line(entry.label, *there, readers, there[0].effective_status(there[1])))
    alive = {run.run_id for run, _, _ in found if run.status == "running"}
    for run_id in readers.keys() - alive:
        del readers[run_id]
    return found


def _line(
    label: str,
    folder: RunFolder,
    record: RunRecord,
    readers: dict[str, ProgressReader],
    status: RunStatus,
) -> tuple[JobRun, RunRecord, RunProgress]:
    seen = RunProgress()
    state: RunState
    if status is RunStatus.STARTED:
        state = "running"
        seen = readers.setdefault(record.run_id, ProgressReader(folder)).read()
    elif status is RunStatus.SUCCEEDED:
        state = "succeeded"
    elif status is RunStatus.FAILED:
        state = "failed"
    else:
        state = "interrupted"
    score = record.score
    count = None if score is None else score.completions
    run = JobRun(
        label=label,
        status=state,
        run_id=record.run_id,
        benchmark=record.benchmark,
        model=record.model,
        score=None if score is None else score.score,
        done=seen.done if count is None else count,
        total=seen.total if count is None else count,
        tokens_per_s=seen.tokens_per_s,
        left_s=seen.left_s,
        seconds=record.results.time_taken,
        why="" if record.error is None else plain(record.error.message),
    )
    return run, record, seen


def _left_s(runs: Sequence[JobRun]) -> float | None:
    """As in sweeps/status_lines.py: runs that wait take as long as those that have succeeded. None if unknown."""
    left = [run.left_s for run in runs if run.status == "running"]
    known = [seconds for seconds in left if seconds is not None]
    waiting = sum(run.status in {"waiting", "interrupted"} for run in runs)
    took = [run.seconds for run in runs if run.status == "succeeded" and run.seconds is not None]
    if len(known) < len(left) or (waiting and not took):
        return None
    each_s = sum(took) / len(took) if took else 0.0
    return (sum(known) + waiting * each_s) / max(1, len(left))
