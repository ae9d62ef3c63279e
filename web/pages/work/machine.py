"""The machine now: what its GPUs and processors do, as a page and as a stream of events."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation at run time
from starlette.responses import Response  # noqa: TC002 - FastAPI reads the annotation at run time

from results.json_text import encode
from web.api.asking import Reader  # noqa: TC001 - FastAPI reads the annotation at run time
from web.api.events import EventStream
from web.jobs.job import JobStatus
from web.jobs.queue import JobQuery
from web.pages.rendering import page
from web.pages.table import Column, Empty, Row, Table
from web.pages.view import View
from web.pages.work.gauges import panels_of
from web.pages.work.machine_reader import KEPT, PERIOD_S, Machine, MachineReader
from web.services import ServicesDep  # noqa: TC001 - FastAPI reads the annotation at run time

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from web.services import Services

router = APIRouter(include_in_schema=False)
LONGEST_S = 3600.0


@router.get("/live")
def live(request: Request, services: ServicesDep, caller: Reader) -> Response:
    """As it is now; it goes on by itself where the browser runs scripts."""
    del caller
    machine = services.machine.now()
    panels = panels_of(machine, _jobs(services))
    columns = (Column("device", "Device"), Column("figure", "Figure"), Column("value", "Value"))
    rows = tuple(
        Row({"device": panel.title, "figure": gauge.title, "value": gauge.text})
        for panel in panels
        for gauge in panel.gauges
    )
    return page(
        request,
        "work/machine.html.jinja",
        view=View(
            title="Machine",
            name="machine",
            lead=_lead(machine),
            tables=(Table("What the machine does now.", columns, rows, Empty("Nothing is known.")),),
        ),
        panels=panels,
        absent=machine.absent,
        known=bool(machine.readings),
        empty=Empty(
            "Nothing was read yet",
            "Drivers take some seconds to load. Load the page again.",
            "/live",
            "Reload",
        ),
        seconds=KEPT * PERIOD_S,
    )


@router.get("/live/events")
async def events(services: ServicesDep, caller: Reader) -> EventStream:
    """The page's figures once a second, by name."""
    return EventStream(_events(services.machine), services.streams, caller)


async def _events(reader: MachineReader) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + LONGEST_S
    told = 0.0
    while loop.time() < ends_at:
        machine = await run_in_threadpool(reader.now)
        newest = machine.readings[-1].time_s if machine.readings else 0.0
        if newest != told:
            told = newest
            yield b"data: %b\n\n" % encode(_figures(machine))
        else:
            yield b": still here\n\n"
        await asyncio.sleep(PERIOD_S)


def _figures(machine: Machine) -> dict[str, Any]:
    """The texts, shares and newest values of all gauges, by name."""
    gauges = [gauge for panel in panels_of(machine) for gauge in panel.gauges]
    return {
        gauge.name: {
            "text": gauge.text,
            "share": gauge.share,
            "value": gauge.line[-1] if gauge.line else None,
        }
        for gauge in gauges
    }


def _jobs(services: Services) -> dict[str, tuple[tuple[str, str], ...]]:
    """The jobs that run, by their device."""
    found: dict[str, list[tuple[str, str]]] = {}
    for job in services.queue.jobs(JobQuery(statuses=(JobStatus.RUNNING,), limit=50)).jobs:
        found.setdefault(job.device or "cpu", []).append(
            (f"/jobs/{job.job_id}", f"{job.suite} on {job.model_name}")
        )
    return {device: tuple(jobs) for device, jobs in found.items()}


def _lead(machine: Machine) -> str:
    if not machine.readings:
        return ""
    gpus = [facts for facts in machine.facts if facts.kind != "cpu_package"]
    count = f"{len(gpus)} GPU{'s' * (len(gpus) != 1)}" if gpus else "No GPU"
    return f"{count}, processors {machine.readings[-1].cpu:.0%} in use"
