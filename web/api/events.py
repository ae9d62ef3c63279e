"""A job's progress as a stream of server-sent events."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Header
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import StreamingResponse

from web.api.asking import NOT_FOUND, JobId, Reader, find_job, may_read_log
from web.config import API_ROOT
from web.database.trouble import DatabaseUnavailable
from web.services import ServicesDep  # noqa: TC001 - FastAPI reads the annotation at run time

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

    from starlette.types import Receive, Scope, Send

    from web.access.caller import Caller
    from web.access.identity import Identity
    from web.access.streams import Streams

router = APIRouter(prefix=API_ROOT, tags=["jobs"])
ADMITTED_AGAIN_S = 3.0  # how often an open stream asks whether its reader still may
_EVENTS = "text/event-stream"
_TEXT = {"type": "string"}
_EVENT = {"type": "object", "properties": {"event": _TEXT, "id": _TEXT, "data": _TEXT}}


class EventStream(StreamingResponse):
    """Holds a place as long as it is sent, and ends its source when the reader has gone. It ends within seconds after
    the key or session of the reader has ended.
    """

    media_type = _EVENTS

    def __init__(self, events: AsyncIterator[bytes], streams: Streams, caller: Caller) -> None:
        super().__init__(
            events, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"}, media_type=_EVENTS
        )
        self._events = events
        self._streams = streams
        self._caller = caller

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        identity: Identity = request.app.state.entrance.identity

        async def is_admitted() -> bool:
            try:
                return (await identity.of(request)).caller == self._caller
            except DatabaseUnavailable:  # is asked again
                return True

        self.body_iterator = while_admitted(self._events, is_admitted, every_s=ADMITTED_AGAIN_S)
        with self._streams.place(self._caller):  # before the answer begins, so that 429 can still be said
            try:
                await super().__call__(scope, receive, send)
            finally:
                await self.body_iterator.aclose()
                await self._events.aclose()  # type: ignore[attr-defined] # a generator's


async def while_admitted(
    events: AsyncIterator[bytes],
    is_admitted: Callable[[], Awaitable[bool]],
    *,
    every_s: float,
) -> AsyncGenerator[bytes, None]:
    """The events, until one asks every few seconds and isn't admitted any more."""
    loop = asyncio.get_running_loop()
    ask_at = loop.time() + every_s
    coming: asyncio.Task[bytes] | None = None
    try:
        while True:
            coming = coming or loop.create_task(_next(events))
            await asyncio.wait({coming}, timeout=max(0.0, ask_at - loop.time()))
            if loop.time() >= ask_at:
                if not await is_admitted():
                    return
                ask_at = loop.time() + every_s
            if coming.done():
                try:
                    event = coming.result()
                except StopAsyncIteration:
                    return
                coming = None
                yield event
    finally:
        if coming is not None:  # else its source can't be closed
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)


async def _next(events: AsyncIterator[bytes]) -> bytes:
    return await anext(events)


@router.get(
    "/jobs/{job_id}/events",
    response_class=StreamingResponse,
    responses=NOT_FOUND | {200: {"content": {_EVENTS: {"schema": _EVENT}}, "description": "Events"}},
)
async def events(
    job_id: JobId,
    services: ServicesDep,
    caller: Reader,
    last_event_id: Annotated[str, Header(max_length=64)] = "",
) -> StreamingResponse:
    """`progress` whenever something changed, with status, phase, counts and incidents; `end` when the job has ended,
    which is the last one. A comment every 15 seconds.
    """
    job = await run_in_threadpool(find_job, services, job_id)
    told = services.feeds.events(job_id, last_event_id, is_own=may_read_log(job.user, caller))
    return EventStream(told, services.streams, caller)
