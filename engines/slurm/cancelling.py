"""Cancel attempts: a note in their folders, Slurm's signal so that they end cleanly, and its hard end after that."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from engines.node.attempt_files import read_end
from engines.slurm import commands
from engines.slurm.claim import UNKNOWN, ask_to_stop, claim
from engines.slurm.commands import ControllerAwayError
from engines.slurm.job_script import JOB_NAME
from engines.slurm.watch import Handle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engines.contract import Attempt
    from engines.slurm.commands import ListedJob
    from runner.display import Display

LOOK_S: Final = 0.3
AGAIN_S: Final = 2.0  # between two of the same signals
AWAY_S: Final = 20.0  # after which a controller without an answer is left alone
STUCK_S: Final = 60.0  # after which a job that Slurm can't end is


class Cancelling:
    """One cancellation of attempts, also of those that another process started."""

    def __init__(self, attempts: Sequence[Attempt], display: Display) -> None:
        self._attempts = attempts
        self._display = display
        self._handles = [handle for each in attempts if (handle := Handle.read(each.handle)) is not None]
        self._jobs: set[str] = set()  # by which nodes claimed attempts
        self._names = {(handle.name, str(handle.index)) for handle in self._handles}
        self._signalled_s: dict[str, float] = {}

    def work(self, grace_s: float) -> None:
        """Returns once Slurm has none of them, or can't be brought to it. Raises ResultsError."""
        for attempt in self._attempts:
            if read_end(attempt.folder) is None and attempt.folder.is_dir():
                ask_to_stop(attempt.folder)
                held = claim(attempt.folder, "")  # what hasn't begun never will
                if held is not None and held.job not in ("", UNKNOWN):
                    self._jobs.add(held.job)
        if not self._handles:
            return
        began = answered = time.monotonic()
        while True:
            now = time.monotonic()
            try:
                left = self._left()
                if not left:
                    return
                self._signal(left, hard=now >= began + grace_s)
                answered = time.monotonic()
            except ControllerAwayError as error:
                if now > answered + AWAY_S and now > began + grace_s:
                    self._display.say(
                        f"Slurm gives no answer: {error}; the jobs end by a note in their folders"
                    )
                    return
            else:
                if now > began + grace_s + STUCK_S:
                    self._display.say(f"Slurm has not ended {len(left)} jobs yet: see `squeue --me`")
                    return
            time.sleep(LOOK_S)

    def _left(self) -> list[ListedJob]:
        return [
            each
            for each in commands.listed_jobs()
            if each.is_alive
            and (
                (each.name, each.job.rpartition("_")[2]) in self._names
                # A controller that lost its state gives a number again, to any job of this user.
                or (each.job in self._jobs and each.name.startswith(JOB_NAME))
            )
        ]

    def _signal(self, left: Sequence[ListedJob], *, hard: bool) -> None:
        now = time.monotonic()
        due = [each for each in left if now - self._signalled_s.get(each.job, -AGAIN_S) >= AGAIN_S]
        waiting = [each.job for each in left if each.is_waiting]
        if waiting:
            commands.cancel(waiting)
        if hard:
            commands.cancel([each.job for each in due], "--signal=KILL")
        else:
            # Only the unit program, which ends its server and script in order.
            commands.cancel([each.job for each in due if not each.is_waiting], "--signal=TERM", "--batch")
        self._signalled_s |= dict.fromkeys((each.job for each in due), now)
