"""The API of `serve` over a folder of made-up runs, in a process of its own, with no limit on requests.

`python -m tests.benchmarks.api_app RESULTS STATE`: prints its port, a key and the id of a job that waits, and
answers until its input ends.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.web.live_door import serving
from web.access.role import Role
from web.app import create_app
from web.config import Limits, ServeConfig
from web.jobs.job import NewJob
from web.opening import following, open_services


def main(results: Path, state: Path) -> None:
    limits = Limits(requests_per_minute=10**9, streams=1000)
    config = ServeConfig(results_dir=results, state_dir=state, limits=limits)
    with open_services(config) as services:
        services.store.refresh()
        with following(services, warn=print), serving(create_app(services)) as port:
            _, secret = services.keys.add("bench", Role.ADMIN)
            job = services.queue.add(
                NewJob(user="bench", suite="human_eval", model_name="demo", manifest='{"runs":[]}')
            )
            print(port, secret, job.job_id, flush=True)
            sys.stdin.read()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
