"""An engine whose machines are none: they write run folders as real ones do, die, refuse and come back, by a seed and
in virtual time. All that a coordinator sees of an engine is real: units, attempts' folders, records, ends.

    machines = FakeMachines(seed=1, nodes=20, faults=Faults(dies=0.2), answered=tmp_path / "answered.log")
    Coordinator(folder, planned, FakeEngine(machines), ...).work()
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import heapq
import itertools
import json
import os
import random
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from engines.contract import Capabilities, EndKind, UnitEnd
from engines.coordinator import Coordinator
from engines.node.attempt_files import END, UNIT, NodeEnd
from engines.unit import read_unit
from results.records import (
    Completion,
    Metric,
    Outcome,
    Results,
    RunRecord,
    RunStatus,
    Score,
    ServerFacts,
    encode_record,
)
from results.store.family_styles import FamilyStyle
from results.store.run_id import new_run_id
from results.sweep_place import SweepPlace
from sweeps.manifest.reader import parse_manifest
from sweeps.plan import plan_runs
from sweeps.sweep import begin
from tests.servers.gguf_file import STRING, gguf
from tests.sweep_runs import models as model_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from engines.contract import Attempt, Engine, Finding, Store, Units
    from engines.planned_run import PlannedRun
    from engines.unit import Unit, UnitDocument, UnitRun
    from results.store.sweep_folder import SweepFolder
    from tests.engines.driving import Said

BEGAN = dt.datetime(2026, 11, 21, 3, 46, tzinfo=dt.UTC)


@dataclass(frozen=True, kw_only=True)
class Faults:
    """Chances. dies: of a machine, in each run. refuses: of a machine, for each unit. fails: of a run, always the same
    runs. slow: of a machine, to take ten times as long. zombie: of a machine that died, to write on for a while.
    """

    dies: float = 0.0
    refuses: float = 0.0
    fails: float = 0.0
    slow: float = 0.0
    zombie: float = 0.0


@dataclass
class _Node:
    name: str
    pace: float
    attempt: Attempt | None = None


@dataclass
class FakeMachines:
    """The machines. answered: gets a line for each answer that was made. samples: of a run, unless it has a limit.

    own_s: processor time that went into playing machines.
    """

    seed: int
    nodes: int
    answered: Path
    faults: Faults = Faults()
    samples: int = 4
    now: float = 0.0
    own_s: float = 0.0
    died: int = 0
    idle: deque[_Node] = field(default_factory=deque)
    work: dict[str, _Node] = field(default_factory=dict)  # by handle

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)
        self._events: list[tuple[float, int, str, _Node]] = []
        self._count = itertools.count()
        self._zombies: list[int] = []
        for number in range(self.nodes):
            pace = 10.0 if self._chance.random() < self.faults.slow else 1.0
            self.idle.append(_Node(f"node{number}", pace))

    def start(self, attempt: Attempt) -> None:
        """Let an idle machine do it. The attempt has its handle."""
        node = self.idle.popleft()
        node.attempt = attempt
        self.work[attempt.handle] = node
        takes = node.pace * len(attempt.unit.todo or (1,)) * self._chance.uniform(5.0, 15.0)
        self._at(takes / 2, "decides", node)
        self._at(takes, "ends", node)

    def stop(self, attempt: Attempt) -> None:
        node = self.work.pop(attempt.handle, None)
        if node is not None:
            node.attempt = None
            self.idle.append(node)

    def step(self) -> UnitEnd | None:
        """Go on to the next event. An end, if it was one."""
        began = time.process_time()
        self.haunt()
        try:
            self.now, _, what, node = heapq.heappop(self._events)
            if what == "back":
                self.idle.append(node)
                return None
            if node.attempt is None or node.attempt.handle not in self.work:
                return None
            if what == "decides":
                self._decide(node.attempt)
                return None
            attempt = node.attempt
            del self.work[attempt.handle]
            node.attempt = None
            end = self._end(attempt, node)
            if end.kind is EndKind.LOST:
                self.died += 1
                self._at(self._chance.uniform(1.0, 100.0), "back", node)
            else:
                self.idle.append(node)
            return end
        finally:
            self.own_s += time.process_time() - began

    @property
    def is_waiting(self) -> bool:
        """Whether anything is still to happen."""
        return bool(self._events)

    def haunt(self) -> None:
        """Let machines that are taken for dead write on into files that they had open; then they die."""
        for descriptor in self._zombies:
            os.write(descriptor, b'{"task_id": "of the dead"}\n')
            os.close(descriptor)
        self._zombies.clear()

    def _at(self, after: float, what: str, node: _Node) -> None:
        heapq.heappush(self._events, (self.now + after, next(self._count), what, node))

    def _decide(self, attempt: Attempt) -> None:
        document = read_unit((attempt.folder / UNIT).read_bytes())
        for family in document.families:
            if family not in document.styles:
                folder = attempt.folder / "sweeps" / document.sweep_id / "styles"
                folder.mkdir(parents=True, exist_ok=True)
                style = FamilyStyle(
                    style=self._chance.choice(("chat", "completion")),
                    because="it answered",
                    decided_by=attempt.unit.unit_id,
                    run_id=attempt.name,
                )
                (folder / f"{family}.json").write_bytes(msgspec.json.encode(style))

    def _end(self, attempt: Attempt, node: _Node) -> UnitEnd:
        if self._chance.random() < self.faults.refuses:
            return self._ends(attempt, node, EndKind.REFUSED, "another version", elsewhere=True)
        document = read_unit((attempt.folder / UNIT).read_bytes())
        for run in document.runs:
            whole = self._chance.random() >= self.faults.dies
            self._do(attempt.folder, document, run, whole=whole)
            if not whole:
                return UnitEnd(attempt=attempt, kind=EndKind.LOST, why="no heartbeat", place=node.name)
        return self._ends(attempt, node, EndKind.DONE)

    def _ends(
        self, attempt: Attempt, node: _Node, kind: EndKind, why: str = "", *, elsewhere: bool = False
    ) -> UnitEnd:
        end = NodeEnd(kind=kind, why=why, elsewhere=elsewhere)
        (attempt.folder / END).write_bytes(msgspec.json.encode(end))
        return UnitEnd(attempt=attempt, kind=kind, why=why, place=node.name, elsewhere=elsewhere)

    def _do(self, attempt: Path, document: UnitDocument, run: UnitRun, *, whole: bool) -> None:
        """A run from where it stands; if it doesn't come to its end, up to some sample."""
        model = run.spec.model.name if run.spec.model is not None else "model"
        now = BEGAN + dt.timedelta(seconds=self.now)
        folder = attempt / (run.resume or new_run_id("human_eval", model, now))
        while not run.resume and folder.exists():
            folder = attempt / new_run_id("human_eval", model, now)
        limit = run.spec.settings.get("limit")
        total = limit if isinstance(limit, int) else self.samples
        there = []
        with contextlib.suppress(FileNotFoundError):
            there = (folder / "completions.jsonl").read_bytes().splitlines()
        if not whole and not there and self._chance.random() < 0.2:
            return  # it died before there was a folder
        folder.mkdir(exist_ok=True)
        upto = total if whole else self._chance.randint(len(there), total)
        lines = [_answer(run.fingerprint, number) for number in range(len(there), upto)]
        with self.answered.open("ab") as log:
            log.write(
                b"".join(f"{run.fingerprint} {number}\n".encode() for number in range(len(there), upto))
            )
        with (folder / "completions.jsonl").open("ab") as file:
            file.write(b"".join(lines))
            if not whole and self._chance.random() < self.faults.zombie:
                self._zombies.append(os.dup(file.fileno()))
        status = RunStatus.STARTED
        if whole:
            status = RunStatus.FAILED if _fails(run.fingerprint, self.faults.fails) else RunStatus.SUCCEEDED
        place = SweepPlace(
            sweep_id=document.sweep_id, fingerprint=run.known_as, label=run.label, nonce=document.nonce
        )
        (folder / "run.json").write_bytes(
            encode_record(_record(folder.name, now, status, model=model, total=total, place=place)) + b"\n"
        )


