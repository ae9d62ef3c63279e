"""Kill what a sweep on an engine consists of: `python -m tests.engines.engine_kills --engine ssh [--kills 50]`.

The sweep is the real command, over two nodes. In random order it is hit so many times in each of four ways: the
connection, the program that does a unit, a whole node, and the coordinator itself, always by SIGKILL and once something
new has come back. Prints one line of JSON: the figures, and the broken promises.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from results.store.attempts import STARTED, Attempts, runs_in
from results.store.sweep_folder import all_sweeps
from tests.command_line import PROGRAM, bench_runner, lines
from tests.engines.driving import ANSWERED, driven_manifest
from tests.engines.killed_machines import left_after_s, machines_of
from tests.sweep_runs import scores

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engines.unit import UnitDocument
    from results.store.attempts import AttemptEntry
    from results.store.run_folder import RunFolder
    from tests.engines.killed_machines import Machines

KINDS = ("connection", "program", "node", "coordinator")
ENGINES = ("ssh", "slurm", "ray")
MODELS, ANSWERS, DELAY_S = 2, 60, 0.1  # of a sweep; another one begins when it is done
NEW = 2  # answers that have to come back from where the next kill hits
STUCK_S = 180.0
LOST_S = 1.0  # of completions, at most


@dataclass
class Answers:
    """When each answer was made, by model and task, as the servers note it."""

    path: Path
    made: dict[str, list[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._read = 0
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def counts(self) -> Counter[str]:
        self._look()
        with self._lock:
            return Counter({name: len(times) for name, times in self.made.items()})

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._look()

    def _watch(self) -> None:
        while not self._stop.wait(0.02):
            self._look()

    def _look(self) -> None:
        with self._lock, contextlib.suppress(FileNotFoundError), self.path.open("rb") as file:
            file.seek(self._read)
            whole = file.read().rpartition(b"\n")[0]
            now = time.monotonic()
            for line in whole.decode().splitlines():
                model, _, task = line.rpartition(" ")
                self.made.setdefault(f"{Path(model).name} {task}", []).append(now)
            self._read += len(whole) + bool(whole)


@dataclass(frozen=True)
class Kill:
    """models: what was running where it hit."""

    kind: str
    at: float
    models: frozenset[str]


@dataclass(frozen=True, order=True)
class Lost:
    """An answer that was made again. age_s: how old it was when its attempt was hit."""

    age_s: float
    what: str  # which one, what hit it, and how long it took until it was made again


@dataclass
class Sweep:
    """One sweep, as often as its coordinator has to be started for it."""

    folder: Path
    machines: Machines
    kills: list[Kill] = field(default_factory=list)
    came: dict[str, int] = field(
        default_factory=dict
    )  # how often it was made when it was seen to have come back
    began: dict[Path, int] = field(default_factory=dict)
    dead: set[Path] = field(default_factory=set)  # attempts that were hit
    starts: int = 0
    odd: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir()
        manifest = driven_manifest(self.folder, models=MODELS, limit=ANSWERS, delay_s=DELAY_S)
        self.results = self.folder / "results"
        (self.folder / "local.json").write_text(json.dumps(manifest))
        (self.folder / "sweep.json").write_text(json.dumps({**manifest, "engine": self.machines.settings}))
        self.answers = Answers(self.folder / ANSWERED)

    def start(self) -> subprocess.Popen[bytes]:
        words = (
            ["--resume", "last"]
            if any(self.results.glob("sweeps/*/sweep.json"))
            else [self.folder / "sweep.json"]
        )
        self.starts += 1
        with (self.folder / "said.log").open("ab") as log:
            return subprocess.Popen(
                [PROGRAM, "sweep", *map(str, words), "--results-dir", str(self.results)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.machines.environment},
            )

    def error(self) -> str:
        """What the sweep said last that went wrong."""
        said = (self.folder / "said.log").read_text().splitlines()
        return next((line for line in reversed(said) if line.startswith("error")), "")

    def notes(self) -> list[str]:
        """What it left out."""
        return [
            line for line in (self.folder / "said.log").read_text().splitlines() if "was left out" in line
        ]

    def attempts(self) -> Iterator[tuple[AttemptEntry, Path]]:
        for sweep in all_sweeps(self.results):
            attempts = Attempts(sweep.path)
            for entry in attempts.running():
                yield entry, attempts.folder(entry.unit_id, entry.number)

    def look(self) -> None:
        """Note what has come back, and how often each of it was made by now."""
        runs = [run for _, folder in self.attempts() for run in runs_in(folder)]
        names = {name for run in [*runs, *runs_in(self.results)] for name in _names(run)} - self.came.keys()
        if names:
            counts = self.answers.counts()
            self.came.update({name: counts[name] for name in names})

    def ready(self) -> tuple[AttemptEntry, Path] | None:
        """An attempt that has brought something new."""
        for entry, folder in self.attempts():
            there = _count(folder)
            began = self.began.setdefault(folder, there if self._copied(folder) else 0)
            if folder not in self.dead and there - began >= NEW:
                return entry, folder
        return None

    def _copied(self, folder: Path) -> bool:
        return any(run.resume for run in _unit(folder).runs)

    def hit(self, kind: str, entry: AttemptEntry, folder: Path, process: subprocess.Popen[bytes]) -> None:
        self.look()
        everywhere = kind == "coordinator"
        there = {each: self.machines.place(other.place, each) for other, each in self.attempts()}
        here = self.machines.place(entry.place, folder)
        models = frozenset(name for each, place in there.items() if place == here for name in _models(each))
        all_models = frozenset(name for each in there for name in _models(each))
        at = time.monotonic()
        if kind == "coordinator":
            process.kill()
            process.wait()
        else:
            everywhere = getattr(self.machines, kind)(here)
        self.kills.append(Kill(kind, at, all_models if everywhere else models))
        hit = [each for each, place in there.items() if everywhere or place == here]
        if self.machines.gone_within_s is None and kind in {"connection", "coordinator"}:
            self.began.update({each: _count(each) for each in hit})  # they go on
        else:
            self.dead.update(hit)

    def lost(self) -> list[Lost]:
        """The answers that had to be made again. What a dying machine has made since it was hit doesn't count."""
        started = self._started()
        found = []
        for name, times in self.answers.made.items():
            model = name.partition(" ")[0]
            for first, again in itertools.pairwise(times):
                since = max((at for at in started[model] if at <= first), default=0.0)
                hits = (kill for kill in self.kills if kill.at >= since and model in kill.models)
                hit = next(hits, None)
                age_s = max(0.0, (hit.at if hit else again) - first)
                found.append(Lost(age_s, f"{name}, {hit.kind if hit else 'no kill'}, {again - first:.2f} s"))
        return found

    def _started(self) -> dict[str, list[float]]:
        """When attempts were started, by their models, on the clock of the kills."""
        ahead = time.time() - time.monotonic()
        found: dict[str, list[float]] = defaultdict(list)
        for sweep in all_sweeps(self.results):
            attempts = Attempts(sweep.path)
            for entry in attempts.entries():
                for model in (
                    _models(attempts.folder(entry.unit_id, entry.number)) if entry.what == STARTED else ()
                ):
                    found[model].append(dt.datetime.fromisoformat(entry.at).timestamp() - ahead)
        return found

    def twice(self) -> list[str]:
        counts = self.answers.counts()
        return sorted(name for name, count in self.came.items() if counts[name] > count)


