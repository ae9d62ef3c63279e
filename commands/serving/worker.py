"""`worker`: run the jobs of `serve`, on this host or another one."""

from __future__ import annotations

from typing import Any

import click

from commands.serving.options import read_config, require_extra, serve_options

EXAMPLES = """
\b
Examples:
  bench_runner.py worker
  bench_runner.py worker --database postgresql://bench@db.example/bench --results-dir /shared/results
"""


@click.command(epilog=EXAMPLES)
@serve_options
def worker(**options: Any) -> None:
    """Run the jobs that `serve` takes, until it is stopped.

    `serve` starts one by itself. Start more on other hosts, with the same --database. SIGTERM and Ctrl-C stop the jobs
    cleanly, and they go on when a worker starts again. A killed worker leaves its jobs running, for the next one.
    """
    config = read_config(options)
    require_extra()
    from results.durable import explained
    from results.views.terminal import say as print_line
    from web.database.database import open_database
    from web.jobs.queue import Queue
    from web.jobs.schedules import Schedules
    from web.working.control import Control
    from web.working.devices import find_devices, host_name
    from web.working.worker import Worker

    def say(text: str) -> None:
        print_line(f"worker: {text}", err=True)

    with explained("make", config.results_dir):  # once: if it goes later, its disk isn't mounted
        config.results_dir.mkdir(parents=True, exist_ok=True)
    database = open_database(config)
    try:
        with Control.of_environment() as control:
            Worker(
                config,
                Queue(database, config.limits),
                Schedules(database),
                find_devices(),
                host=host_name(config.state_dir),
                say=say,
            ).run(control)
    finally:
        database.close()
