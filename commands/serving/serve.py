"""`serve`: the dashboard, the API and a worker, on this machine."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from commands.serving.keys import local_user
from commands.serving.options import has_database, read_config, repeated, require_extra, serve_options
from results.views.terminal import say, warn

if TYPE_CHECKING:
    from web.config import ServeConfig
    from web.services import Services

PROGRAM = Path(__file__).resolve().parents[2] / "bench_runner.py"
EXAMPLES = """
\b
Examples:
  bench_runner.py serve
  bench_runner.py serve --models-dir /models --results-dir /data/runs
  bench_runner.py serve --config serve.yaml --database postgresql://bench@db/bench
  bench_runner.py serve --host 0.0.0.0 --allowed-host bench.example.com --proxy 10.0.0.7

\b
For others:
  bench_runner.py keys add ada --role run
"""


@click.command(epilog=EXAMPLES)
@serve_options
@click.option(
    "--host",
    metavar="ADDRESS",
    help="Where to listen. Anything but loopback needs a key and --allowed-host.  [default: 127.0.0.1]",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="N",
    help="The port; 0 takes a free one.  [default: 8765]",
)
@click.option(
    "--allowed-host",
    "allowed_hosts",
    metavar="NAME",
    multiple=True,
    help="A name by which others reach it, such as bench.example.com; may be repeated.",
)
@click.option(
    "--proxy",
    "proxies",
    metavar="ADDRESS",
    multiple=True,
    help="A reverse proxy's address, whose X-Forwarded-For and -Proto are believed; may be repeated.",
)
@click.option("--no-worker", is_flag=True, help="Start no worker; `worker` starts them, here or elsewhere.")
def serve(
    *,
    host: str | None,
    port: int | None,
    allowed_hosts: tuple[str, ...],
    proxies: tuple[str, ...],
    no_worker: bool,
    **options: Any,
) -> None:
    """Show a dashboard of all runs, and run benchmarks for whoever may, through a REST API or a form.

    Prints one link, which works once; others need a key. Ctrl-C stops it, and its jobs, which go on when it
    starts again.
    """
    from web.config_file import require_host_name, require_network

    config = read_config(options)
    config = replace(
        config,
        host=host or config.host,
        port=config.port if port is None else port,
        allowed_hosts=(*config.allowed_hosts, *map(require_host_name, allowed_hosts)),
        proxies=(*config.proxies, *map(require_network, proxies)),
    )
    require_extra()
    _require_safe(config)
    command = () if no_worker else (sys.executable, str(PROGRAM), "worker", *repeated(options, config))
    _serve(config, command)


def _serve(config: ServeConfig, worker_command: tuple[str, ...]) -> None:
    from web.access.sessions import SECRET_FILE, Sessions, link_url
    from web.address_file import note_address, only_server
    from web.app import create_app
    from web.opening import following, no_worker, open_services
    from web.serving import allow_open_files, answer_until_signal, base_url, listen, log_to_stderr
    from web.working.child import WorkerChild

    allow_open_files()
    log_to_stderr()
    child = WorkerChild(worker_command, say=warn) if worker_command else None

    def worker_state() -> str:
        return no_worker() if child is None or child.state == "running" else f"it is {child.state}"

    with only_server(config.state_dir):
        listening, config = listen(config)
        with listening, open_services(config, worker_state=worker_state) as services:
            app = create_app(services)
            address = base_url(config)

            def ready() -> None:
                note_address(config.state_dir, address)
                token = Sessions(config.state_dir / SECRET_FILE).link_token(local_user())
                say(f"dashboard: {link_url(address, token)}")
                say("the link works once, within an hour; `keys link` prints another; Ctrl-C stops", err=True)
                sys.stdout.flush()
                if child is not None:
                    child.start()

            try:
                with following(services, warn):
                    ended_by = answer_until_signal(app, listening, ready=ready)
                    say(f"stopping, by {ended_by}: running jobs are ended, to go on later", err=True)
            finally:
                if child is not None:
                    child.stop()
            say(f"stopped; {_jobs_left(services)}", err=True)


def _jobs_left(services: Services) -> str:
    """What becomes of the jobs that haven't ended."""
    from web.jobs.job import JobStatus
    from web.jobs.queue import JobQuery

    def count(*statuses: JobStatus) -> int:
        return services.queue.jobs(JobQuery(statuses=statuses, limit=1)).total

    running = count(JobStatus.RUNNING, JobStatus.CANCELLING)
    interrupted, waiting = count(JobStatus.INTERRUPTED), count(JobStatus.PENDING)
    parts = [
        f"{running} {_jobs(running)} still running, in processes of their own" if running else "",
        f"{interrupted} {_jobs(interrupted)} interrupted and will go on" if interrupted else "",
        f"{waiting} {_jobs(waiting)} waiting" if waiting else "",
    ]
    told = ", ".join(part for part in parts if part)
    return f"{told}: start serve again to go on" if told else "no jobs were running or waiting"


def _jobs(count: int) -> str:
    return "job is" if count == 1 else "jobs are"


def _require_safe(config: ServeConfig) -> None:
    """Raise UsageError if strangers could reach it before anybody has a key."""
    from results.errors import UsageError
    from web.serving import is_loopback

    if is_loopback(config.host):
        return
    if not _has_key(config):
        raise UsageError(
            f"--host {config.host} can be reached from elsewhere, and there is no key",
            hint="add one first: bench_runner.py keys add NAME --role admin",
        )
    if not config.allowed_hosts:
        raise UsageError(
            f"--host {config.host} can be reached from elsewhere, and no name is allowed",
            hint="name it as others do: --allowed-host bench.example.com",
        )


def _has_key(config: ServeConfig) -> bool:
    """Whether anybody has a key. Makes no database."""
    if not has_database(config):
        return False
    from web.database.database import open_database
    from web.jobs.keys import Keys

    database = open_database(config)
    try:
        return any(key.revoked_at is None for key in Keys(database).list())
    finally:
        database.close()