def run(folder: Path, engine: str, kills: int, seed: int, within_s: float = float("inf")) -> dict[str, Any]:
    """within_s: after which nothing more is killed."""
    chance = random.Random(seed)
    plan = list(KINDS) * kills
    chance.shuffle(plan)
    sweeps: list[Sweep] = []
    longest_left_s = 0.0
    began = time.monotonic()
    with machines_of(engine, folder) as machines:
        while plan:
            sweep = Sweep(folder / f"sweep{len(sweeps)}", machines)
            sweeps.append(sweep)
            process = sweep.start()
            try:
                moved = time.monotonic()
                while True:
                    if process.poll() is not None:
                        if process.returncode == 0:
                            break
                        sweep.odd.append(f"exit {process.returncode}: {sweep.error()}")
                        process = sweep.start()
                    if time.monotonic() - began > within_s:
                        plan.clear()
                    sweep.look()
                    found = sweep.ready() if plan else None
                    if found is not None:
                        kind = plan.pop()
                        print(f"  {len(plan)} left: {kind} of {found[0].place}", file=sys.stderr, flush=True)
                        time.sleep(chance.uniform(0, 0.3))
                        sweep.hit(kind, *found, process)
                        if kind == "coordinator":
                            if machines.gone_within_s is not None:
                                longest_left_s = max(longest_left_s, left_after_s(machines, 60))
                            process = sweep.start()
                        moved = time.monotonic()
                    if time.monotonic() - moved > STUCK_S + (0 if plan else MODELS * ANSWERS * 2):
                        said = (sweep.folder / "said.log").read_text()[-3000:]
                        raise RuntimeError(f"nothing happens: {said}")
                    time.sleep(0.05)
            finally:
                if process.poll() is None:
                    process.send_signal(signal.SIGTERM)
                    process.wait(60)
                sweep.answers.close()
        left_after_s(machines, 60)
    return _figures(engine, sweeps, time.monotonic() - began, longest_left_s, machines.gone_within_s)