@dataclass
class FakeEngine:
    """See `engines.contract.Engine`. outlives: whether attempts go on without the coordinator. pause: called with each
    end before it is yielded.
    """

    machines: FakeMachines
    outlives: bool = False
    pause: Any = None
    name: str = "fake"

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(outlives_coordinator=self.outlives)

    def check(self, units: Sequence[Unit]) -> Sequence[Finding]:
        return ()

    def run(self, units: Units, store: Store) -> Iterator[UnitEnd]:
        machines = self.machines
        for attempt in store.running():
            if attempt.handle not in machines.work:
                yield UnitEnd(attempt=attempt, kind=EndKind.LOST, why="it is gone", place=attempt.place)
        try:
            while True:
                while machines.idle and (unit := units.take()) is not None:
                    attempt = store.partial(unit)
                    machines.start(
                        store.started(attempt, handle=f"job {attempt.name}", place=machines.idle[0].name)
                    )
                if not machines.work and units.is_done:
                    return
                if units.leaves and not units.holds_back:
                    return
                assert machines.is_waiting, "the engine waits for a unit that doesn't come"
                end = machines.step()
                if end is not None:
                    if self.pause is not None:
                        self.pause(end)
                    yield end
        except BaseException:
            self.cancel([node.attempt for node in machines.work.values() if node.attempt], 0.0)
            raise

    def cancel(self, attempts: Sequence[Attempt], grace_s: float) -> None:
        for attempt in attempts:
            self.machines.stop(attempt)

    def deploy(self) -> str:
        raise NotImplementedError


