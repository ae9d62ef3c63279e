"""Kill workers and harnesses with SIGKILL while jobs run, and count: every completion once, nothing left.

    python -m tests.web.job_kills [--jobs 20] [--kills 100] [--samples 10] [--seed 1] [--folder DIR]

Half of the jobs launch a server of their own on the processors, one after another; the others ask a provider. Three
run at once. A server writes down every answer that it gives. No harness is killed that has died three times in a row
without progress: a job of which five starts bring nothing has failed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from results.records import RunStatus
from tests.command_line import PROGRAM, PROGRAMS, lines
from tests.sweep_runs import models
from web.config import Limits, ServeConfig
from web.database.database import open_database
from web.jobs.job import Job, JobStatus, NewJob
from web.jobs.queue import JobQuery, Queue
from web.working.job_folder import AttemptFolder, find_sweep
from web.working.job_process import left_behind

PARALLEL = 2
FEW = 3
LONGEST_S = 1800.0


@dataclass
class Kills:
    """Jobs, and whoever works on them. answered: what the servers wrote down."""

    folder: Path
    jobs: int
    samples: int
    delay_s: float = 0.1
    killed: Counter[str] = field(default_factory=Counter)
    most_at_once: int = 0

    def __post_init__(self) -> None:
        self.results = self.folder / "results"
        self.results.mkdir()
        self.answered = self.folder / "answered"
        self.config = ServeConfig(
            results_dir=self.results, state_dir=self.folder / "state", limits=Limits(queued_per_user=1000)
        )
        self.database = open_database(self.config)
        self.queue = Queue(self.database, self.config.limits)
        self.servers: list[subprocess.Popen[bytes]] = []
        self.output = (self.folder / "worker.log").open("ab")
        self.worker = self.start_worker()

    def start_worker(self) -> subprocess.Popen[bytes]:
        (self.folder / "tmp").mkdir(exist_ok=True)  # leases of its own
        words = [PROGRAM, "worker", "--results-dir", self.results, "--state-dir", self.config.state_dir]
        return subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=self.output,
            stderr=self.output,
            env={**os.environ, "TMPDIR": str(self.folder / "tmp"), "OPENAI_API_KEY": "none"},
        )

    def add_jobs(self) -> None:
        names = [f"m{number}" for number in range(self.jobs)]
        for number, path in enumerate(models(self.folder / "models", *names)):
            command = [
                *(sys.executable, str(PROGRAMS / "canonical_server.py"), "--delay", str(self.delay_s)),
                *("--answered", str(self.answered), "--salt", path.stem),
            ]
            if number % 2:
                server = subprocess.Popen([*command, "--port", "0"], stdout=subprocess.PIPE)
                self.servers.append(server)
                port = json.loads(server.stdout.readline())["port"]
                asked = {"provider": "compatible", "base_url": f"http://127.0.0.1:{port}", "model": path.stem}
            else:
                asked = {"model": str(path), "server_command": shlex.join([*command, "--port"]) + " {port}"}
            asked |= {
                "benchmark": "human_eval",
                "sandbox": "process",
                "limit": self.samples,
                "parallel": PARALLEL,
            }
            self.queue.add(
                NewJob(
                    user="ada",
                    suite="human_eval",
                    model_name=path.stem,
                    manifest=json.dumps({"runs": [asked]}),
                    needs_device=not number % 2,
                )
            )

    def all_jobs(self) -> tuple[Job, ...]:
        return self.queue.jobs(JobQuery(limit=1000)).jobs

    def attempts(self) -> list[AttemptFolder]:
        return [AttemptFolder(path) for path in self.config.jobs_dir.glob("*/attempt-*")]

    def kill_worker(self) -> None:
        self.worker.kill()
        self.worker.wait()
        self.killed["worker"] += 1
        self.worker = self.start_worker()

    def kill_harness(self, choose: random.Random) -> bool:
        """Whether one ran."""
        running = [
            (folder, member)
            for folder in self.attempts()
            if (member := folder.process()) is not None and folder.read_starts().fruitless < FEW
        ]
        if not running:
            return False
        folder, member = choose.choice(running)
        with contextlib.suppress(ProcessLookupError):
            os.kill(member.pid, signal.SIGKILL)
        self.killed["harness"] += 1
        self.killed[folder.job_id] += 1
        return True

    def watch(self) -> None:
        """Look for two sweeps of one job at the same time."""
        for attempt in self.attempts():
            sweeps = 0
            for pid in left_behind(attempt) if attempt.is_running() else ():
                with contextlib.suppress(OSError):
                    words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                    sweeps += any(word.endswith(b"bench_runner.py") for word in words) and b"sweep" in words
            self.most_at_once = max(self.most_at_once, sweeps)

    def lives(self) -> bool:
        """Whether a harness does."""
        return any(folder.is_running() for folder in self.attempts())

    def have_ended(self) -> bool:
        return all(job.status.is_final for job in self.all_jobs())

    def close(self) -> None:
        """In order."""
        self.worker.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.worker.wait(60)
        self.worker.kill()
        self.worker.wait()
        for server in self.servers:
            server.kill()
            server.wait()
            server.stdout.close()
        self.output.close()
        self.database.close()

    def figures(self) -> dict[str, object]:
        """What became of them. problems: whatever should not be."""
        problems: list[str] = []
        statuses = Counter(job.status.value for job in self.all_jobs())
        stored = asked_twice = starts = 0
        answers = Counter(self.answered.read_text().splitlines())
        for job in self.all_jobs():
            if job.status is not JobStatus.COMPLETED:
                problems.append(f"{job.job_id} ({job.model_name}): {job.status}: {job.detail}")
            sweep = find_sweep(self.results, job.job_id)
            runs = [] if sweep is None else list(sweep.runs(warn=problems.append).values())
            done = [folder for folder, record in runs if record.status is RunStatus.SUCCEEDED]
            if len(done) != 1:
                problems.append(f"{job.job_id}: {len(done)} finished runs")
            for folder in done:
                tasks = [line["task_id"] for line in lines(folder.completions)]
                stored += len(tasks)
                if len(tasks) != self.samples or len(set(tasks)) != len(tasks):
                    problems.append(f"{job.job_id}: {len(tasks)} completions of {len(set(tasks))} samples")
            again = sum(count - 1 for line, count in answers.items() if line.startswith(f"{job.model_name} "))
            asked_twice += again
            killed = self.killed[job.job_id]
            if again > killed * PARALLEL:  # what was on its way when it was killed, and nothing else
                problems.append(f"{job.job_id}: {again} answers twice, with {killed} kills of its harness")
            (attempt,) = AttemptFolder.all_of(self.config.jobs_dir, job.job_id)
            # More than kills: a sweep that meets another's repair of its killed run ends, and is resumed.
            starts += attempt.read_starts().count
        left = [pid for attempt in self.attempts() for pid in left_behind(attempt)]
        problems += [f"process {pid} is left" for pid in left]
        if self.most_at_once > 1:
            problems.append(f"{self.most_at_once} sweeps of one job at once")
        return {
            "jobs": dict(statuses),
            "worker_kills": self.killed["worker"],
            "harness_kills": self.killed["harness"],
            "starts": starts,
            "most_sweeps_of_a_job_at_once": self.most_at_once,
            "completions": stored,
            "asked_again_as_never_stored": asked_twice,
            "problems": problems,
        }


def kill_jobs(folder: Path, *, jobs: int, kills: int, samples: int, seed: int) -> dict[str, object]:
    """Run the jobs and kill what works on them, worker and harness in turn at random."""
    choose = random.Random(seed)
    bench = Kills(folder, jobs, samples)
    began = time.monotonic()
    try:
        bench.add_jobs()
        while not bench.have_ended() and time.monotonic() - began < LONGEST_S:
            if bench.killed["worker"] + bench.killed["harness"] < kills:
                time.sleep(choose.uniform(0.05, 2.5))
                bench.watch()
                # Half of the kills, and some before anything runs: a worker needs a second to start.
                if choose.random() < 0.5:
                    bench.kill_harness(choose)
                elif bench.lives() or choose.random() < 0.2:
                    bench.kill_worker()
            else:
                time.sleep(0.1)
    finally:
        bench.close()
    bench.database = open_database(bench.config)
    bench.queue = Queue(bench.database, bench.config.limits)
    found = bench.figures() | {"seconds": round(time.monotonic() - began, 1)}
    bench.database.close()
    return found


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("--jobs", type=int, default=20)
    asked.add_argument("--kills", type=int, default=100)
    asked.add_argument("--samples", type=int, default=10)
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--folder", type=Path)
    options = asked.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="job-kills-"))
    folder.mkdir(exist_ok=True)
    found = kill_jobs(
        folder, jobs=options.jobs, kills=options.kills, samples=options.samples, seed=options.seed
    )
    print(json.dumps(found, indent=1))
    sys.exit(bool(found["problems"]))


if __name__ == "__main__":
    main()
