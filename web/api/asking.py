"""What endpoints share: who may, which job is meant, and what an error of the queue or the catalogue becomes."""

from __future__ import annotations

import contextlib
import datetime as dt
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Path
from pydantic import BaseModel, ConfigDict

from web.access.caller import Caller, may
from web.access.role import Role
from web.api.every_mistake import refused
from web.catalogue.mistakes import RequestRefused, in_one_line
from web.catalogue.preflight import ASK_AGAIN_S, PreflightBusy
from web.errors import ApiError
from web.jobs.refusals import KeyReused, NoSuchJob, QueueFull, WrongStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from results.errors import ResultsError
    from web.jobs.job import Job
    from web.services import Services

Reader = Annotated[Caller, Depends(may(Role.READ))]
Runner = Annotated[Caller, Depends(may(Role.RUN))]
JobId = Annotated[str, Path(max_length=64, description="What POST /run answered.")]
RunId = Annotated[str, Path(max_length=255, description="The whole id of a run.")]


class Answer(BaseModel):
    """The base of all answers. They are plain values, which pages may use too."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


class Problem(BaseModel):
    """An error. detail: what is wrong, in words."""

    detail: str


NOT_FOUND: dict[int | str, dict[str, Any]] = {404: {"model": Problem, "description": "There is none"}}
CONFLICT: dict[int | str, dict[str, Any]] = {409: {"model": Problem, "description": "Not in this state"}}


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Within the block, the queue's and the catalogue's refusals become answers."""
    try:
        yield
    except RequestRefused as error:
        raise refused(error.mistakes) from error
    except QueueFull as error:
        raise ApiError(429, in_one_line(error), retry_after_s=error.retry_after_s) from error
    except PreflightBusy as error:
        raise ApiError(429, in_one_line(error), retry_after_s=ASK_AGAIN_S) from error
    except NoSuchJob as error:
        raise ApiError(404, in_one_line(error)) from error
    except (WrongStatus, KeyReused) as error:
        raise ApiError(409, in_one_line(error)) from error


def find_job(services: Services, job_id: str) -> Job:
    """Raises ApiError (404) for an id that no job has."""
    job: Job | None = services.queue.get(job_id)
    if job is None:
        raise ApiError(404, "there is no job with that id")
    return job


def find_own_job(services: Services, job_id: str, caller: Caller) -> Job:
    """A job that the caller posted; an admin has all of them. Raises ApiError: 404, or 403 for another user's."""
    job = find_job(services, job_id)
    require_own(job.user, caller)
    return job


def may_read_log(user: str, caller: Caller) -> bool:
    """Whether that user's jobs' logs, and what is quoted of them, are the caller's to read."""
    return user == caller.user or caller.role.includes(Role.ADMIN)


def require_own(user: str, caller: Caller) -> None:
    """Raise ApiError (403) unless it is the caller's, or the caller an admin."""
    if not may_read_log(user, caller):
        raise ApiError(403, "this is another user's; only they and admins may do that")


def moment(seconds: float) -> dt.datetime:
    """A time of the queue, in UTC."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


def moment_or_none(seconds: float | None) -> dt.datetime | None:
    """The same, if there is one."""
    return None if seconds is None else moment(seconds)


def unreadable(error: ResultsError) -> ApiError:
    """Results that can't be read: damaged, or of a newer version."""
    return ApiError(409, in_one_line(error))
