"""How long the pages of `serve` take over 1,000 runs of 1,000 completions, for one reader and for eight; how much they
send; and two answers of 2,000 lines side by side.
"""

from __future__ import annotations

import http.client
import random
import re
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import msgspec

from tests.benchmarks.api_app import AppProcess
from tests.benchmarks.made_runs import made_runs
from tests.benchmarks.rows import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

RUNS, SAMPLES = 1000, 1000
READERS = 8
ROUNDS = 20  # of all pages, by each reader
DIFF_LINES = 2000
MOST_ALONE_MS, MOST_TOGETHER_MS, MOST_DIFF_S, MOST_PAGE_KB = 150.0, 500.0, 1.0, 120.0
_FILES = re.compile(r'(?:src|href)="(/static/[^"]+)"')


def measure(repeats: int = 1) -> Iterator[Row]:
    """The rows, as they are measured."""
    with tempfile.TemporaryDirectory(prefix="bench-pages-") as name:
        folder = Path(name)
        ids = made_runs(folder / "results", runs=RUNS, samples=SAMPLES)
        long_ids = _long_answers(folder / "results")
        with AppProcess(folder / "results", folder / "state") as app:
            for path in _paths(random.Random(0), ids).values():  # what is made once
                _get(app, path)
            yield _sizes(app, ids)
            for readers, bound in ((1, MOST_ALONE_MS), (READERS, MOST_TOGETHER_MS)):
                yield min(
                    (_times(app, ids, readers, bound) for _ in range(repeats)), key=lambda row: row.value or 0
                )
            path = f"/answers?{urlencode({'task_id': 'Long/0', 'a': long_ids[0], 'b': long_ids[1], 'what': 'code'})}"
            used, began = app.processor_s(), time.monotonic()
            page = _get(app, path)
            took, used = time.monotonic() - began, app.processor_s() - used
            assert b"first difference" in page.lower() or b"line_500" in page, page[:2000]
            about = (
                f"{DIFF_LINES} lines, every fifth one changed; {used:.2f} s of the server's processor time"
            )
            yield Row("the page of two long answers", took, "s", MOST_DIFF_S, about)


def _paths(drawn: random.Random, ids: list[str]) -> dict[str, str]:
    """One of each kind of page, about runs that are drawn."""
    one, other, *_ = few = drawn.sample(ids, 5)
    task = f"HumanEval/{drawn.randrange(SAMPLES)}"
    return {
        "leaderboard": "/",
        "runs": f"/runs?{urlencode({'order': drawn.choice(['newest', 'score'])})}",
        "run": f"/runs/{one}",
        "answer": f"/runs/{one}/samples/{task}",
        "problems": "/tasks",
        "problems of five runs": f"/tasks?{urlencode([('run', each) for each in few])}",
        "two answers": f"/answers?{urlencode({'task_id': task, 'a': one, 'b': other})}",
        "rankings": "/rankings",
        "trade-offs": "/tradeoffs",
        "history": "/history",
        "compare": f"/compare?{urlencode([('run', one), ('run', other)])}",
        "jobs": "/jobs",
        "start": "/start",
    }


def _times(app: AppProcess, ids: list[str], readers: int, bound: float) -> Row:
    times: list[tuple[float, str]] = []
    used, began = app.processor_s(), time.monotonic()
    threads = [threading.Thread(target=_read, args=(app, ids, number, times)) for number in range(readers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took, used = time.monotonic() - began, app.processor_s() - used
    assert len(times) >= readers * ROUNDS * 10
    times.sort()
    slowest: dict[str, list[float]] = {}
    for ms, kind in times:
        slowest.setdefault(kind, []).append(ms)
    kind = max(slowest, key=lambda each: slowest[each][len(slowest[each]) // 2])
    note = (
        f"median {times[len(times) // 2][0]:.0f} ms; the median of {kind} is the longest, "
        f"{slowest[kind][len(slowest[kind]) // 2]:.0f} ms; {1000 * used / len(times):.1f} ms of the server's processor "
        f"time a page, {100 * used / took:.0f} % of a core"
    )
    about = "1 reader" if readers == 1 else f"{readers} readers at once"
    return Row(f"p99 of pages, {about}", times[int(0.99 * len(times))][0], "ms", bound, note)


def _read(app: AppProcess, ids: list[str], number: int, times: list[tuple[float, str]]) -> None:
    drawn = random.Random(number)
    connection = http.client.HTTPConnection("127.0.0.1", app.port, timeout=60)
    for _ in range(ROUNDS):
        for kind, path in drawn.sample([*_paths(drawn, ids).items()], k=13):
            began = time.monotonic()
            connection.request("GET", path, headers=app.headers())
            answer = connection.getresponse()
            body = answer.read()
            times.append((1000 * (time.monotonic() - began), kind))
            assert answer.status == 200, (path, body)
    connection.close()


def _sizes(app: AppProcess, ids: list[str]) -> Row:
    sizes, packed = {}, {"Accept-Encoding": "gzip"}  # as a browser asks
    for kind, path in _paths(random.Random(1), ids).items():
        page = _get(app, path, **packed)
        files = {*_FILES.findall(page.decode())}
        sizes[kind] = (len(page) + sum(len(_get(app, file, **packed)) for file in files)) / 1000
    kind = max(sizes, key=lambda each: sizes[each])
    return Row(
        "the largest page, with its files", sizes[kind], "kB", MOST_PAGE_KB, f"{kind}; of {len(sizes)} kinds"
    )


def _get(app: AppProcess, path: str, **headers: str) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", app.port, timeout=60)
    connection.request("GET", path, headers=app.headers() | headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert answer.status == 200, (path, body)
    return body


def _long_answers(results_dir: Path) -> list[str]:
    """Two runs of a benchmark of their own with one answer each; returns their ids."""
    ids = made_runs(results_dir, runs=2, samples=1, benchmarks=("long",), seed=1)
    for number, run_id in enumerate(ids):
        file = results_dir / run_id / "completions.jsonl"
        line = msgspec.json.decode(file.read_bytes())
        code = "".join(
            f"    line_{each} = {number if each % 5 == 0 else 'same'} + len('{each}')  # counted\n"
            for each in range(DIFF_LINES)
        )
        line |= {"task_id": "Long/0", "completion": code, "answer": f"```python\n{code}```"}
        file.write_bytes(msgspec.json.encode(line) + b"\n")
    return ids
