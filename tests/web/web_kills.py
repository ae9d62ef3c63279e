"""Kill `serve` with SIGKILL while jobs are posted over its API: `python -m tests.web.web_kills [--kills 100]`.

Each `serve` is the child of an interpreter that has imported everything, so that it is there in a fraction of a second.
A client posts one job after the other, each with an Idempotency-Key, and sends what wasn't acknowledged again when
`serve` is back. Four workers take the jobs meanwhile. Prints one line of JSON: the figures, and the broken promises.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import requests

from tests.command_line import PROGRAM
from tests.web.racing import AT_ONCE, Log, drain, most_at_once, run_workers
from tests.web.serve_process import Serve
from web.config import API_ROOT, Limits, ServeConfig
from web.database.database import open_database
from web.jobs.queue import JobQuery, Queue

if TYPE_CHECKING:
    from typing import Self

PLACES = 40
SERVE_YAML = f"limits: {{queued_per_user: {PLACES}, requests_per_minute: 1000000, jobs_at_once: {AT_ONCE}}}\n"
RUN = {"suite": "human_eval", "config": {"model": "demo", "params": {"limit": 1}}}


# Reads lists of words, and runs each as a command of bench_runner.py in a child, which writes to the same stdout.
NURSERY = """
import json, os, signal, sys
sys.path.insert(0, os.path.dirname(sys.argv[1]))
sys.argv = [sys.argv[1]]
import bench_runner, web.app, web.serving, web.opening, web.working.child, commands.serving.serve, uvicorn
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for line in sys.stdin:
    pid = os.fork()
    if not pid:
        os.setpgid(0, 0)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        sys.argv[1:] = json.loads(line)
        try:
            bench_runner.follow_command_line()
        finally:
            print("ended", flush=True)
            os._exit(0)
    print("pid", pid, flush=True)
"""


class Nursery:
    """Starts `serve` quickly, again and again. Use `with`."""

    def __init__(self, *words: object) -> None:
        self._words = [str(word) for word in words]
        self._process = subprocess.Popen(
            [sys.executable, "-c", NURSERY, PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def serve(self) -> tuple[int, str]:
        """The process, which answers now, and its address."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(["serve", *self._words]) + "\n")
        self._process.stdin.flush()
        found: dict[str, str] = {}
        while len(found) < 2:
            what, _, said = self._process.stdout.readline().partition(" ")
            if not what or what.strip() == "ended":
                raise RuntimeError("serve doesn't start")
            found[what] = said.strip()
        return int(found["pid"]), found["dashboard:"].partition("/enter")[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()


class Client:
    """Posts until it is told to stop. acknowledged: the job by its key."""

    def __init__(self, secret: str) -> None:
        self.acknowledged: dict[str, str] = {}
        self.sent = 0
        self.odd: list[str] = []
        self.url = ""
        self._headers = {"Authorization": f"Bearer {secret}"}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._posts)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _posts(self) -> None:
        while not self._stop.is_set():
            key = f"key-{self.sent}"
            self.sent += 1
            while key not in self.acknowledged and not self._stop.is_set():
                self._post(key)

    def _post(self, key: str) -> None:
        try:
            answer = requests.post(
                f"{self.url}{API_ROOT}/run",
                json=RUN | {"project_id": key},
                headers=self._headers | {"Idempotency-Key": key},
                timeout=60,
            )
        except requests.RequestException:
            time.sleep(0.02)
            return
        if answer.status_code == 202:
            self.acknowledged[key] = answer.json()["job_id"]
        elif answer.status_code == 429:
            time.sleep(0.05)
        else:
            self.odd.append(f"{answer.status_code} {answer.text[:200]}")
            time.sleep(0.2)


def kill_serve(client: Client, results: Path, serve_file: Path, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    options = ("--results-dir", results, "--no-worker", "--port", "0", "--config", serve_file)
    with Nursery(*options) as nursery:
        for number in range(kills + 1):
            pid, client.url = nursery.serve()
            if not number:
                client.start()
            before, wanted = len(client.acknowledged), chance.randint(1, 6)
            while len(client.acknowledged) < before + wanted:
                time.sleep(0.001)
            time.sleep(chance.uniform(0, 0.05))
            if number == kills:
                client.stop()
            os.kill(pid, signal.SIGKILL)


def run(folder: Path, kills: int, seed: int) -> dict[str, object]:
    results, serve_file = folder / "results", folder / "serve.yaml"
    serve_file.write_text(SERVE_YAML)
    limits = Limits(queued_per_user=PLACES, jobs_at_once=AT_ONCE)
    config = ServeConfig(results_dir=results, state_dir=results / ".serve", limits=limits)
    results.mkdir()
    with Serve(results, "--no-worker", "--port", "0", "--config", serve_file) as serve:
        client = Client(serve.add_key("run"))
    log = Log(folder / "starts.log")
    workers = run_workers(config, log, 0.02)
    began = time.monotonic()
    kill_serve(client, results, serve_file, kills, seed)
    seconds = time.monotonic() - began
    database = open_database(config)
    queue = Queue(database, limits)
    most = max(drain(config, queue, workers), most_at_once(log.lines())[0])
    names: dict[str, str] = {}
    counted: Counter[str] = Counter()
    cursor = None
    while True:
        page = queue.jobs(JobQuery(limit=500, cursor=cursor))
        names |= {job.job_id: job.project_id for job in page.jobs}
        counted.update(job.project_id for job in page.jobs)
        cursor = page.next_cursor
        if cursor is None:
            break
    database.close()
    starts = Counter(line[1] for line in log.lines() if line[0] == "start")
    figures: dict[str, object] = {
        "kills": kills,
        "seconds": round(seconds, 1),
        "acknowledged": len(client.acknowledged),
        "stored": len(names),
        "most_at_once": most,
    }
    promises: dict[str, object] = {
        "lost": sum(names.get(job_id) != key for key, job_id in client.acknowledged.items()),
        "twice": sum(count > 1 for count in counted.values()),
        "started_twice": sum(count > 1 for count in starts.values()),
        "never_started": len(names.keys() - starts.keys()),
        "odd_answers": client.odd[:5],
        "too_many_at_once": max(0, most - AT_ONCE),
    }
    return figures | promises | {"broken": {name: value for name, value in promises.items() if value}}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="web-kills-") as folder:
        figures = run(Path(folder), asked.kills, asked.seed)
    print(json.dumps(figures))
    return 1 if figures["broken"] else 0


if __name__ == "__main__":
    sys.exit(main())
