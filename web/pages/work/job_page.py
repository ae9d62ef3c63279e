"""One job: what it does now, its runs and their scores, what disturbed it, and what it printed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation at run time
from starlette.responses import Response  # noqa: TC002 - FastAPI reads the annotation at run time

from results.plain_text import plain
from sweeps.preflight.report import duration
from web.api.asking import Reader, find_job, may_read_log
from web.config import API_ROOT
from web.jobs.job import JobStatus, Priority
from web.pages.answers.links import grid_url
from web.pages.rendering import page
from web.pages.table import Cell, Column, Empty, Kind, Row, Table
from web.pages.view import View
from web.pages.work.job_lines import PHASES, JobLine, done_share, job_line, moment, progress_words
from web.services import ServicesDep  # noqa: TC001 - FastAPI reads the annotation at run time
from web.working.log_tail import job_log

if TYPE_CHECKING:
    from collections.abc import Sequence

    from web.jobs.job import Job
    from web.working.progress import JobIncident, JobProgress, JobRun

router = APIRouter(include_in_schema=False)
LOG_BYTES = 24_000  # on the page; the API has more
MOST_RUNS = 150
_PRIORITIES = {Priority.HIGH: "high", Priority.NORMAL: "normal", Priority.LOW: "low"}
_TONES = {
    JobStatus.COMPLETED: "good",
    JobStatus.FAILED: "bad",
    JobStatus.CANCELLED: "",
    JobStatus.INTERRUPTED: "warn",
    JobStatus.CANCELLING: "warn",
}


@router.get("/jobs/{job_id}")
def job_page(job_id: str, request: Request, services: ServicesDep, caller: Reader) -> Response:
    """Live, if the browser runs scripts; else as it is now, with a link that loads it again."""
    job = find_job(services, job_id)
    places = services.queue.places() if job.status is JobStatus.PENDING else {}
    progress, runs = services.readers.progress(job), services.readers.runs(job)
    line = job_line(job, caller, progress=progress, place=places.get(job_id))
    is_own = may_read_log(job.user, caller)
    log = job_log(services.config, job_id, most_bytes=LOG_BYTES) if is_own else None
    table, incidents = _runs(runs), _incidents(progress.incidents)
    done = [run.run_id for run in runs if run.run_id and run.score is not None]
    benchmarks = {run.benchmark for run in runs if run.run_id in done}
    view = View(
        title=line.title,
        name=f"job-{job_id}",
        lead=_lead(line, progress, runs),
        sentences=(plain(line.job.detail),) if line.job.detail else (),
        facts=tuple(_facts(job)),
        tables=(table, incidents),
    )
    return page(
        request,
        "work/job.html.jinja",
        view=view,
        job=line.job,
        line=line,
        progress=progress,
        phases=json.dumps({name: words.capitalize() for name, words in PHASES.items()}),
        words=progress_words(progress),
        share=done_share(progress),
        tone=_TONES.get(job.status, "calm"),
        runs=table,
        left_out=max(0, len(runs) - MOST_RUNS),
        incidents=incidents,
        log=log,
        manifest=_pretty(job.manifest) if is_own else "",
        events=f"{API_ROOT}/jobs/{job_id}/events",
        log_url=f"{API_ROOT}/jobs/{job_id}/log",
        grid=grid_url(next(iter(benchmarks)), done[:24]) if done and len(benchmarks) == 1 else "",
        is_live=not job.status.is_final,
    )


def _lead(line: JobLine, progress: JobProgress, runs: Sequence[JobRun]) -> str:
    """What there is to know first."""
    job = line.job
    if job.status is JobStatus.COMPLETED:
        best = max(
            (run for run in runs if run.score is not None), key=lambda run: run.score or 0, default=None
        )
        if len(runs) == 1 and best is not None:
            return f"Score {best.score:.1f} of 100"
        return f"All {len(runs):,} runs are done" if runs else "Done"
    if job.status is JobStatus.FAILED:
        failed = progress.runs_failed
        return f"{failed:,} of {progress.runs_total:,} runs failed" if failed else "Failed"
    if job.status is JobStatus.CANCELLED:
        return f"Cancelled, with {progress.runs_done:,} of {progress.runs_total:,} runs done"
    if job.status is JobStatus.CANCELLING:
        return "Being stopped"
    if job.status is JobStatus.PENDING:
        return f"Waiting for its turn: {line.words}" if line.words else "Waiting for its turn"
    return PHASES.get(progress.phase, progress.phase).capitalize()


def _facts(job: Job) -> list[tuple[str, str]]:
    facts = [
        ("user", job.user),
        ("label", job.project_id),
        ("priority", _PRIORITIES[job.priority]),
        ("posted", _time(job.created_at)),
        ("started", _time(job.started_at)),
        ("ended", _time(job.completed_at)),
        ("ran for", duration(job.running_s) if job.running_s else ""),
        ("expected", duration(job.estimated_duration_s) if job.estimated_duration_s else ""),
        ("device", job.device),
        ("host", job.host),
        ("attempt", str(job.attempt) if job.attempt > 1 else ""),
        ("posted by", "a schedule" if job.schedule_id else ""),
        ("sweep", job.sweep_id),
        ("id", job.job_id),
    ]
    return [(name, plain(text)) for name, text in facts if text]


def _time(seconds: float | None) -> str:
    text = moment(seconds)
    return "" if text is None else f"{text[:19].replace('T', ' ')} UTC"


_COLUMNS = (
    Column("label", "Run"),
    Column("status", "Status", kind=Kind.STATUS),
    Column("score", "Score", "of 100", kind=Kind.NUMBER, digits=1),
    Column("answers", "Answers", kind=Kind.NUMBER),
    Column("tokens_per_s", "Speed", "tokens/s", kind=Kind.NUMBER, digits=1, term="tokens_per_s"),
    Column("seconds", "Time", "seconds", kind=Kind.NUMBER, digits=0),
    Column("why", "Why", kind=Kind.LONG),
)


def _runs(runs: Sequence[JobRun]) -> Table:
    rows = tuple(
        Row({
            "label": Cell(run.label, href=f"/runs/{run.run_id}" if run.run_id else ""),
            "status": str(run.status),
            "score": run.score,
            "answers": Cell(run.done, _answers(run)),
            "tokens_per_s": run.tokens_per_s,
            "seconds": run.seconds,
            "why": run.why or None,
        })
        for run in runs[:MOST_RUNS]
    )  # fmt: skip
    return Table(
        "Its runs, in the order in which they start.", _COLUMNS, rows, Empty("Its runs are not planned yet.")
    )


def _answers(run: JobRun) -> str | None:
    return None if run.done is None or run.total in {None, run.done} else f"{run.done:,}/{run.total:,}"


def _incidents(found: Sequence[JobIncident]) -> Table:
    columns = (
        Column("time", "When", kind=Kind.TIME),
        Column("run", "Run"),
        Column("what", "What", kind=Kind.LONG, term="incident"),
    )
    rows = tuple(Row({"time": each.time, "run": each.run, "what": each.what}) for each in found)
    return Table("Servers that died or hung, and were started again.", columns, rows, Empty("None."))


def _pretty(manifest: str) -> str:
    try:
        return json.dumps(json.loads(manifest), indent=2, ensure_ascii=False)[:20_000]
    except ValueError:
        return manifest[:20_000]
