"""The worker: claims jobs, runs each as a sweep in a process tree of its own, and looks after them until they end.

It keeps nothing that only it knows. What it has claimed is in the database, what runs is in the jobs' folders and in
the locks that their processes hold. So it may be killed at any moment: the next one goes on from there.
"""

from __future__ import annotations

import contextlib
import select
import sys
import time
import traceback
from typing import TYPE_CHECKING

from results.durable import explained
from results.errors import ResultsError
from results.locks import lock
from web.database.trouble import DatabaseUnavailable
from web.jobs.claiming import BEAT_S
from web.jobs.job import JobStatus, told_detail
from web.jobs.refusals import ClaimLost
from web.working.beats import Beats
from web.working.control import Control, Word
from web.working.endings import Endings
from web.working.fencing import Fences
from web.working.job_folder import AttemptFolder
from web.working.job_process import ask_to_end, kill_sweep
from web.working.old_folders import remove_old
from web.working.running_job import KILL_AFTER_S, SOON_S, JobEnd, RunningJob, Why

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from web.config import ServeConfig
    from web.jobs.claiming import Claim
    from web.jobs.queue import Queue
    from web.jobs.schedules import Schedules
    from web.working.devices import Devices

LOOK_S = 5.0  # how often to look for jobs though nobody rang
SCHEDULES_S = 20.0
TIDY_S = 3600.0  # how often to look for folders of jobs that ended long ago
SHUT_DOWN_S = 20.0  # the longest that jobs may take to end when the worker is stopped
LOCK_S = 5.0  # a worker that was told to end is given so long


