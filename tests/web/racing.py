"""Real processes race for the queue: `python -m tests.web.racing [--kills 100] [--database postgresql://...]`.

40 add jobs at once where 10 may wait; 4 workers take them, 3 at once; and one that posts is killed again and again
while workers run what it posts. Prints one line of JSON: the figures, and the broken promises (`broken`).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from web.config import Limits, ServeConfig
from web.database.database import open_database
from web.jobs.job import JobStatus, NewJob
from web.jobs.queue import JobQuery, Queue
from web.jobs.refusals import QueueFull

if TYPE_CHECKING:
    from collections.abc import Callable

ADDERS, PLACES, WORKERS, AT_ONCE = 40, 10, 4, 3
GIVE_UP_S = 240.0


class Log:
    """Lines of several processes, each written whole; what stands there was said."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def say(self, *words: object) -> None:
        os.write(self._descriptor, (" ".join(map(str, words)) + "\n").encode())

    def lines(self) -> list[list[str]]:
        return [line.split() for line in self.path.read_text().splitlines()]


def child(function: Callable[[], None]) -> int:
    """Run it in a process of its own, which opens the database anew."""
    pid = os.fork()
    if pid:
        return pid
    try:
        function()
    except BaseException:  # noqa: BLE001 - all of the child's life
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def ended_well(pids: list[int]) -> bool:
    statuses = [os.waitpid(pid, 0)[1] for pid in pids]
    return not any(statuses)


def new_job(name: str, user: str = "ada") -> NewJob:
    return NewJob(user=user, suite="human_eval", model_name="m", manifest="{}", project_id=name)


def race_adds(config: ServeConfig, log: Log) -> dict[str, int]:
    """Each adds one job, all at the same moment."""
    reader, writer = os.pipe()

    def adds() -> None:
        queue = Queue(open_database(config), config.limits)
        queue.counts()
        os.close(writer)
        os.read(reader, 1)  # its end: the start
        try:
            log.say("taken", queue.add(new_job("race")).job_id)
        except QueueFull as refused:
            log.say("refused" if refused.retry_after_s > 0 else "refused-without-time")

    pids = [child(adds) for _ in range(ADDERS)]
    os.close(reader)
    time.sleep(0.5)
    os.close(writer)
    well = ended_well(pids)
    found = said(log)
    return {"taken": found["taken"], "refused": found["refused"], "adders_failed": int(not well)}


def works(config: ServeConfig, log: Log, number: int, job_s: float) -> None:
    """Take jobs and end them, until the file `stop` is there."""
    host, database = f"host{number}", open_database(config)
    queue = Queue(database, config.limits)
    devices = ["gpu0", "gpu1"]
    mine = {claim.job.job_id: (claim, time.monotonic()) for claim in queue.mine(host)}
    with database.waiter() as waiter:
        while True:
            claim = queue.claim(host, devices)
            if claim is not None:
                log.say("start", claim.job.job_id, claim.job.attempt, host, claim.job.device)
                mine[claim.job.job_id] = (claim, time.monotonic())
                continue
            now = time.monotonic()
            for job_id, (held, since) in list(mine.items()):
                if now - since >= job_s:
                    log.say("end", job_id, held.job.attempt, host, held.job.device)
                    queue.ended(held, JobStatus.COMPLETED)
                    del mine[job_id]
            if not mine and (config.state_dir / "stop").exists():
                return
            waiter.wait(job_s / 2 if mine else 1.0)


def run_workers(config: ServeConfig, log: Log, job_s: float) -> list[int]:
    return [child(lambda n=number: works(config, log, n, job_s)) for number in range(WORKERS)]


def most_at_once(lines: list[list[str]]) -> tuple[int, int]:
    """Jobs, and jobs of one device: no more than there were, as a start is said after its claim, an end before it."""
    active: set[tuple[str, ...]] = set()
    most = most_a_device = 0
    for what, *which in lines:
        if what == "start":
            active.add(tuple(which))
        elif what == "end":
            active.discard(tuple(which))
        most = max(most, len(active))
        most_a_device = max(most_a_device, *Counter(one[2:] for one in active).values(), 0)
    return most, most_a_device


def drain(config: ServeConfig, queue: Queue, pids: list[int]) -> int:
    """Wait until all is done. The most that were running in any look at the database."""
    most, deadline = 0, time.monotonic() + GIVE_UP_S
    while time.monotonic() < deadline:
        counts = queue.counts()
        most = max(most, counts[JobStatus.RUNNING])
        if not counts[JobStatus.RUNNING] and not counts[JobStatus.PENDING]:
            break
        time.sleep(0.01)
    (config.state_dir / "stop").touch()
    if not ended_well(pids):
        raise RuntimeError("a worker failed")
    (config.state_dir / "stop").unlink()
    return most