def twice(answered: Path) -> list[str]:
    """Answers that were made more than once."""
    return [line for line, count in Counter(answered.read_text().splitlines()).items() if count > 1]


def _passes(fingerprint: str, number: int) -> bool:
    return hashlib.blake2s(f"{fingerprint} {number}".encode()).digest()[0] < 100


def _fails(fingerprint: str, share: float) -> bool:
    return hashlib.blake2s(f"fails {fingerprint}".encode()).digest()[0] < 256 * share


def _answer(fingerprint: str, number: int) -> bytes:
    passed = _passes(fingerprint, number)
    line = Completion(
        task_id=f"HumanEval/{number}",
        index=0,
        outcome=Outcome.PASSED if passed else Outcome.FAILED,
        passed=passed,
    )
    return msgspec.json.encode(line) + b"\n"


def _record(
    run_id: str, now: dt.datetime, status: RunStatus, *, model: str, total: int, place: SweepPlace
) -> RunRecord:
    score, results = None, Results()
    if status is RunStatus.SUCCEEDED:
        solved = sum(_passes(place.fingerprint, number) for number in range(total))
        share = solved / total
        score = Score(
            score=100 * share,
            metrics={"pass@1": Metric(value=share, low=share, high=share)},
            samples=total,
            completions=total,
            outcomes={"passed": solved, "failed": total - solved},
        )
        results = Results(score=100 * share, time_taken=12.0)
    return RunRecord(
        run_id=run_id,
        timestamp=now.isoformat(),
        status=status,
        benchmark="human_eval",
        model=model,
        config={"path": f"/m/{model}.gguf", "gpu_layers": 80},
        score=score,
        results=results,
        server=ServerFacts(kind="command", command=("fake",)),
        sweep=place,
    )


def planned_sweep(
    folder: Path, *, models: int = 3, runs: int = 2, family: str = "", **settings: object
) -> tuple[SweepFolder, tuple[PlannedRun, ...]]:
    """A sweep of models that are none: a unit a model, with so many runs. family: its name, if all are one model's.
    settings: of the manifest.
    """
    files = model_files(folder / "models", *(f"m{number}" for number in range(models)))
    for number, path in enumerate(files if family else ()):
        path.write_bytes(gguf({"general.name": (STRING, family), "general.note": (STRING, str(number))}))
    matrix = {
        "model": [str(path) for path in files],
        "benchmark": ["human_eval"],
        "temperature": [number / 100 for number in range(runs)],
    }
    defaults = {
        "server_command": "fake --port {port} {model}",
        "limit": 4,
        "prompt_style": "chat",
        **settings,
    }
    manifest = parse_manifest(
        json.dumps({"defaults": defaults, "matrix": matrix}), form="json", name="fake.json", folder=folder
    )
    plan = plan_runs(manifest)
    return begin(manifest, plan, results_dir=folder / "results"), plan.runs


def coordinator(
    folder: SweepFolder, planned: Sequence[PlannedRun], engine: Engine, *, said: Said, leaves: bool = False
) -> Coordinator:
    return Coordinator(
        folder,
        planned,
        engine,
        nonce="abcd",
        may_reduce=False,
        display=said,
        held=contextlib.nullcontext,
        leaves=leaves,
    )
