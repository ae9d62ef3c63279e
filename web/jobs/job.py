"""What a job is."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

LOG_BEGINS = "\n"  # in a job's detail
_IN_A_LINE = {ord("\n"): " "}


class JobStatus(enum.StrEnum):
    """INTERRUPTED: its harness or host died, or the worker was stopped; it goes on by itself."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen to the job by itself."""
        return self in {JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED}


class Priority(enum.IntEnum):
    """HIGH: somebody waits for it. LOW: what a schedule posts."""

    LOW = 0
    NORMAL = 1
    HIGH = 2


@dataclass(frozen=True, kw_only=True)
class NewJob:
    """A job to be added. manifest: the JSON text of its sweep, with names of variables, never their values.
    suite, model_name: what a list shows, of all its runs. needs_device: whether it serves a model on the worker's
    machine. names: what it is found by besides, from `names_of`.
    """

    user: str
    suite: str
    model_name: str
    manifest: str
    priority: Priority = Priority.HIGH
    project_id: str = ""
    needs_device: bool = True
    estimated_duration_s: float | None = None
    schedule_id: str = ""
    names: str = ""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One job. Times are seconds since the epoch, UTC. attempt: 1 at first; more after its host died or a retry.
    host: of the worker that has it, or had it last; "" if none. device: that it holds; "" if none. sweep_id: "" until
    it has begun. running_s: its time so far, without waiting for a device. detail: why it failed, in words; what it
    quotes of the job's log follows LOG_BEGINS, see `told_detail`.
    """

    job_id: str
    user: str
    status: JobStatus
    suite: str
    model_name: str
    manifest: str
    priority: Priority
    project_id: str
    needs_device: bool
    estimated_duration_s: float | None
    schedule_id: str
    created_at: float
    started_at: float | None
    completed_at: float | None
    attempt: int
    host: str
    device: str
    sweep_id: str
    running_s: float
    detail: str


def names_of(suites: Iterable[str], models: Iterable[str]) -> str:
    """All of them as one text, in which `name_line` finds each."""
    lines = [name_line("suite", each) for each in suites] + [name_line("model", each) for each in models]
    return "".join(dict.fromkeys(lines))


def name_line(kind: str, name: str) -> str:
    """What the names of a job have, each once, if it is a suite's or a model's."""
    return f"\n{kind} {name.translate(_IN_A_LINE)}\n"


def told_detail(detail: str, *, with_log: bool) -> str:
    """A job's detail in one line. with_log: whether its reader may read the job's log, and so what is quoted of it."""
    plain, _, log = detail.partition(LOG_BEGINS)
    return f"{log} ({plain})" if log and with_log else plain
