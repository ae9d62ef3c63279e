"""Tell the operator's own program or service that a job has ended.

What is told lies in the job's folder first, as due. It is marked as being sent before it is sent, and as told after
that. So a job's end is told at most once: if the worker is killed while it tells it, that end isn't told again.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import queue
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Literal

import msgspec

from results.durable import explained, replace_file
from results.errors import Interrupted, ResultsError, UsageError
from results.files import read_file
from results.json_text import NOT_THAT_JSON, encode_indented
from results.plain_text import plain
from runner.notification import Ended, notifying, read_notify
from settings.variables import VARIABLE, expand
from web.jobs.job import JobStatus
from web.working.job_folder import AttemptFolder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from web.config import ServeConfig
    from web.working.running_job import RunningJob

TRIES = 3
PAUSE_S = 2.0
ANSWER_S = 10.0  # how long the service may take to answer
_READ_BYTES = 1 << 12
_WORDS = {JobStatus.COMPLETED: "succeeded", JobStatus.FAILED: "failed", JobStatus.CANCELLED: "cancelled"}


class EndingNote(msgspec.Struct, frozen=True, kw_only=True):
    """What is told of a job's end. state: whether it was."""

    schema_version: int = 1
    state: Literal["due", "sending", "told", "failed"] = "due"
    job_id: str
    attempt: int
    status: str
    user: str
    suite: str
    model_name: str
    project_id: str = ""
    schedule_id: str = ""
    sweep_id: str = ""
    detail: str = ""
    completed_at: float | None = None
    best_score: float | None = None

    def body(self) -> bytes:
        """What the service gets. Nothing in it is secret: neither settings nor keys."""
        told = {
            name: value
            for name, value in msgspec.to_builtins(self).items()
            if name not in {"state", "schema_version"}
        }
        return json.dumps({"event": "job_ended", **told}).encode()


class Endings:
    """Tells ends in a thread of its own. webhook_url: where to POST to; notify_command: as `--notify` of `run`.

    A command or URL that can't work is refused at the start: raises UsageError.
    """

    def __init__(self, config: ServeConfig, say: Callable[[str], None]) -> None:
        self._jobs_dir = config.jobs_dir
        self._command = read_notify(config.notify_command)
        self._url = None if config.webhook_url is None else require_webhook(expand(config.webhook_url))
        self._say = say
        self._due: queue.SimpleQueue[AttemptFolder | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    @property
    def wanted(self) -> bool:
        """Whether anybody is told."""
        return bool(self._command) or self._url is not None

    def note(self, running: RunningJob, status: JobStatus, detail: str) -> None:
        """Write down what is to be told, before the queue hears of the end. Raises ResultsError."""
        if not self.wanted:
            return
        job = running.claim.job
        note = EndingNote(
            job_id=job.job_id,
            attempt=job.attempt,
            status=status.value,
            user=job.user,
            suite=job.suite,
            model_name=job.model_name,
            project_id=job.project_id,
            schedule_id=job.schedule_id,
            sweep_id=running.sweep_id,
            detail=detail,
            completed_at=time.time(),
            best_score=running.best_score(),
        )
        _write(running.folder, note)

    def tell(self, folder: AttemptFolder) -> None:
        """Tell what is due there, soon. Returns at once."""
        if self.wanted:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="endings", daemon=True)
                self._thread.start()
            self._due.put(folder)

    def tell_left(self, has_ended: Callable[[str, int], bool]) -> None:
        """Tell what a killed worker has left to tell. has_ended: whether the queue knows that job's end."""
        if not self.wanted:
            return
        for path in sorted(self._jobs_dir.glob("*/attempt-*/ending.json")):
            folder = AttemptFolder(path.parent)
            note = _read(path)
            if note is not None and note.state == "due" and has_ended(note.job_id, note.attempt):
                self.tell(folder)

    def close(self, within_s: float = 5.0) -> None:
        """Tell what is due, as far as there is time; the rest is told by the next worker."""
        if self._thread is not None:
            self._due.put(None)
            self._thread.join(within_s)

    def _work(self) -> None:
        while (folder := self._due.get()) is not None:
            try:
                self._tell(folder)
            except ResultsError as error:
                self._say(error.message)
            except Exception as error:  # noqa: BLE001 - telling must not end because one end can't be told
                self._say(f"the end of job {folder.job_id} could not be told: {type(error).__name__}")

    def _tell(self, folder: AttemptFolder) -> None:
        note = _read(folder.path / "ending.json")
        if note is None or note.state != "due":
            return
        _write(folder, msgspec.structs.replace(note, state="sending"))
        problems = []
        if self._command:
            problems += _run(self._command, note)
        if self._url is not None and (problem := post(self._url, note.body())):
            problems.append(problem)
        for problem in problems:
            self._say(f"the end of job {note.job_id} could not be told: {plain(problem)}")
        _write(folder, msgspec.structs.replace(note, state="failed" if problems else "told"))


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A service that sends us elsewhere isn't followed: the operator has named one address."""

    def redirect_request(self, *_: object) -> None:
        return None


def post(url: str, body: bytes, *, tries: int = TRIES, pause_s: float = PAUSE_S) -> str:
    """POST JSON there. Returns what went wrong, without the address, which may have a key in it; "" if it was taken.

    Tries again after a failure that may pass: no connection, 429 and 5xx. A redirect is a failure. Proxies of the
    worker's environment are used.
    """
    opener = urllib.request.build_opener(_NoRedirect)
    problem = ""
    for number in range(tries):
        if number:
            time.sleep(pause_s * 2 ** (number - 1))
        request = urllib.request.Request(  # noqa: S310 - only http and https, see require_webhook
            url, data=body, headers={"Content-Type": "application/json", "User-Agent": "bench_runner"}
        )
        try:
            with opener.open(request, timeout=ANSWER_S) as answer:
                answer.read(_READ_BYTES)
                return ""
        except urllib.error.HTTPError as error:
            problem = f"the webhook answered {error.code}"
            error.close()
            if error.code != 429 and error.code < 500:
                return problem
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = getattr(error, "reason", error)
            problem = f"the webhook can't be reached: {type(reason).__name__}"
    return problem


def require_webhook(url: str) -> str:
    """The address of a service. Raises UsageError, without the address: it may have a key in it."""
    try:
        parts = urllib.parse.urlsplit(url)
        well = (
            parts.scheme in {"http", "https"} and bool(parts.hostname) and url.isascii() and url.isprintable()
        )
    except ValueError:
        well = False
    if not well and not VARIABLE.match(url):
        raise UsageError("the webhook must be an address such as https://example.com/hook", hint="correct it")
    return url


def _run(command: tuple[str, ...], note: EndingNote) -> list[str]:
    problems: list[str] = []
    with contextlib.suppress(Interrupted), notifying(command, warn=problems.append) as ended:
        _fill(ended, note)
    return problems


def _fill(ended: Ended, note: EndingNote) -> None:
    ended.run_id = note.job_id
    ended.status = _WORDS.get(JobStatus(note.status), note.status)
    ended.score = note.best_score


def _write(folder: AttemptFolder, note: EndingNote) -> None:
    path = folder.path / "ending.json"
    with explained("write", path):
        replace_file(path, encode_indented(note))


def _read(path: Path) -> EndingNote | None:
    try:
        return msgspec.json.decode(read_file(path), type=EndingNote)
    except (OSError, *NOT_THAT_JSON):
        return None
