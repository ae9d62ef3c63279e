"""How attempts end: by `end.json` on the shared folder, by one list of all jobs, and by which job claimed which one."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from engines.contract import EndKind, UnitEnd
from engines.node.attempt_files import LOG, read_end
from engines.slurm.claim import (
    UNKNOWN,
    ask_to_stop,
    claim,
    is_asked_to_stop,
    is_cancelled,
    read_claim,
    seen_anew,
)
from engines.slurm.commands import ControllerAwayError, listed_jobs
from results.files import open_to_read
from results.plain_text import tail

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engines.contract import Attempt
    from engines.node.attempt_files import NodeEnd
    from engines.slurm.commands import ListedJob
    from engines.slurm.settings import Settings
    from runner.display import Display

SOONEST_S: Final = 2.0  # between two questions, after something has changed
SOONEST_EACH_S: Final = 0.01  # and more for each job: a list of many is work for the controller
SLOWER: Final = 1.5
MOST_AWAY_S: Final = 60.0  # between two questions to a controller that is away
TELL_AWAY_S: Final = 20.0
TELL_WAITING_S: Final = 20.0
CANCELLED: Final = "CANCELLED"
NODE_FAIL: Final = "NODE_FAIL"
SURELY_ENDED: Final = ("FAILED", "TIMEOUT", "OUT_OF_MEMORY", "DEADLINE", "PREEMPTED", "BOOT_FAIL")
STOPS_S: Final = 5.0  # a program that is asked to stop has done so by then
AT_ONCE: Final = "0:00"  # how long a job ran that could not begin
_MOST_LINE: Final = 4096


@dataclass(frozen=True)
class Handle:
    """By what an attempt is found again: the array's unique name, its index, and the job's number once known."""

    name: str
    index: int
    number: str = ""

    def __str__(self) -> str:
        return f"{self.name}/{self.index}" + (f"/{self.number}" if self.number else "")

    @property
    def job(self) -> str:
        """As squeue has it; "" if not known."""
        return f"{self.number}_{self.index}" if self.number else ""

    @classmethod
    def read(cls, text: str) -> Handle | None:
        """None if it is none of ours."""
        name, _, rest = text.partition("/")
        index, _, number = rest.partition("/")
        return cls(name, int(index), number) if name and index.isdigit() else None


@dataclass
class Watched:
    """An attempt in Slurm. job: JOB_INDEX; "" until known. ended_s: since when it has no job any more."""

    attempt: Attempt
    handle: Handle
    job: str = ""
    state: str = ""
    node: str = ""
    reason: str = ""
    used: str = ""
    ended_s: float | None = None
    is_anothers: bool = False  # the job has a name that we don't know: it was submitted twice

    @classmethod
    def of(cls, attempt: Attempt, handle: Handle) -> Watched:
        return cls(attempt, handle, job=handle.job, node=attempt.place)


@dataclass
class Watch:
    """All attempts that are in Slurm. Asks more often while jobs begin or go away, and at least every `poll_s`. What
    ends as it should is seen on the shared folder.
    """

    settings: Settings
    display: Display
    jobs: dict[str, Watched] = field(default_factory=dict)  # by the attempt's name
    _ask_s: float = 0.0
    _every_s: float = 0.0
    _answered_s: float = field(default_factory=time.monotonic)
    _is_away: bool = False
    _told_away: bool = False
    _told_waiting_s: float = field(default_factory=time.monotonic)
    waits: str = ""  # what jobs wait for, in Slurm's words

    def add(self, attempt: Attempt, handle: Handle) -> None:
        self.jobs[attempt.name] = Watched.of(attempt, handle)
        self.ask_soon()

    def ask_soon(self) -> None:
        self._every_s = self._soonest_s
        self._ask_s = min(self._ask_s, time.monotonic() + self._every_s)

    @property
    def _soonest_s(self) -> float:
        return min(SOONEST_S + SOONEST_EACH_S * len(self.jobs), self.settings.poll_s)

    def look(self) -> Iterator[UnitEnd]:
        """The attempts that have ended since. Raises ResultsError."""
        now = time.monotonic()
        if not self.jobs:
            self.waits = ""
        elif now >= self._ask_s:
            self._ask(now)
        for watched in list(self.jobs.values()):
            end = self._end(watched)
            if end is not None:
                del self.jobs[watched.attempt.name]
                yield end

    def _ask(self, now: float) -> None:
        try:
            listed = listed_jobs()
        except ControllerAwayError as error:
            self._is_away = True
            self.waits = f"Slurm gives no answer: {error}"
            self._every_s = min(max(self._every_s, self._soonest_s) * 2, MOST_AWAY_S)
            if not self._told_away and now - self._answered_s > TELL_AWAY_S:
                self._told_away = True
                self.display.say(f"Slurm gives no answer: {error}; what runs goes on, and it is asked again")
        else:
            if self._told_away:
                self.display.say("Slurm answers again")
            self._answered_s, self._is_away, self._told_away = time.monotonic(), False, False
            changed = self.take(listed)
            self._every_s = self._soonest_s if changed else min(self._every_s * SLOWER, self.settings.poll_s)
            self._tell_waiting()
        self._ask_s = time.monotonic() + self._every_s

    def take(self, listed: Sequence[ListedJob]) -> bool:
        """Note what squeue said. Returns whether anything has changed."""
        by_job = {each.job: each for each in listed}
        by_name = {(each.name, each.job.rpartition("_")[2]): each for each in listed}
        changed = False
        for watched in self.jobs.values():
            before = watched.state
            found = by_name.get((watched.handle.name, str(watched.handle.index)))
            if watched.is_anothers:  # not always: a controller that lost its state gives numbers again
                found = by_job.get(watched.job)
            if found is not None:
                watched.job, watched.state, watched.reason = found.job, found.state, found.reason
                watched.node, watched.used = found.node or watched.node, found.used
            elif watched.ended_s is None:
                watched.state = ""  # it ended while nobody looked
            if found is not None and found.is_alive:
                watched.ended_s = None
            elif watched.ended_s is None:
                watched.ended_s = time.monotonic()
                changed = True
            changed = changed or watched.state != before
        return changed

    def _end(self, watched: Watched) -> UnitEnd | None:
        attempt = watched.attempt
        seen_anew(attempt.folder)
        there = read_end(attempt.folder)
        if there is not None and there.kind is not EndKind.CANCELLED:
            return self._as_written(watched, there)
        if watched.ended_s is None:
            # Nobody can say that its job is gone, but it has written the last thing that it writes.
            if there is not None and self._is_away and is_cancelled(attempt.folder):
                return self._stopped(watched, there)
            return None
        if there is not None:
            return self._stopped(watched, there)
        cancelled = is_cancelled(attempt.folder)
        if time.monotonic() - watched.ended_s < self._settled_s(watched) and not cancelled:
            return None
        return self._without_end(watched, cancelled=cancelled or watched.state == CANCELLED)

    def _settled_s(self, watched: Watched) -> float:
        """How long after its job was gone an attempt without an end is given up. Its program may live on, on a node
        that Slurm lost or with a job that it forgot: it is asked to stop, and what it did until then counts.
        """
        settle_s = self.settings.settle_s
        folder = watched.attempt.folder
        held = read_claim(folder)
        if held is None or held.job != watched.job or not watched.job or watched.state in SURELY_ENDED:
            return settle_s
        note_s = 0.0 if watched.state == NODE_FAIL else settle_s
        if watched.ended_s is not None and time.monotonic() - watched.ended_s >= note_s:
            ask_to_stop(folder, lost=True)
        return max(settle_s, note_s + STOPS_S)

    def _as_written(self, watched: Watched, there: NodeEnd) -> UnitEnd:
        return UnitEnd(
            attempt=watched.attempt,
            kind=there.kind,
            why=there.why,
            hint=there.hint,
            place=watched.node or _node(watched),
            elsewhere=there.elsewhere,
        )

    def _stopped(self, watched: Watched, there: NodeEnd) -> UnitEnd:
        """The program was asked to stop: by `cancel`, by somebody's scancel, or by Slurm itself."""
        if _is_by_slurm(watched):
            kind, why = EndKind.LOST, f"Slurm cancelled job {watched.job} itself"
        elif watched.state == CANCELLED or is_cancelled(watched.attempt.folder):
            kind, why = EndKind.CANCELLED, there.why
        elif is_asked_to_stop(watched.attempt.folder):
            kind, why = EndKind.LOST, f"job {watched.job} is gone{_state(watched)}"
        else:
            kind = EndKind.LOST
            why = f"Slurm stopped job {watched.job}{_state(watched)}: it came near its time limit, or had to make room"
        return UnitEnd(attempt=watched.attempt, kind=kind, why=why, place=watched.node or _node(watched))

    def _without_end(self, watched: Watched, *, cancelled: bool) -> UnitEnd | None:
        """Its job is gone, and left no end."""
        attempt = watched.attempt
        held = read_claim(attempt.folder) or claim(attempt.folder, "")
        if held is not None and held.job not in ("", UNKNOWN, watched.job):
            # It was submitted twice, because an answer got lost, and the other one has it.
            watched.job, watched.node, watched.state, watched.ended_s = held.job, held.node, "", None
            watched.is_anothers = True
            self.ask_soon()
            return None
        by_slurm = _is_by_slurm(watched)
        ask_to_stop(attempt.folder, lost=True)  # if it lives on, on a node that Slurm can't reach
        job = f"job {watched.job}" if watched.job else "its job"
        begun = held is not None and bool(held.job)
        if by_slurm:
            kind, why, hint = EndKind.LOST, f"Slurm could not start {job} on {watched.node}", "see `sinfo -R`"
        elif cancelled:
            kind, why, hint = EndKind.CANCELLED, f"{job} was cancelled", ""
        elif not begun:
            kind, why = EndKind.LOST, f"{job} ended{_state(watched)} before it began"
            hint = "see unit.log in its folder; do the nodes see the results folder, checkout and python at that path?"
            why += _last_line(attempt)
        else:
            kind, why, hint = EndKind.LOST, f"{job} is gone{_state(watched)}", ""
        return UnitEnd(attempt=attempt, kind=kind, why=why, hint=hint, place=watched.node or _node(watched))

    def _tell_waiting(self) -> None:
        waiting = [each for each in self.jobs.values() if each.state == "PENDING"]
        now = time.monotonic()
        reasons = sorted({each.reason for each in waiting if each.reason not in ("", "None")})
        why = f": {', '.join(reasons[:3])}" if reasons else ""
        self.waits = f"{len(waiting)} of {len(self.jobs)} jobs wait in Slurm's queue{why}" if reasons else ""
        if not waiting:
            self._told_waiting_s = now
        elif now - self._told_waiting_s > TELL_WAITING_S:
            self._told_waiting_s = now + 15 * TELL_WAITING_S
            self.display.say(self.waits or f"{len(waiting)} of {len(self.jobs)} jobs wait in Slurm's queue")


def _is_by_slurm(watched: Watched) -> bool:
    """Whether Slurm itself cancelled the job: a node that can't begin a job has it cancelled in the same second, also
    one that runs there already, of which a controller that was killed doesn't know any more. Whoever cancels a job that
    waits does so before it has a node.
    """
    if watched.state != CANCELLED or not watched.node or is_cancelled(watched.attempt.folder):
        return False
    folder = watched.attempt.folder
    held = read_claim(folder)
    has_begun = (folder / LOG).exists() or (held is not None and bool(held.job))
    return watched.used == AT_ONCE or not has_begun


def _node(watched: Watched) -> str:
    held = read_claim(watched.attempt.folder)
    return held.node if held is not None else ""


def _state(watched: Watched) -> str:
    return f" ({watched.state})" if watched.state else ""


def _last_line(attempt: Attempt) -> str:
    """What a job said before it could say how it ended."""
    try:
        with open_to_read(attempt.folder / LOG) as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _MOST_LINE))
            said = tail(file.read(_MOST_LINE).decode(errors="replace"), lines=1).strip()
    except OSError:
        return ""
    return f": {said}" if said else ""
