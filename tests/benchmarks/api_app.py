"""The application of `serve` over a folder of made-up runs, in a process of its own, with no limit on requests.

`python -m tests.benchmarks.api_app RESULTS STATE`: prints its port, a key and the id of a job that waits, and
answers until its input ends.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.web.live_door import serving
from web.access.role import Role
from web.app import create_app
from web.config import Limits, ServeConfig
from web.jobs.job import NewJob
from web.opening import following, open_services

if TYPE_CHECKING:
    from typing import Self


class AppProcess:
    """That process, until the block ends."""

    def __init__(self, results: Path, state: Path) -> None:
        words = [sys.executable, "-m", "tests.benchmarks.api_app", results, state]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        port, self.secret, self.job_id = self.process.stdout.readline().split()
        self.port = int(port)

    def headers(self) -> dict[str, str]:
        """Of a request by somebody who may do everything."""
        return {"Authorization": f"Bearer {self.secret}"}

    def processor_s(self) -> float:
        """Seconds that it has used. They hardly depend on what else the machine does."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(60)


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
