"""How jobs go on, told to any number of event streams at the cost of one look a job.

One task looks at all jobs that somebody follows, in a thread. A stream waits until its job has changed, and takes the
newest state: one that is slow misses states in between, and holds up nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hashlib
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from results.errors import BenchError
from results.json_text import encode
from web.jobs.job import JobStatus, told_detail

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from web.jobs.job import Job
    from web.working.progress import JobReaders

logger = logging.getLogger(__name__)
LOOK_S = 1.0  # of a job that runs
LOOK_WAITING_S = 2.0  # of one that doesn't
HEARTBEAT_S = 15.0
LONGEST_S = 3600.0  # then the reader's program connects again
HEARTBEAT = b": still here\n\n"
RETRY = b"retry: 2000\n\n"


@dataclass(frozen=True)
class JobState:
    """What a stream tells. event_id: the same for the same state, whichever process tells it. own_data: what those are
    told who may read the job's log.
    """

    event_id: str
    data: bytes
    own_data: bytes
    is_final: bool

    def text(self, *, is_own: bool) -> bytes:
        """As an event of a stream."""
        name = b"end" if self.is_final else b"progress"
        data = self.own_data if is_own else self.data
        return b"event: %b\nid: %b\ndata: %b\n\n" % (name, self.event_id.encode(), data)


@dataclass
class _Followed:
    """A job that streams follow. look_at: of the loop's clock, when it is looked at next."""

    followers: int = 0
    state: JobState | None = None
    is_gone: bool = False
    look_at: float = 0.0
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class JobFeeds:
    """The states of the jobs that somebody follows. Used in the event loop's thread only.

    get: the job with an id, or None; it is called in another thread.
    """

    def __init__(
        self,
        get: Callable[[str], Job | None],
        readers: JobReaders,
        *,
        look_s: float = LOOK_S,
        look_waiting_s: float = LOOK_WAITING_S,
    ) -> None:
        self._get = get
        self._readers = readers
        self._look_s = look_s
        self._look_waiting_s = look_waiting_s
        self._followed: dict[str, _Followed] = {}
        self._looking: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self.looks = 0  # how often a job was looked at, of all jobs

    async def when_idle(self) -> None:
        """Wait until nobody follows a job, and none is looked at."""
        if self._looking is not None:
            await self._looking

    async def events(
        self,
        job_id: str,
        last_event_id: str = "",
        *,
        is_own: bool = False,
        heartbeat_s: float = HEARTBEAT_S,
        longest_s: float = LONGEST_S,
    ) -> AsyncIterator[bytes]:
        """The job's states from now on, and a comment when nothing happens, until it has ended.

        last_event_id: of the state that the reader has; it is not told again. is_own: whether the reader may read the
        job's log.
        """
        followed = self._follow(job_id)
        known = last_event_id
        ends_at = asyncio.get_running_loop().time() + longest_s
        try:
            yield RETRY
            while asyncio.get_running_loop().time() < ends_at:
                changed = followed.changed
                state = followed.state
                if state is not None and (state.event_id != known or state.is_final):
                    known = state.event_id
                    yield state.text(is_own=is_own)
                if followed.is_gone or (state is not None and state.is_final):
                    return
                if state is not followed.state or changed.is_set():  # while the reader took the last one
                    continue
                try:
                    await asyncio.wait_for(changed.wait(), heartbeat_s)
                except TimeoutError:
                    yield HEARTBEAT
        finally:
            self._unfollow(job_id, followed)

    def _follow(self, job_id: str) -> _Followed:
        followed = self._followed.setdefault(job_id, _Followed())
        followed.followers += 1
        self._wake.set()
        if self._looking is None or self._looking.done():
            self._wake = asyncio.Event()
            self._looking = asyncio.get_running_loop().create_task(self._look_on())
        return followed

    def _unfollow(self, job_id: str, followed: _Followed) -> None:
        followed.followers -= 1
        if not followed.followers and self._followed.get(job_id) is followed:
            del self._followed[job_id]
            self._wake.set()

    async def _look_on(self) -> None:
        loop = asyncio.get_running_loop()
        while self._followed:
            now = loop.time()
            due = [job_id for job_id, each in self._followed.items() if each.look_at <= now]
            if due:
                found = await asyncio.to_thread(self._states, due)
                for job_id, (state, wait_s) in found.items():
                    self._note(job_id, state, loop.time() + wait_s)
            else:
                self._wake.clear()
                next_at = min(each.look_at for each in self._followed.values())
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), max(0.01, next_at - now))

    def _note(self, job_id: str, state: JobState | None, look_at: float) -> None:
        followed = self._followed.get(job_id)
        if followed is None:
            return
        followed.look_at = look_at
        is_gone = state is None
        if is_gone == followed.is_gone and state == followed.state:
            return
        followed.state = state if state is not None else followed.state
        followed.is_gone = is_gone
        followed.changed.set()
        followed.changed = asyncio.Event()
        if is_gone or (state is not None and state.is_final):
            followed.look_at = float("inf")

    def _states(self, job_ids: Iterable[str]) -> dict[str, tuple[JobState | None, float]]:
        """Of each job its state, and in how many seconds to look again. What can't be read now is left out."""
        found: dict[str, tuple[JobState | None, float]] = {}
        for job_id in job_ids:
            self.looks += 1
            try:
                job = self._get(job_id)
            except BenchError as error:
                logger.warning("the state of a job can't be read: %s", error.message)
                found[job_id] = (self._followed_state(job_id), self._look_waiting_s)
                continue
            if job is None:
                found[job_id] = (None, 0.0)
                continue
            waits = job.status in {JobStatus.PENDING, JobStatus.INTERRUPTED}
            found[job_id] = (state_of(job, self._readers), self._look_waiting_s if waits else self._look_s)
        return found

    def _followed_state(self, job_id: str) -> JobState | None:
        followed = self._followed.get(job_id)
        return followed.state if followed is not None else None


def state_of(job: Job, readers: JobReaders) -> JobState:
    """What a stream tells of the job now."""
    facts = {
        "job_id": job.job_id,
        "status": str(job.status),
        "detail": told_detail(job.detail, with_log=False),
        "attempt": job.attempt,
        "progress": dataclasses.asdict(readers.progress(job)),
    }
    data = encode(facts)
    own_data = encode({**facts, "detail": told_detail(job.detail, with_log=True)})
    event_id = hashlib.sha256(data).hexdigest()[:16]
    return JobState(event_id=event_id, data=data, own_data=own_data, is_final=job.status.is_final)
