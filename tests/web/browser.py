"""A dashboard over recorded runs on a real socket, and what one Chromium finds on its pages."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.web.live_door import serving
from tests.web.shown_runs import shown_runs
from web.access.role import Role
from web.app import create_app
from web.config import Limits, ServeConfig
from web.jobs.job import NewJob
from web.opening import open_services
from web.pages.answers.links import grid_url, pair_url, sample_url

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LOOK = Path(__file__).with_name("look_at_site.py")
HISTORY_OF = "Qwen2.5-Coder-1.5B-Instruct-Q4_K_M"


class Site(NamedTuple):
    """base: its address. secret: of a key that may start runs. runs: ids by a name. job_id: of a job that waits."""

    base: str
    secret: str
    runs: dict[str, str]
    job_id: str

    def pages(self) -> dict[str, str]:
        """The addresses of all pages, by a name that tests use."""
        runs = self.runs
        best, low = runs["Qwen2.5-Coder-7B-Instruct-Q6_K"], runs["Qwen2.5-Coder-7B-Instruct-Q2_K"]
        hostile, task = runs["hostile"], "HumanEval/3"
        return {
            "leaderboard": "/",
            "leaderboard of one": "/?benchmark=human_eval",
            "rankings by composite": "/rankings?benchmark=human_eval&tag=difficulty&what=composite",
            "run with a composite": f"/runs/{runs['Qwen2.5-Coder-7B-Instruct-Q4_0']}",
            "rankings": "/rankings?benchmark=human_eval",
            "trade-offs": "/tradeoffs?benchmark=human_eval",
            "history": "/history?benchmark=human_eval",
            "history of one": f"/history?benchmark=human_eval&model={HISTORY_OF}",
            "runs": "/runs",
            "no runs": "/runs?text=nothing-like-this",
            "run": f"/runs/{runs['incidents']}",
            "failed run": f"/runs/{runs['failed']}",
            "hostile run": f"/runs/{hostile}",
            "compare": f"/compare?run={best}&run={low}",
            "compare with hostile": f"/compare?run={best}&run={hostile}",
            "compare form": "/compare",
            "compare not": f"/compare?run={best}&run={runs['failed']}",
            "help": "/help",
            "error": "/runs/no-such-run",
            "grid": grid_url("human_eval", [best, low, hostile]),
            "sample": sample_url(hostile, task),
            "answers": pair_url(task, best, hostile),
            "jobs": "/jobs",
            "job": f"/jobs/{self.job_id}",
            "start": "/start",
            "schedules": "/schedules",
            "machine": "/live",
            "login": "/login",
        }


@contextlib.contextmanager
def site(folder: Path) -> Iterator[Site]:
    """The site, over runs of every kind; nobody is slowed down, and no worker takes the job."""
    state = folder / "state"
    state.mkdir(mode=0o700)
    runs = shown_runs(folder / "results", problems=24)
    config = ServeConfig(
        results_dir=folder / "results", state_dir=state, limits=Limits(requests_per_minute=1_000_000)
    )
    with open_services(config) as services:
        services.store.indexer.refresh()
        _, secret = services.keys.add("ada", Role.ADMIN)
        job = services.queue.add(
            NewJob(user="ada", suite="human_eval", model_name="<b>demo</b>", manifest='{"runs": []}')
        )
        with serving(create_app(services, hold_back_s=0.0)) as port:
            ids = {name: run.run_id for name, run in runs.items()}
            yield Site(f"http://127.0.0.1:{port}", secret, ids, job.job_id)


def look(there: Site, paths: Iterable[str], folder: Path) -> dict[str, Any]:
    """What a browser finds on each page, by its path. Skips without a Chromium."""
    python, chromium = os.environ.get("BROWSER_PYTHON"), os.environ.get("CHROMIUM")
    if python == "none":
        pytest.skip("no Chromium")
    if not python or not chromium:
        pytest.fail("run these tests by `make test-web`")
    plan = folder / "plan.json"
    shots = os.environ.get("BENCH_SHOTS", "")  # a folder, to look at them
    asked = {"base": there.base, "secret": there.secret, "paths": list(paths), "shots": shots}
    plan.write_text(json.dumps(asked))
    done = subprocess.run([python, LOOK, chromium, plan], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    found: dict[str, Any] = json.loads(done.stdout)
    return found
