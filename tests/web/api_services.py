"""The API over a real queue on SQLite and recorded runs, without a worker: what its tests share."""

from __future__ import annotations

import shutil

from sqlalchemy import delete

from results.compare.cached_tables import CachedTables
from results.store.reading.folder_run_store import FolderRunStore
from results.store.sweep_folder import ManifestText, PlanEntry, Sweep, SweepFolder
from results.sweep_place import SweepPlace
from tests.results.recorded_runs import BEGAN, record_run
from tests.web.door import client
from web.access.role import Role
from web.access.streams import Streams
from web.app import create_app
from web.config import API_ROOT, Limits, ServeConfig
from web.database.database import open_database
from web.database.tables import IDEMPOTENCY_KEYS, JOBS, SCHEDULES
from web.jobs.audit import Audit
from web.jobs.job import JobStatus
from web.jobs.keys import Keys
from web.jobs.queue import Queue
from web.jobs.schedules import Schedules
from web.services import Services


class Api:
    """An app with its parts, and a client for each role. Made and ended by the fixture `api`."""

    def __init__(self, folder, *, clock=None, **config):
        results = folder / "results"
        results.mkdir(exist_ok=True)
        limits = config.pop("limits", Limits(requests_per_minute=100_000))
        self.config = ServeConfig(results_dir=results, state_dir=folder / "state", limits=limits, **config)
        self.database = open_database(self.config, clock=clock)
        self.queue = Queue(self.database, self.config.limits)
        self.keys = Keys(self.database)
        store = FolderRunStore(results)
        self.services = Services(
            config=self.config, queue=self.queue, keys=self.keys, schedules=Schedules(self.database),
            audit=Audit(self.database), store=store, tables=CachedTables(store),
            streams=Streams(limits.streams), worker_state=lambda: "ok",
        )  # fmt: skip
        self.app = create_app(self.services, hold_back_s=0.0, remember_s=0.0)
        self.ada = self.client("ada", Role.RUN)
        self.bob = self.client("bob", Role.RUN)
        self.reader = self.client("eve", Role.READ)
        self.admin = self.client("root", Role.ADMIN)

    def client(self, user, role):
        return _Client(client(self.app, self.keys.add(user, role)[1]))

    def clear(self):
        """Without jobs, schedules and runs, as it was at first."""
        with self.database.decide() as connection:
            for table in (IDEMPOTENCY_KEYS, JOBS, SCHEDULES):
                connection.execute(delete(table))
        for folder in (self.config.results_dir, self.config.jobs_dir):
            for path in folder.iterdir() if folder.exists() else ():
                path.unlink() if path.is_symlink() or path.is_file() else shutil.rmtree(path)

    def close(self):
        self.database.close()

    def posted(self, who=None, **request):
        """The id of a job that was posted."""
        asked = {"suite": "human_eval", "config": {"model": "demo", "params": {"limit": 3}}} | request
        answer = (who or self.ada).post("/run", json=asked)
        assert answer.status_code == 202, answer.text
        return answer.json()["job_id"]

    def measured(self, job_id, *runs):
        """Give the job a sweep with these recorded runs: keywords of `record_run`, and a label."""
        labels = [run.pop("label") for run in runs]
        folder = SweepFolder.create(self.config.results_dir, job_id, BEGAN)
        sweep = _sweep(folder, labels, runs)
        folder.write(sweep)
        return [
            record_run(
                self.config.results_dir,
                run.pop("outcomes"),
                sweep=SweepPlace(
                    sweep_id=folder.sweep_id, fingerprint=f"of {label}", label=label, nonce=sweep.nonce
                ),
                fingerprint=f"of {label}",
                **run,
            )
            for label, run in zip(labels, runs, strict=True)
        ]

    def started(self, job_id, host="here"):
        """As a worker takes it."""
        claim = self.queue.claim(host, ("cpu", "cpu2", "cpu3"))
        assert claim is not None
        assert claim.job.job_id == job_id
        return claim

    def ended(self, job_id, status=JobStatus.COMPLETED, detail=""):
        """As a worker ends it."""
        self.queue.ended(self.started(job_id), status, detail)


class _Client:
    """A client whose paths are below the API's root."""

    def __init__(self, made):
        self.made = made

    def __getattr__(self, name):
        ask = getattr(self.made, name)
        return lambda path, **more: ask(f"{API_ROOT}{path}", **more)


def _sweep(folder, labels, runs):
    return Sweep(
        sweep_id=folder.sweep_id,
        created=BEGAN.isoformat(),
        nonce="abcd",
        manifest=ManifestText(text="{}", form="json", name="manifest", folder="/"),
        runs=tuple(
            PlanEntry(
                label=label,
                benchmark=run.get("benchmark", "human_eval"),
                model=run.get("model", "Some-1B-Q4_K_M"),
                group="g",
                fingerprint=f"of {label}",
            )
            for label, run in zip(labels, runs, strict=True)
        ),
    )
