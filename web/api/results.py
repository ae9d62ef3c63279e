"""What jobs measured: one job's results, the list of jobs, and their history."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - pydantic reads the annotation at run time
import time
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import APIRouter, Query

from results.errors import ResultsError
from web.api.asking import NOT_FOUND, Answer, JobId, Reader, find_job, may_read_log, moment, moment_or_none
from web.api.composites import Composite, composite_of
from web.catalogue.posting import duration_in_words
from web.config import API_ROOT
from web.jobs.job import JobStatus, told_detail
from web.jobs.queue import JobQuery
from web.services import ServicesDep  # noqa: TC001 - FastAPI reads the annotation at run time

if TYPE_CHECKING:
    from results.records import RunRecord
    from web.access.caller import Caller
    from web.jobs.job import Job
    from web.jobs.queue import JobPage
    from web.services import Services
    from web.working.progress import JobProgress, JobRun

router = APIRouter(prefix=API_ROOT, tags=["results"])
MOST_ROWS = 100
DAY_S = 86_400.0
_Text = Annotated[str | None, Query(max_length=200)]
_Limit = Annotated[int, Query(ge=1, le=MOST_ROWS)]
_Cursor = Annotated[
    str | None, Query(max_length=18, pattern="^[0-9]+$", description="`next_cursor` of the page before.")
]


class MetricValue(Answer):
    """A fraction, with its standard error and 95 % interval; null where a benchmark has none."""

    mean: float
    stderr: float | None
    low: float | None
    high: float | None


class Telemetry(Answer):
    """Of one run; null where nothing measured it."""

    tokens_per_s: float | None
    peak_gpu_memory_bytes: int | None
    peak_host_memory_bytes: int | None
    energy_j: float | None
    joules_per_solved: float | None
    cost_usd: float | None
    load_s: float | None
    incidents: int


class RunResult(Answer):
    """One run of a job. label: as in the plan. score: percent. outcomes: completions, by what became of them."""

    label: str
    run_id: str
    status: Literal["waiting", "running", "succeeded", "failed", "interrupted", "deleted"]
    benchmark: str
    model: str
    score: float | None
    metrics: dict[str, MetricValue]
    outcomes: dict[str, int]
    completions: int | None
    seconds: float | None
    telemetry: Telemetry | None
    composite: Composite | None
    error: str


class Incident(Answer):
    """A server died or hung and was restarted. time: ISO 8601, UTC."""

    time: str
    run: str
    what: str


class Progress(Answer):
    """How far a job is; null where that is not known."""

    phase: Literal["queued", "preparing", "waiting", "loading", "running", "interrupted", "ended"]
    runs_done: int
    runs_failed: int
    runs_total: int
    samples_done: int | None
    samples_total: int | None
    tokens_per_s: float | None
    left_s: float | None
    running: tuple[str, ...]
    incidents: tuple[Incident, ...]
    devices: tuple[str, ...]


class Summary(Answer):
    """total_evaluations: completions that were asked for. total_time_seconds: without waiting for a device."""

    total_evaluations: int
    benchmarks_run: tuple[str, ...]
    models_evaluated: int
    total_time_seconds: float


class JobRow(Answer):
    """One job of a list. detail: why it failed, or who cancelled it; what it quotes of the job's log is for the job's
    user and admins.
    """

    job_id: str
    status: JobStatus
    model_name: str
    benchmark_suite: str
    user: str
    project_id: str
    priority: Literal["high", "normal", "low"]
    schedule_id: str
    created_at: dt.datetime
    started_at: dt.datetime | None
    completed_at: dt.datetime | None
    attempt: int
    detail: str


class JobResults(JobRow):
    """performance_data: by benchmark and metric; a benchmark that several runs measured has an entry a run, by the
    run's label.
    """

    summary: Summary
    performance_data: dict[str, dict[str, MetricValue]]
    outcomes: dict[str, int]
    runs: tuple[RunResult, ...]
    progress: Progress
    estimated_duration: float | None
    estimated_duration_text: str


class JobList(Answer):
    """total: of all pages."""

    results: tuple[JobRow, ...]
    total: int
    next_cursor: str | None


class History(Answer):
    """total_runs: jobs of all pages."""

    history: tuple[JobRow, ...]
    total_runs: int
    date_range: str
    next_cursor: str | None


@router.get("/results/{job_id}", responses=NOT_FOUND)
def results(job_id: JobId, services: ServicesDep, caller: Reader) -> JobResults:
    """The status and results of a job, also while it runs."""
    return job_results(services, find_job(services, job_id), caller)


@router.get("/results")
def list_results(
    *,
    services: ServicesDep,
    caller: Reader,
    model_name: _Text = None,
    suite: _Text = None,
    status: JobStatus | None = None,
    project_id: _Text = None,
    limit: _Limit = 20,
    cursor: _Cursor = None,
) -> JobList:
    """All users' jobs, the newest first."""
    page = services.queue.jobs(
        JobQuery(
            model_name=model_name,
            suite=suite,
            statuses=() if status is None else (status,),
            project_id=project_id,
            limit=limit,
            cursor=cursor,
        )
    )
    return JobList(results=_rows(page, caller), total=page.total, next_cursor=page.next_cursor)


