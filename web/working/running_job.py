"""One job that a worker has: its process, its time, its end."""

from __future__ import annotations

import contextlib
import enum
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from processes.bounded_log import Log
from processes.detached import AlreadyRunning
from results.errors import BenchError, ResultsError
from results.files import open_to_append
from sweeps.without_coordinator import is_out
from web.jobs.job import LOG_BEGINS, JobStatus
from web.working.job_folder import AttemptFolder, Starts, find_sweep
from web.working.job_process import (
    ask_to_end,
    kill_left_behind,
    kill_sweep,
    left_behind,
    start_cancel,
    start_sweep,
)
from web.working.outcome import ERROR, JobOutcome, ask_for_retries, last_words, sweep_outcome
from web.working.progress import waits_for_device

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from web.config import ServeConfig
    from web.jobs.claiming import Claim
    from web.working.devices import Devices

KILL_AFTER_S = 8.0  # after the signal that asks the sweep to end
LEFT_BEHIND_S = 3.0  # how long what it started may take to end after it; then it is killed
FRUITLESS_STARTS = 5  # in a row, after which a job has failed
REST_S, LONGEST_REST_S = 0.5, 30.0
PROVIDER_REST_S = 60.0
SOON_S, LATER_S = 0.05, 1.0
COUNT_S = 15.0  # how often its time is written down


class Why(enum.Enum):
    """Why a job is stopped."""

    CANCELLED = "cancelled"
    TOO_LONG = "too long"
    SHUT_DOWN = "shut down"
    LOST = "lost"  # another worker has it, or nobody


@dataclass(frozen=True)
class JobEnd:
    """How it ended. status: INTERRUPTED if it shall go on; None: it isn't this worker's to say."""

    status: JobStatus | None
    detail: str = ""


