"""Start a run or a sweep: the form, then what would happen, then a job. A sweep can also be put on a schedule."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation at run time
from starlette.responses import RedirectResponse, Response

from results.errors import BenchError, UsageError
from results.plain_text import plain
from web.access.role import Role
from web.api.asking import Runner  # noqa: TC001 - FastAPI reads the annotation at run time
from web.api.jobs import preflight_of
from web.catalogue.mistakes import RequestRefused
from web.catalogue.posting import checked_job
from web.catalogue.preflight import ASK_AGAIN_S, PreflightBusy, preflight_report
from web.jobs.refusals import KeyReused, QueueFull
from web.jobs.schedules import NewSchedule
from web.pages.rendering import page
from web.pages.table import Cell, Column, Empty, Kind, Row, Table
from web.pages.view import View
from web.pages.work.asked_job import by_field, offered_by, request_of
from web.pages.work.start_form import field_names, start_form, values_of
from web.services import ServicesDep  # noqa: TC001 - FastAPI reads the annotation at run time

if TYPE_CHECKING:
    from collections.abc import Iterable

    from web.access.caller import Caller
    from web.api.jobs import Preflight
    from web.pages.work.start_form import Offered, Values
    from web.services import Services

router = APIRouter(include_in_schema=False)
MOST_RUNS_SHOWN = 200
_STEPS = ("check",)  # beside the fields, in the URL
_OF_POST = ("key", "name", "cron", "time_zone", "then")
_FITS = {
    "yes": ("fits", "good"),
    "no": ("does not fit", "bad"),
    "untrained": ("beyond the model's context", "warn"),
}


@router.get("/start")
def start(request: Request, services: ServicesDep, caller: Runner) -> Response:
    """The form with the values of the URL; with `check=1`, what would happen."""
    offered = offered_by(services.config)
    query = request.query_params.multi_items()
    values = values_of(query, field_names(offered))
    checks = request.query_params.get("check") == "1"
    if any(not value.strip() for _, value in query):  # a browser sends every field: keep the address short
        return RedirectResponse(start_url(values, check=checks), 303)
    if not checks:
        return _form(request, offered, values)
    return _checked(request, services, caller, offered, values)


@router.post("/start")
async def post(request: Request, services: ServicesDep, caller: Runner) -> Response:
    """Add the job, or with `then=schedule` the schedule, and show it. The same `key` again is the same job."""
    form = await request.form(max_fields=2000, max_part_size=1 << 20)
    sent = [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
    return await run_in_threadpool(_posted, request, services, caller, sent)


def start_url(values: Values, *, check: bool = False) -> str:
    """The form with these values; check: its second step."""
    pairs = [(name, value) for name, given in values.items() for value in given] + [("check", "1")] * check
    return f"/start?{urlencode(pairs)}" if pairs else "/start"


def _posted(request: Request, services: Services, caller: Caller, sent: list[tuple[str, str]]) -> Response:
    offered = offered_by(services.config)
    values = values_of(sent, field_names(offered))
    extra = {name: value.strip()[:200] for name, value in sent if name in _OF_POST}
    try:
        checked = checked_job(request_of(offered, values), services.config, caller.user)
    except RequestRefused as refused:
        return _refused(request, offered, values, refused)
    try:
        if extra.get("then") == "schedule":
            _add_schedule(services, caller, checked.job, extra)
            return RedirectResponse("/schedules", 303)
        job = services.queue.add(checked.job, extra.get("key") or None)
    except QueueFull as full:
        return _checked(
            request, services, caller, offered, values, problem=_words(full), status=429, extra=extra
        )
    except (KeyReused, UsageError) as error:
        return _checked(
            request, services, caller, offered, values, problem=_words(error), status=400, extra=extra
        )
    return RedirectResponse(f"/jobs/{job.job_id}", 303)


def _add_schedule(services: Services, caller: Caller, job: Any, extra: dict[str, str]) -> None:
    services.schedules.add(
        NewSchedule(
            user=caller.user,
            name=extra.get("name") or f"{job.suite} on {job.model_name}"[:100],
            cron=extra.get("cron", ""),
            time_zone=extra.get("time_zone") or "UTC",
            suite=job.suite,
            model_name=job.model_name,
            manifest=job.manifest,
            project_id=job.project_id,
            needs_device=job.needs_device,
            names=job.names,
        )
    )


def _form(
    request: Request,
    offered: Offered,
    values: Values,
    *,
    errors: dict[str, str] | None = None,
    general: Iterable[str] = (),
    status: int = 200,
) -> Response:
    form = start_form(offered, values, errors, tuple(general))
    view = View(title="Start a run", name="start", lead="")
    return page(request, "work/start.html.jinja", view=view, form=form, status_code=status)


def _refused(request: Request, offered: Offered, values: Values, refused: RequestRefused) -> Response:
    """The form again, with each mistake at its field."""
    errors, general = by_field(refused.mistakes, field_names(offered))
    return _form(request, offered, values, errors=errors, general=general, status=400)


def _checked(
    request: Request,
    services: Services,
    caller: Caller,
    offered: Offered,
    values: Values,
    *,
    problem: str = "",
    status: int = 200,
    extra: dict[str, str] | None = None,
) -> Response:
    """What would happen, with the buttons that let it; or the form, if something is wrong."""
    try:
        asked = request_of(offered, values)
        report = preflight_of(preflight_report(asked, services.config))
    except RequestRefused as refused:
        return _refused(request, offered, values, refused)
    except PreflightBusy as error:
        busy = _form(request, offered, values, errors={}, general=[_words(error)], status=429)
        busy.headers["Retry-After"] = str(ASK_AGAIN_S)
        return busy
    except BenchError as error:
        return _form(request, offered, values, errors={}, general=[_words(error)], status=400)
    table = _needs(report)
    runs = len(report.needs)
    return page(
        request,
        "work/check.html.jinja",
        view=View(
            title="What would happen",
            name="preflight",
            lead=f"{runs:,} run{'s' * (runs != 1)}, {_time(report)}",
            sentences=(*_of_time(report), *(plain(note) for note in report.notes)),
            tables=(table,),
        ),
        report=report,
        errors=[each.text for each in report.findings if each.level == "error"],
        warnings=[each.text for each in report.findings if each.level == "warning"],
        table=table,
        left_out=max(0, runs - MOST_RUNS_SHOWN),
        hidden=[(name, value) for name, given in values.items() for value in given],
        key=(extra or {}).get("key") or secrets.token_urlsafe(18),
        extra=extra or {},
        problem=problem,
        change=start_url(values),
        status_code=status,
        may_run=caller.role.includes(Role.RUN),
    )


_COLUMNS = (
    Column("label", "Run"),
    Column("fits", "Memory"),
    Column("gpu_gib", "GPU memory", "GiB", kind=Kind.NUMBER, digits=1),
    Column("host_gib", "Host memory", "GiB", kind=Kind.NUMBER, digits=1),
    Column("expected_s", "Expected", "seconds", kind=Kind.NUMBER, digits=0),
    Column("note", "Note", kind=Kind.LONG),
)


def _needs(report: Preflight) -> Table:
    by_run: dict[int | None, list[str]] = {}
    for finding in report.findings:
        by_run.setdefault(finding.index, []).append(finding.text)
    rows = []
    for need in report.needs[:MOST_RUNS_SHOWN]:
        words, tone = _FITS.get(need.fits, ("not known", "dim"))
        note = "; ".join(
            [*by_run.get(need.index, ()), *([f"stands already: {need.reused}"] if need.reused else [])]
        )
        rows.append(
            Row({
                "label": need.label,
                "fits": Cell(words, tone=tone),
                "gpu_gib": need.gpu_bytes / 2**30 if need.gpu_bytes else None,
                "host_gib": need.host_bytes / 2**30 if need.host_bytes else None,
                "expected_s": need.expected_s,
                "note": note or None,
            })
        )  # fmt: skip
    return Table("The runs, in the order in which they start.", _COLUMNS, tuple(rows), Empty("No runs."))


def _time(report: Preflight) -> str:
    if report.unknown == len(report.needs):
        return "of unknown length"
    more = f", and {report.unknown} of unknown length" if report.unknown else ""
    return f"{report.expected_text}{more}"


def _of_time(report: Preflight) -> tuple[str, ...]:
    return (
        ("How long they take is not known: nothing similar has run here before.",) if report.unknown else ()
    )


def _words(error: BenchError) -> str:
    return f"{error.message}. Try: {error.hint}" if error.hint else error.message