def _figures(
    engine: str, sweeps: Sequence[Sweep], seconds: float, left_s: float, gone_within_s: float | None
) -> dict[str, Any]:
    lost = sorted(each for sweep in sweeps for each in sweep.lost())
    figures: dict[str, Any] = {
        "engine": engine,
        "kills": Counter(kill.kind for sweep in sweeps for kill in sweep.kills),
        "seconds": round(seconds, 1),
        "sweeps": len(sweeps),
        "answers": sum(sum(sweep.answers.counts().values()) for sweep in sweeps),
        "made_again": len(lost),
        "oldest_made_again_s": round(lost[-1].age_s, 2) if lost else 0.0,
        "oldest_of_all": [f"{each.age_s:.2f} s: {each.what}" for each in lost[:-4:-1] if each.age_s > LOST_S],
        "said": [line for sweep in sweeps for line in sweep.notes()],
        "gone_after_s": round(left_s, 2),
        "odd": [each for sweep in sweeps for each in sweep.odd],
    }
    promises = {
        "streamed_made_twice": [name for sweep in sweeps for name in sweep.twice()],
        "lost_more_than_a_second": figures["oldest_made_again_s"] > LOST_S and figures["oldest_made_again_s"],
        "left_too_long": gone_within_s is not None and left_s > gone_within_s and left_s,
        "other_results": sum(not same_as_local(sweep) for sweep in sweeps),
    }
    return figures | {"broken": {name: value for name, value in promises.items() if value}}


def same_as_local(sweep: Sweep) -> bool:
    """Whether it has the same final results as a sweep on this machine."""
    local = sweep.folder / "local-results"
    done = bench_runner("sweep", sweep.folder / "local.json", "--results-dir", local, timeout=600)
    return done.code == 0 and scores(local) == scores(sweep.results) and len(scores(local)) == MODELS


def _names(run: RunFolder) -> set[str]:
    """Of its whole answers."""
    with contextlib.suppress(OSError, KeyError, ValueError):
        model = Path(json.loads(run.run_json.read_bytes())["config"]["path"]).name
        return {f"{model} {line['task_id']}" for line in lines(run.completions)}
    return set()


def _count(attempt: Path) -> int:
    return sum(len(_names(run)) for run in runs_in(attempt))


def _unit(folder: Path) -> UnitDocument:
    from engines.unit import read_unit

    return read_unit((folder / "unit.json").read_bytes())


def _models(folder: Path) -> frozenset[str]:
    return frozenset(Path(run.spec.model.path or "").name for run in _unit(folder).runs if run.spec.model)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=ENGINES, required=True)
    parser.add_argument("--kills", type=int, default=50, help="of each kind")
    parser.add_argument("--within", type=float, default=float("inf"), help="seconds for the kills")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="engine-kills-", ignore_cleanup_errors=True) as folder:
        figures = run(Path(folder), asked.engine, asked.kills, asked.seed, asked.within)
    print(json.dumps(figures))
    return 1 if figures["broken"] else 0


if __name__ == "__main__":
    sys.exit(main())