class Worker:
    """Runs the jobs of one queue on this host. say: what it reports, for its log."""

    def __init__(
        self,
        config: ServeConfig,
        queue: Queue,
        schedules: Schedules,
        devices: Devices,
        *,
        host: str,
        say: Callable[[str], None],
    ) -> None:
        self._config = config
        self._queue = queue
        self._schedules = schedules
        self._devices = devices
        self._host = host
        self._say = say
        self._jobs: dict[str, RunningJob] = {}
        self._beats = Beats()
        self._unsaid: set[str] = set()  # jobs that run, but the database hasn't heard that they started
        self._strays: dict[AttemptFolder, float] = {}
        self._sweep_ids: dict[str, str] = {}
        self._endings = Endings(config, say)
        self._fences = Fences(shared=config.database_url is not None)
        self._looked = self._post_at = self._tidied = float("-inf")
        self._trouble = ""

    def run(self, control: Control) -> None:
        """Work until it is told to end. Raises ResultsError if another worker of this host uses the same folder, or the
        database can't be used at all.
        """
        with self._alone(), self._queue.database.waiter() as bell:
            self._adopt()
            self._say(f"worker on {self._host}: {', '.join(self._devices.names)}")
            rang = True
            while (word := control.word()) is None:
                self._work(rang)
                rang = self._wait(bell.fileno(), control)
                rang = bell.wait(0) or rang
            if word is Word.STOP:
                self._shut_down()
            self._endings.close()
            for running in self._jobs.values():
                running.close()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        path = self._config.state_dir / f"worker-{self._host}.lock"
        with contextlib.ExitStack() as held:
            with explained("lock", path):
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                if held.enter_context(lock(path, within_s=LOCK_S)) is None:
                    raise ResultsError(
                        f"a worker of this host uses {self._config.state_dir} already",
                        hint="one is enough for all devices; or give another --state-dir",
                    )
            yield

    def _adopt(self) -> None:
        """Take over what an earlier worker of this host has left, and end what is no longer this host's to run."""
        for claim in self._queue.mine(self._host):
            self._take(claim)
        self._claim()
        for path in self._config.jobs_dir.glob("*/attempt-*/lock"):
            folder = AttemptFolder(path.parent)
            ours = self._jobs.get(folder.job_id)
            if (ours is None or ours.folder != folder) and folder.process() is not None:
                self._say(f"job {folder.job_id} runs here, but is not this host's any more: it is stopped")
                ask_to_end(folder)
                self._strays[folder] = time.monotonic()
        self._endings.tell_left(self._has_ended)

    def _has_ended(self, job_id: str, attempt: int) -> bool:
        job = self._queue.get(job_id)
        return job is not None and job.attempt == attempt and job.status.is_final

    def _work(self, rang: bool) -> None:
        now = time.monotonic()
        look = rang or now - self._looked >= LOOK_S
        with self._heard():
            if look and self._jobs:
                self._heed_cancels()
        ended = False
        for running in tuple(self._jobs.values()):
            with self._heard():
                self._beat(running)
            ended = self._tick(running) or ended
        self._end_strays()
        with self._heard():
            if rang or now >= self._post_at:
                look = self._post_due() or look
            if look or ended:
                self._looked = now
                self._claim()
            if now - self._tidied >= TIDY_S:
                self._tidied = now
                self._tidy()

    def _tidy(self) -> None:
        if count := remove_old(self._config, self._queue.get):
            days = self._config.keep_jobs_days
            self._say(
                f"removed the folders of {count} {'job' if count == 1 else 'jobs'}, ended {days} days ago or more"
            )

    def _wait(self, bell: int, control: Control) -> bool:
        """Wait for news. Whether somebody rang."""
        poll = select.poll()
        for descriptor in (bell, *control.descriptors):
            poll.register(descriptor, select.POLLIN)
        wait_s = min(LOOK_S if not self._strays else SOON_S, max(self._post_at - time.monotonic(), SOON_S))
        for running in self._jobs.values():
            wait_s = min(wait_s, running.look_again_s)
            if running.fileno() >= 0:
                poll.register(running.fileno(), select.POLLIN)
        return any(descriptor == bell for descriptor, _ in poll.poll(1000 * wait_s))

    def _post_due(self) -> bool:
        """Post what is due. Whether anything was; `_wait` ends when the next one is."""
        self._post_at = time.monotonic() + LOOK_S  # if the database is away
        posted = self._schedules.post_due(self._queue)
        due_in_s = self._schedules.due_in_s()
        # Often enough for a clock that is set.
        self._post_at = time.monotonic() + min(SCHEDULES_S, SCHEDULES_S if due_in_s is None else due_in_s)
        return bool(posted)

    def _claim(self) -> None:
        """Take what can run here. A claim ends leases that ran out, so first say what this worker still has: the
        machine may just have slept, or its clock been set.
        """
        for running in self._jobs.values():
            if self._beats.is_due(running.claim.job.job_id, BEAT_S):
                self._beat(running)
        while (claim := self._queue.claim(self._host, self._devices.names)) is not None:
            self._take(claim)

    def _take(self, claim: Claim) -> None:
        running = RunningJob(self._config, claim, self._devices, self._sweep_ids)
        self._jobs[claim.job.job_id] = running
        self._beats.heard(claim.job.job_id)
        self._fences.heard(running.folder)
        running.begin()
        self._fences.guard(running.folder)
        self._unsaid.add(claim.job.job_id)
        with contextlib.suppress(ClaimLost, DatabaseUnavailable):  # the next beat says it
            self._say_started(running)

    def _say_started(self, running: RunningJob) -> None:
        job_id = running.claim.job.job_id
        if job_id in self._unsaid:
            self._queue.started(running.claim)
            self._unsaid.remove(job_id)

    def _heed_cancels(self) -> None:
        for job_id in self._queue.cancelling(self._host):
            running = self._jobs.get(job_id)
            if running is not None and running.stopping is None:
                job = self._queue.get(job_id)
                running.cancel(job.detail if job is not None else "")

    def _beat(self, running: RunningJob) -> None:
        """Say that the worker is there, as often as it must."""
        job_id = running.claim.job.job_id
        found = running.look_for_sweep()
        if not self._beats.is_due(job_id, BEAT_S) and not found:
            return
        try:
            self._say_started(running)
            if found:
                self._queue.note_sweep(running.claim, running.sweep_id)
            status = self._queue.beat(running.claim, running_s=running.running_s)
        except ClaimLost:
            running.stop(Why.LOST)
            return
        self._beats.heard(job_id)
        self._fences.heard(running.folder)
        if status is JobStatus.CANCELLING:
            running.cancel("")

    def _tick(self, running: RunningJob) -> bool:
        """Look after one job. Whether it has ended, and the queue knows."""
        try:
            end = running.tick()
        except Exception as error:  # noqa: BLE001 - one bad job must not stop all others, and the next worker again
            traceback.print_exc(file=sys.stderr)
            running.give_up(f"the worker failed on it: {type(error).__name__}: {error}")
            end = running.tick()
        if end is None:
            self._fences.guard(running.folder)
            return False
        with self._heard():
            self._ended(running, end)
        return running.claim.job.job_id not in self._jobs

    def _ended(self, running: RunningJob, end: JobEnd) -> None:
        claim, job = running.claim, running.claim.job
        tells = end.status is not None and end.status.is_final
        if end.status is not None:
            if tells:
                try:
                    self._endings.note(running, end.status, told_detail(end.detail, with_log=True))
                except ResultsError as error:
                    self._say(error.message)
            try:
                self._queue.beat(claim, running_s=running.running_s)
                if running.sweep_id and running.sweep_id != job.sweep_id:
                    self._queue.note_sweep(claim, running.sweep_id)
                job = self._queue.ended(claim, end.status, end.detail)
            except ClaimLost as lost:
                self._say(lost.message)
                tells = False
        del self._jobs[claim.job.job_id]
        self._beats.forget(claim.job.job_id)
        self._unsaid.discard(claim.job.job_id)
        running.close()
        detail = told_detail(job.detail, with_log=True)
        self._say(f"job {claim.job.job_id}: {job.status}" + (f": {detail}" if detail else ""))
        if tells:
            self._endings.tell(running.folder)

    def _end_strays(self) -> None:
        for folder, since in tuple(self._strays.items()):
            if not folder.is_running():
                del self._strays[folder]
            elif time.monotonic() - since > KILL_AFTER_S:
                kill_sweep(folder)

    def _shut_down(self) -> None:
        """End all jobs cleanly; they go on when a worker starts."""
        for running in self._jobs.values():
            running.stop(Why.SHUT_DOWN)
        deadline = time.monotonic() + SHUT_DOWN_S
        while (self._jobs or self._strays) and time.monotonic() < deadline:
            for running in tuple(self._jobs.values()):
                self._tick(running)
            self._end_strays()
            time.sleep(SOON_S)

    @contextlib.contextmanager
    def _heard(self) -> Iterator[None]:
        """The database may be away for a while: what runs goes on, and what was to be said is said later."""
        try:
            yield
        except DatabaseUnavailable as error:
            if error.message != self._trouble:
                self._trouble = error.message
                self._say(f"{error.message}; it is tried again")
        else:
            self._trouble = ""