@router.get("/history")
def history(
    *,
    services: ServicesDep,
    caller: Reader,
    model_name: _Text = None,
    days: Annotated[int, Query(ge=1, le=3650)] = 30,
    limit: _Limit = MOST_ROWS,
    cursor: _Cursor = None,
) -> History:
    """The jobs of the last days, the newest first."""
    since = time.time() - days * DAY_S
    page = services.queue.jobs(JobQuery(model_name=model_name, since=since, limit=limit, cursor=cursor))
    return History(
        history=_rows(page, caller),
        total_runs=page.total,
        date_range=f"Last {days} day{'s' * (days != 1)}",
        next_cursor=page.next_cursor,
    )


def job_results(services: Services, job: Job, caller: Caller) -> JobResults:
    """What a job has measured so far, from its runs' records."""
    runs = [_run(services, each) for each in services.readers.runs(job)]
    outcomes: Counter[str] = Counter()
    for run in runs:
        outcomes.update(run.outcomes)
    measured = [run for run in runs if run.metrics]
    of_benchmark = Counter(run.benchmark for run in measured)
    return JobResults(
        **dict(job_row(job, caller)),
        summary=Summary(
            total_evaluations=sum(run.completions or 0 for run in runs),
            benchmarks_run=tuple(dict.fromkeys(run.benchmark for run in runs if run.run_id)),
            models_evaluated=len({run.model for run in runs if run.run_id}),
            total_time_seconds=job.running_s,
        ),
        performance_data={
            run.benchmark if of_benchmark[run.benchmark] == 1 else run.label: run.metrics for run in measured
        },
        outcomes=dict(outcomes),
        runs=tuple(runs),
        progress=progress_of(services.readers.progress(job)),
        estimated_duration=job.estimated_duration_s,
        estimated_duration_text=duration_in_words(job.estimated_duration_s),
    )


def progress_of(progress: JobProgress) -> Progress:
    """The same as an answer."""
    return Progress.model_validate(progress)


def job_row(job: Job, caller: Caller) -> JobRow:
    """A job as a row of a list, as the caller may see it."""
    return JobRow(
        job_id=job.job_id,
        status=job.status,
        model_name=job.model_name,
        benchmark_suite=job.suite,
        user=job.user,
        project_id=job.project_id,
        priority=priority_word(job),
        schedule_id=job.schedule_id,
        created_at=moment(job.created_at),
        started_at=moment_or_none(job.started_at),
        completed_at=moment_or_none(job.completed_at),
        attempt=job.attempt,
        detail=told_detail(job.detail, with_log=may_read_log(job.user, caller)),
    )


def priority_word(job: Job) -> Literal["high", "normal", "low"]:
    """As a request says it."""
    words: tuple[Literal["low", "normal", "high"], ...] = ("low", "normal", "high")
    return words[job.priority]


def _rows(page: JobPage, caller: Caller) -> tuple[JobRow, ...]:
    return tuple(job_row(job, caller) for job in page.jobs)


def _run(services: Services, run: JobRun) -> RunResult:
    record: RunRecord | None = None
    row = None
    if run.run_id:
        try:
            record, row = services.store.record(run.run_id), services.store.row(run.run_id)
        except ResultsError:  # its status and why are known all the same
            record = row = None
    score = record.score if record is not None else None
    return RunResult(
        label=run.label,
        run_id=run.run_id,
        status=run.status,
        benchmark=run.benchmark,
        model=run.model,
        score=run.score,
        metrics={
            name: MetricValue(mean=each.value, stderr=each.stderr, low=each.low, high=each.high)
            for name, each in (score.metrics if score is not None else {}).items()
        },
        outcomes=dict(score.outcomes) if score is not None else {},
        completions=run.total if score is None else score.completions,
        seconds=run.seconds,
        telemetry=None
        if row is None
        else Telemetry(
            tokens_per_s=row.tokens_per_s,
            peak_gpu_memory_bytes=row.memory_bytes,
            peak_host_memory_bytes=row.host_memory_bytes,
            energy_j=row.energy_j,
            joules_per_solved=row.joules_per_solved,
            cost_usd=row.cost_usd,
            load_s=row.load_s,
            incidents=row.incidents,
        ),
        composite=None if record is None else composite_of(record),
        error=run.why,
    )
