"""Run `./bench_runner.py` as a user does."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROOT = Path(__file__).parents[1]
PROGRAM = ROOT / "bench_runner.py"
PROGRAMS = ROOT / "tests" / "programs"
ENDINGS = [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)]  # and the exit code of each


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


def bench_runner(*words: object, env: dict[str, str] | None = None, timeout: float = 100) -> Done:
    done = subprocess.run(
        [PROGRAM, *map(str, words)],
        capture_output=True,
        env={**os.environ, **(env or {})},
        timeout=timeout,
        check=False,
    )
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


def bench_runners(
    *commands: Sequence[object],
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
    timeout: float = 100,
) -> list[Done]:
    """Many commands in the time of a few: each is a child of an interpreter that has imported everything."""
    words = [[str(word) for word in command] for command in commands]
    done = subprocess.run(
        [sys.executable, PROGRAMS / "command_lines.py"],
        input=json.dumps(words).encode(), capture_output=True, timeout=timeout, check=True,
        cwd=cwd, env={**os.environ, **(env or {})},
    )  # fmt: skip
    return [Done(*each) for each in json.loads(done.stdout)]


def signalled(
    number: signal.Signals, *words: object, when: Callable[[int], object], env: dict[str, str] | None = None
) -> Done:
    """The command gets one signal as soon as `when`, which is given its pid, is true."""
    with subprocess.Popen(
        [PROGRAM, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(env or {})},
    ) as process:
        try:
            wait_for(lambda: when(process.pid) or process.poll() is not None, 60)
            process.send_signal(number)
            out, err = process.communicate(timeout=50)
        finally:
            process.kill()
    return Done(process.returncode, out, err)


def command_server(program: str, *options: object) -> tuple[str, ...]:
    """The options of `run` that launch one of tests/programs."""
    words = [sys.executable, str(PROGRAMS / program), "--port", "{port}", *map(str, options)]
    return ("--server-command", shlex.join(words).replace("'{port}'", "{port}"))


def only_run(results: Path) -> Path:
    """The one run's folder."""
    (folder,) = [path for path in results.iterdir() if (path / "run.json").exists()]
    return folder


def logged(results: Path) -> list[dict[str, Any]]:
    """The runs in the run log, read as plain JSON."""
    return json.loads((results / "benchmark_results.json").read_text())["runs"]


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def wait_for(condition, seconds: float = 20.0):
    """What the condition gives, as soon as that is true."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)
    return found
