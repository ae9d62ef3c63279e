"""What an operator sets for `serve` and its workers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

API_ROOT = "/api/v1/benchmarking"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much at once. jobs_at_once: over all workers. queued_per_user: jobs that wait. job_s: how long a job may
    run, without the time that it waits for a device. requests_per_minute: of one user, of the API;
    as many of the pages. body_bytes: of one request. streams: open event streams, of all users.
    """

    jobs_at_once: int = 3
    queued_per_user: int = 10
    job_s: float = 3 * 3600.0
    requests_per_minute: int = 100
    body_bytes: int = 1 << 20
    streams: int = 200


@dataclass(frozen=True, kw_only=True)
class ServeConfig:
    """results_dir: the runs that are shown, and where jobs put theirs. state_dir: the database and the jobs' folders,
    readable by this user only. database_url: of a PostgreSQL database; None: SQLite in state_dir. models_dir: the
    models that a request may name; None: only the built-in demo model. allowed_hosts: names by which it may be reached,
    besides loopback. proxies: addresses or networks of reverse proxies, whose X-Forwarded-For and X-Forwarded-Proto
    are believed. servers, providers: by the name that a request gives; the settings of `run` that it stands for.
    engines: by the name that a request gives; the manifest's `engine:` part that it stands for.
    data: by name, a file that a request may give as its data. notify_command: as `--notify` of `run`.
    webhook_url: where the end of each job is POSTed to, with ${NAME} for variables of the worker; never shown.
    keep_jobs_days: how long the folder of a job that has ended is kept, with its log.
    """

    results_dir: Path
    state_dir: Path
    database_url: str | None = None
    models_dir: Path | None = None
    host: str = "127.0.0.1"
    port: int = 8765
    allowed_hosts: tuple[str, ...] = ()
    proxies: tuple[str, ...] = ()
    servers: dict[str, dict[str, object]] = field(default_factory=dict)
    providers: dict[str, dict[str, object]] = field(default_factory=dict)
    engines: dict[str, dict[str, object]] = field(default_factory=dict)
    data: dict[str, Path] = field(default_factory=dict)
    notify_command: str | None = None
    webhook_url: str | None = None
    keep_jobs_days: int = 90
    limits: Limits = Limits()

    @property
    def jobs_dir(self) -> Path:
        """A folder a job, by its id."""
        return self.state_dir / "jobs"