def posts(config: ServeConfig, log: Log, name: str) -> None:
    """Post one job after the other, each with a key; what wasn't acknowledged before it was killed, again."""
    queue = Queue(open_database(config), config.limits)
    queue.counts()
    lines = log.lines()
    unanswered = {line[1] for line in lines if line[0] == "post"} - {
        line[1] for line in lines if line[0] == "ack"
    }
    number = 0
    while True:
        key = unanswered.pop() if unanswered else f"{name}-{number}"
        number += 1
        log.say("post", key)
        while True:
            try:
                job = queue.add(new_job(key), key)
                break
            except QueueFull:
                time.sleep(0.02)
        log.say("ack", key, job.job_id)


def said(log: Log) -> Counter[str]:
    return Counter(line[0] for line in log.lines())


def kill_posters(config: ServeConfig, log: Log, kills: int, seed: int) -> None:
    """Start one that posts, and kill it at any moment, so many times."""
    chance = random.Random(seed)
    for number in range(kills):
        before, wanted = said(log), chance.randint(0, 6)
        pid = child(lambda n=number: posts(config, log, f"k{n}"))
        while (now := said(log))["post"] == before["post"] or now["ack"] < before["ack"] + wanted:
            time.sleep(0.002)
        time.sleep(chance.uniform(0, 0.05))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def race(state_dir: Path, url: str | None, kills: int, seed: int) -> dict[str, object]:
    config = ServeConfig(
        results_dir=state_dir,
        state_dir=state_dir,
        database_url=url,
        limits=Limits(queued_per_user=PLACES, jobs_at_once=AT_ONCE),
    )
    open_database(config).close()
    adds_log, kills_log = Log(state_dir / "adds.log"), Log(state_dir / "kills.log")
    figures: dict[str, object] = dict(race_adds(config, adds_log))
    database = open_database(config)
    queue = Queue(database, config.limits)
    workers = run_workers(config, adds_log, 0.1)
    most = drain(config, queue, workers)

    began = time.monotonic()
    workers = run_workers(config, kills_log, 0.02)
    kill_posters(config, kills_log, kills, seed)
    most = max(most, drain(config, queue, workers))
    figures["kills_s"] = round(time.monotonic() - began, 1)

    lines = [*adds_log.lines(), *kills_log.lines()]
    starts = Counter(tuple(line[1:3]) for line in lines if line[0] == "start")
    acknowledged = {line[1]: line[2] for line in lines if line[0] == "ack"}
    stored: list[tuple[str, str, JobStatus]] = []
    cursor = None
    while True:
        page = queue.jobs(JobQuery(limit=500, cursor=cursor))
        stored += [(job.project_id, job.job_id, job.status) for job in page.jobs]
        cursor = page.next_cursor
        if cursor is None:
            break
    database.close()
    names = Counter(name for name, _, _ in stored if name != "race")
    by_id = {job_id: (name, status) for name, job_id, status in stored}
    said_most, said_most_a_device = most_at_once(lines)
    figures |= {
        "kills": kills,
        "acknowledged": len(acknowledged),
        "stored": len(stored),
        "lost": sum(by_id.get(job_id, ("",))[0] != name for name, job_id in acknowledged.items()),
        "twice": sum(count > 1 for count in names.values()),
        "double_starts": sum(count > 1 for count in starts.values()),
        "never_started": sum((job_id, "1") not in starts for job_id in by_id),
        "unfinished": sum(status is not JobStatus.COMPLETED for _, status in by_id.values()),
        "most_at_once": max(most, said_most),
        "most_a_device": said_most_a_device,
    }
    promised = {
        "taken": PLACES,
        "refused": ADDERS - PLACES,
        "adders_failed": 0,
        "most_at_once": AT_ONCE,
        "most_a_device": 1,
        **dict.fromkeys(("lost", "twice", "double_starts", "never_started", "unfinished"), 0),
    }
    figures["broken"] = {name: figures[name] for name, value in promised.items() if figures[name] != value}
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--database", default=None)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="racing-") as folder:
        figures = race(Path(folder), asked.database, asked.kills, asked.seed)
    print(json.dumps(figures))
    return 1 if figures["broken"] else 0


if __name__ == "__main__":
    sys.exit(main())