class RunningJob:
    """Call `begin` once, and `tick` again and again until it gives the end."""

    def __init__(
        self,
        config: ServeConfig,
        claim: Claim,
        devices: Devices,
        sweep_ids: dict[str, str],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.claim = claim
        self.folder = AttemptFolder.of(config.jobs_dir, claim.job.job_id, claim.job.attempt)
        self.sweep_id = claim.job.sweep_id
        self.stopping: Why | None = None
        self.running_s = 0.0
        self._config = config
        self._devices = devices
        self._sweep_ids = sweep_ids
        self._clock = clock
        self._started: subprocess.Popen[bytes] | None = None
        self._pidfd = -1
        self._signalled = False
        self._stop_at = 0.0
        self._died_at: float | None = None
        self._rest_until: float | None = None
        self._counted = 0.0  # monotonic
        self._written = 0.0
        self._end: JobEnd | None = None
        self._cancelled = claim.job.detail

    def begin(self) -> None:
        """Start its sweep, or take over the one that runs already. If that fails, `tick` says so."""
        self._counted = self._written = time.monotonic()
        try:
            self.folder.make(self.claim.job.manifest)
            starts = self.folder.read_starts()
            self.running_s = starts.running_s
            if self.folder.is_running():
                if not waits_for_device(self.folder) and starts.counted_s:
                    self.running_s += max(0.0, self._clock() - starts.counted_s)
            else:
                if starts.count == 0:
                    self._follow_on()
                # It died while no worker was there, or isn't wanted any more.
                if starts.count > starts.concluded or self.claim.job.status is JobStatus.CANCELLING:
                    self._died_at = time.monotonic()
                else:
                    self._start()
        except AlreadyRunning:  # found just now
            return
        except BenchError as error:
            self._end = _cannot_start(error)
        finally:
            if self.claim.job.status is JobStatus.CANCELLING:
                self.stop(Why.CANCELLED)

    @property
    def look_again_s(self) -> float:
        """When `tick` should come again."""
        if self._end is not None or self.stopping is not None or self._died_at is not None:
            return SOON_S
        if self._rest_until is not None:
            return min(LATER_S, max(SOON_S, self._rest_until - time.monotonic()))
        return LATER_S

    def look_for_sweep(self) -> bool:
        """Whether its sweep has been found just now."""
        if self.sweep_id:
            return False
        sweep = find_sweep(self._config.results_dir, self.folder.job_id, self._sweep_ids)
        self.sweep_id = "" if sweep is None else sweep.sweep_id
        return bool(self.sweep_id)

    def fileno(self) -> int:
        """Readable when its process has ended, for event loops; -1 if there is none, or it isn't known yet."""
        if self._pidfd < 0 and self._died_at is None and self._rest_until is None:
            member = self.folder.process()
            if member is not None:
                with contextlib.suppress(OSError):
                    self._pidfd = os.pidfd_open(member.pid)
        return self._pidfd

    def stop(self, why: Why) -> None:
        """Ask it to end. The first reason counts, but a lost claim always."""
        if self.stopping is None:
            self._stop_at = time.monotonic()
            self._signalled = ask_to_end(self.folder)
        if (
            self.stopping is None
            or why is Why.LOST
            or (why is Why.CANCELLED and self.stopping is Why.SHUT_DOWN)
        ):
            self.stopping = why

    def cancel(self, by: str) -> None:
        """End it, because somebody wants that. by: in words, such as "cancelled by ann"; "" if not known."""
        self._cancelled = by or self._cancelled
        self.stop(Why.CANCELLED)

    def tick(self) -> JobEnd | None:
        """Look after it. Returns its end, again and again, once nothing of it is left."""
        if self._end is None:
            try:
                self._look()
            except AlreadyRunning:  # found again: it runs
                self._rest_until = None
            except BenchError as error:
                self._end = _cannot_start(error)
        return self._end

    def give_up(self, detail: str) -> None:
        """End it as failed, at once, with all that runs of it."""
        kill_sweep(self.folder)
        kill_left_behind(self.folder)
        self._end = JobEnd(JobStatus.FAILED, detail)

    def best_score(self) -> float | None:
        """The highest score of its runs, in percent; None if there is none."""
        try:
            sweep = find_sweep(self._config.results_dir, self.folder.job_id, self._sweep_ids)
            found = {} if sweep is None else sweep.runs(warn=lambda _: None)
        except ResultsError:
            return None
        scores = [record.results.score for _, record in found.values()]
        return max((score for score in scores if score is not None), default=None)

    def close(self) -> None:
        """Let go of it. What runs, runs on."""
        self._forget_process()

    def _look(self) -> None:
        if self._rest_until is not None:
            self._rest()
        elif self.folder.is_running():
            self._died_at = None
            self._count()
            if self.stopping is not None:
                self._press()
            elif self.running_s > self._config.limits.job_s:
                self.stop(Why.TOO_LONG)
        else:
            self._conclude()

    def _rest(self) -> None:
        if self.stopping is not None:
            self._rest_until = None
            self._died_at = time.monotonic()
        elif time.monotonic() >= (self._rest_until or 0.0):
            self._rest_until = None
            self._start()

    def _press(self) -> None:
        """It was asked to end and hasn't yet."""
        waited_s = time.monotonic() - self._stop_at
        if not self._signalled:
            self._signalled = ask_to_end(self.folder)
        if waited_s > KILL_AFTER_S:
            kill_sweep(self.folder)
        if waited_s > KILL_AFTER_S + LEFT_BEHIND_S:
            kill_left_behind(self.folder)

    def _conclude(self) -> None:
        """Its process has ended: what it started ends with it, and then its records say what has become of it."""
        if self._died_at is None:
            self._died_at = time.monotonic()
            self._forget_process()
        if left_behind(self.folder):
            if time.monotonic() - self._died_at > LEFT_BEHIND_S:
                kill_left_behind(self.folder)
            return
        self._forget_process()
        sweep = find_sweep(self._config.results_dir, self.folder.job_id, self._sweep_ids)
        outcome = JobOutcome(status=JobStatus.INTERRUPTED) if sweep is None else sweep_outcome(sweep)
        self.sweep_id = sweep.sweep_id if sweep is not None else self.sweep_id
        starts = self._concluded(outcome)
        if self.stopping in {Why.CANCELLED, Why.TOO_LONG} and sweep is not None and is_out(sweep):
            start_cancel(
                self.folder,
                results_dir=self._config.results_dir,
                manifest=self.claim.job.manifest,
                sweep=sweep,
            )
        if self.stopping is Why.LOST:
            self._end = JobEnd(None)
        elif outcome.status is not JobStatus.INTERRUPTED:
            self._end = JobEnd(outcome.status, outcome.detail)
        elif self.stopping is not None:
            self._end = self._stopped(outcome)
        elif starts.fruitless >= FRUITLESS_STARTS:
            self._end = JobEnd(JobStatus.FAILED, self._why_fruitless(starts, outcome))
        else:
            rest_s = min(REST_S * 2**starts.fruitless, LONGEST_REST_S) if starts.fruitless else 0.0
            if outcome.waits_for_provider:
                rest_s = PROVIDER_REST_S * 2**starts.fruitless
            self._died_at, self._rest_until = None, time.monotonic() + rest_s

    def _concluded(self, outcome: JobOutcome) -> Starts:
        """Write down what has come of the last start, once."""
        starts = self.folder.read_starts()
        if starts.concluded >= starts.count:
            return starts
        began = self.folder.lock_text() != starts.lock
        more = outcome.runs_done > starts.runs_done or outcome.samples_done > starts.samples_done
        words = last_words(self.folder, starts.log_bytes)
        error = outcome.detail or (words if words.startswith(ERROR) else "")
        fruitless = 0 if more else starts.fruitless + (began and self.stopping is None)
        if (
            fruitless > starts.fruitless
            and error
            and error == starts.error
            and not outcome.waits_for_provider
        ):
            fruitless = FRUITLESS_STARTS  # the same again: it won't become better
        starts = replace(
            starts,
            concluded=starts.count,
            fruitless=fruitless,
            error="" if more else error,
            running_s=self.running_s,
            counted_s=self._clock(),
        )
        self.folder.write_starts(starts)
        return starts

    def _stopped(self, outcome: JobOutcome) -> JobEnd:
        kept = (
            f"{outcome.runs_done} of {outcome.runs_total} runs had ended"
            if outcome.runs_total
            else "nothing had begun"
        )
        if self.stopping is Why.SHUT_DOWN:
            return JobEnd(
                JobStatus.INTERRUPTED, f"the worker was stopped; {kept}; it goes on when a worker starts"
            )
        if self.stopping is Why.CANCELLED:
            return JobEnd(JobStatus.CANCELLED, f"{self._cancelled or 'cancelled'}; {kept}")
        hours = self._config.limits.job_s / 3600
        return JobEnd(
            JobStatus.FAILED,
            f"stopped after {hours:.3g} h of running, the limit for a job; {kept}, and are kept",
        )

    def _why_fruitless(self, starts: Starts, outcome: JobOutcome) -> str:
        without = min(starts.count, starts.fruitless)
        tries = f"started {starts.count} times, the last {without} without progress"
        if outcome.detail:
            return f"{outcome.detail} ({tries})"
        words = (starts.error or last_words(self.folder, starts.log_bytes)).removeprefix(ERROR).strip()
        return f"{tries}{LOG_BEGINS}{words or 'it ended, and printed nothing'}"

    def _follow_on(self) -> None:
        """A new attempt goes on with the sweep of the one before it, if that can be read, and tries again what failed.

        It is asked for here, before the sweep's process lives: else one that ends early would have failed as before.
        """
        sweep = find_sweep(self._config.results_dir, self.folder.job_id, self._sweep_ids)
        if sweep is not None:
            self.running_s = max(
                self.running_s, self.claim.job.running_s
            )  # what other hosts have used of its time
            ask_for_retries(sweep)

    def _start(self) -> None:
        sweep = find_sweep(self._config.results_dir, self.folder.job_id, self._sweep_ids)
        outcome = JobOutcome(status=JobStatus.INTERRUPTED) if sweep is None else sweep_outcome(sweep)
        starts = self.folder.read_starts()
        again = starts.count == 0 and sweep is not None
        self.folder.write_starts(
            replace(
                starts,
                count=starts.count + 1,
                runs_done=outcome.runs_done,
                samples_done=outcome.samples_done,
                log_bytes=self.folder.log_bytes(),
                lock=self.folder.lock_text(),
                running_s=self.running_s,
                counted_s=self._clock(),
            )
        )
        self._started = start_sweep(
            self.folder,
            results_dir=self._config.results_dir,
            manifest=self.claim.job.manifest,
            sweep=sweep,
            retry_failed=again,
            device=self._devices.shown(self.claim.job.device),
        )
        self._counted = time.monotonic()

    def _count(self) -> None:
        """Add the time since the last look, unless the sweep waits for a device."""
        now = time.monotonic()
        if not waits_for_device(self.folder):
            self.running_s += now - self._counted
        self._counted = now
        if now - self._written >= COUNT_S:
            self._written = now
            self._bound_log()
            with contextlib.suppress(ResultsError):  # a full disk costs only this
                starts = self.folder.read_starts()
                self.folder.write_starts(replace(starts, running_s=self.running_s, counted_s=self._clock()))

    def _bound_log(self) -> None:
        with contextlib.suppress(OSError), open_to_append(self.folder.log) as file:
            log = Log(file.fileno())
            log.began = 0
            log.bound()
            if log.fd >= 0:
                os.close(log.fd)

    def _forget_process(self) -> None:
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1
        if self._started is not None and self._started.poll() is not None:
            self._started = None


def _cannot_start(error: BenchError) -> JobEnd:
    hint = f" ({error.hint})" if error.hint else ""
    return JobEnd(JobStatus.FAILED, f"{error.message}{hint}")
