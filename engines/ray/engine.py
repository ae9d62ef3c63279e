"""The Ray engine: an existing cluster that asks for a token, or one started here for the sweep."""

from __future__ import annotations

import importlib.util
import time
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from msgspec import Meta

from engines.carriers.choose import carrier_for
from engines.contract import END_S, Attempt, Capabilities, EndKind, Finding, UnitEnd
from engines.node.attempt_files import read_end
from engines.node_looks import NodeLook, findings, look_of, question_for
from engines.ray import messages
from engines.ray.demands import demand_of, takers
from engines.ray.link import LOCAL, DriverGone, Link
from engines.ray.messages import Began, Do, Ended, Failed, Look, Looked, Nodes, Ready, Start, Stop
from engines.ray.stored import Kept, handle
from results.errors import UsageError
from results.extras import install_command
from runner.script import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from engines.contract import Store, Units
    from engines.node_looks import NodeQuestion
    from engines.ray.demands import Demand
    from engines.ray.messages import Node
    from engines.unit import Unit
    from runner.display import Display

LOOK_S: Final = 0.2
AGAIN_S: Final = 1.0
MOST_DRIVERS: Final = 3  # in a row, each of which began nothing
READY_S: Final = 90.0
LATER: Final = (
    "once the cluster is back, `bench_runner.py sweep --resume last` goes on with what had come back"
)
MOST_LABEL: Final = 500  # characters
_Text = Annotated[str, Meta(max_length=4096)]

FIELDS: Final[Mapping[str, str]] = {
    "address": "the cluster, as HOST:6379; default: the one that this machine has joined. `local` starts one here",
    "checkout": "the folder of bench_runner on the nodes; default: this one's",
    "python": "the interpreter of bench_runner's environment there; default: the one that runs Ray",
    "workdir": "a folder there for attempts; default: that for temporary files",
    "models": "folders there in which to look for models that are not at the same path",
    "cpus": "processors that each unit asks for; default: 1, or all of a node's for one that computes on them",
    "gpu_memory_gib": "memory of each GPU, so that a larger model asks for several; default: one GPU a model",
    "resources": "Ray's custom resources that each unit asks for, as {a100: 1}",
    "results_store": "an object store through which results go, as s3://BUCKET/PREFIX; default: through Ray itself",
    "wait_for_nodes_s": "how long a unit waits for a node that could take it, before it fails",
}


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the engine takes; `FIELDS` says what each is."""

    address: _Text = ""
    checkout: _Text = str(ROOT)
    python: _Text = ""
    workdir: _Text = ""
    models: tuple[_Text, ...] = ()
    cpus: Annotated[float, Meta(gt=0, le=4096)] | None = None
    gpu_memory_gib: Annotated[float, Meta(gt=0, le=4096)] | None = None
    resources: dict[str, float] = {}
    results_store: _Text = ""
    wait_for_nodes_s: Annotated[float, Meta(ge=0, le=86400)] = 60.0


def make(settings: Settings, display: Display) -> RayEngine:
    """Raises UsageError if Ray isn't installed."""
    if not _has_ray():
        raise UsageError("the engine ray needs Ray", hint=install_command("ray"))
    carrier_for(settings.results_store)  # whether it can be one
    return RayEngine(settings, display)


def _has_ray() -> bool:
    try:
        return importlib.util.find_spec("ray") is not None
    except ValueError:  # it is kept out on purpose
        return False


class RayEngine:
    """See `engines.contract.Engine`."""

    name = "ray"
    capabilities = Capabilities()

    def __init__(self, settings: Settings, display: Display) -> None:
        self._settings = settings
        self._display = display
        self._lost_on: dict[str, set[str]] = {}  # unit -> nodes
        self._refused_by: dict[str, dict[str, str]] = {}  # unit -> nodes, and why
        self._session: _Session | None = None
        self.kept = Kept(display.say)

    def check(self, units: Sequence[Unit]) -> Sequence[Finding]:
        """A cluster that is to be started here is taken as it will be."""
        found: list[Finding] = []
        if self._settings.results_store:
            stored = carrier_for(self._settings.results_store).check()
            found += [stored] if stored else []
        if self._settings.address == LOCAL:
            return found
        for left in reversed(range(MOST_DRIVERS)):
            try:
                with Link(self._start()) as link:
                    _, nodes = _ready(link)
                    seen = findings(self._looks(link, question_for(units), len(nodes)), units)
                    break
            except UsageError as error:
                return (*found, Finding(message=error.message, hint=error.hint))
            except DriverGone as error:  # the node of this machine may be going, and others there
                if not left:
                    return (*found, Finding(message=error.message, hint=error.hint))
                time.sleep(AGAIN_S)
        found += seen
        for unit in units:
            demand = self._demand(unit, nodes)
            if not takers(demand, nodes, ()):
                message = f"{unit.label} needs {demand.describe()}; no node of the Ray cluster has that now"
                hint = f"it waits {self._settings.wait_for_nodes_s:g} s for one, then it fails"
                found.append(Finding(message=message, hint=hint, is_error=False))
        return found

    def looks(self, question: NodeQuestion) -> Sequence[NodeLook]:
        """See `engines.node_looks`. Raises UsageError, and DriverGone if the cluster went away."""
        with Link(self._start()) as link:
            return self._looks(link, question, len(_ready(link)[1]))

    def _looks(self, link: Link, question: NodeQuestion, count: int) -> list[NodeLook]:
        words = question.words(workdir=self._settings.workdir, model_folders=self._settings.models)
        link.send(Look(words=tuple(words)))
        found: list[NodeLook] = []
        deadline = time.monotonic() + READY_S
        while len(found) < count and time.monotonic() < deadline:
            said = link.receive(1.0)
            found += [_look(message) for message in said if isinstance(message, Looked)]
        return found

    def run(self, units: Units, store: Store) -> Iterator[UnitEnd]:
        for attempt in store.running():
            # Ray ends the tasks of a driver that is gone, and our driver ends with its coordinator.
            yield from self._lost(attempt, "the process that coordinated the sweep was ended")
        began, until, in_vain = False, 0.0, 0
        while True:
            session = self._session = _Session(self, units, store)
            try:
                with Link(self._start()) as link:
                    yield from session.work(link)
            except UsageError as error:
                if not began:
                    raise
                if time.monotonic() > until:
                    raise DriverGone(error.message, hint=LATER) from error
                time.sleep(AGAIN_S)  # the node of this machine may be starting again
            except DriverGone as error:
                began, until = True, time.monotonic() + self._settings.wait_for_nodes_s
                # What is lost again and again without any progress is given up by the coordinator.
                in_vain = 0 if session.has_begun else in_vain + 1
                if in_vain >= MOST_DRIVERS:
                    raise
                self._display.say(f"{error.message}; connecting again")
                for attempt in session.active():
                    yield from self._lost(attempt, error.message)
            else:
                return
            finally:
                self._session = None

    def _lost(self, attempt: Attempt, why: str) -> Iterator[UnitEnd]:
        """Its end, with all that it left."""
        self.kept.bring_the_rest(attempt)
        yield UnitEnd(attempt=attempt, kind=EndKind.LOST, why=why, place=attempt.place)
        self.kept.remove(attempt)

    def cancel(self, attempts: Sequence[Attempt], grace_s: float) -> None:
        """Attempts of another coordinator end with it: Ray ends the tasks of a driver that is gone."""
        if self._session is not None:
            self._session.cancel([attempt.name for attempt in attempts], grace_s)

    def deploy(self) -> str:
        raise UsageError(
            "there is nothing to deploy for Ray",
            hint="docs/engines.md says how machines join the cluster",
        )

    def order(self, attempt: Attempt) -> Do:
        """What the driver has to do for an attempt."""
        unit = attempt.unit
        words = [word for folder in self._settings.models for word in ("--models", folder)]
        if self._settings.cpus is not None:  # then a node's processors are shared as the user says
            words.append("--own-processors")
        return Do(
            key=attempt.name,
            folder=str(attempt.folder.absolute()),
            label=unit.label[:MOST_LABEL],
            needs=unit.needs,
            words=tuple(words),
            avoid=tuple(self._lost_on.get(unit.unit_id, ())),
            never=tuple(self._refused_by.get(unit.unit_id, ())),
        )

    def end_of(self, attempt: Attempt, ended: Ended) -> UnitEnd:
        """What the driver says of an attempt, and what its program wrote, as its end."""
        unit_id = attempt.unit.unit_id
        kind, why, hint, elsewhere = EndKind.LOST, ended.why, ended.hint, False
        written = read_end(attempt.folder) if ended.kind == messages.ENDED else None
        if written is not None:
            kind, why, hint, elsewhere = written.kind, written.why, written.hint, written.elsewhere
        elif ended.kind == messages.ENDED:
            why = f"its program ended without a word: {ended.why}; see {attempt.folder}/unit.log"
        elif ended.kind == messages.CANCELLED:
            kind = EndKind.CANCELLED
        elif ended.kind == messages.REFUSED:
            kind, elsewhere = EndKind.REFUSED, True
        elif ended.kind == messages.NOWHERE:
            before = list(self._refused_by.get(unit_id, {}).values())
            kind, why = EndKind.REFUSED, f"{why}: {before[-1]}" if before else why
        if kind is EndKind.REFUSED and elsewhere and ended.node_id:
            self._refused_by.setdefault(unit_id, {})[ended.node_id] = why
        if kind is EndKind.LOST and ended.node_id:
            self._lost_on.setdefault(unit_id, set()).add(ended.node_id)
        return UnitEnd(
            attempt=attempt, kind=kind, why=why, hint=hint, place=attempt.place, elsewhere=elsewhere
        )

    @property
    def results_store(self) -> str:
        return self._settings.results_store

    def _demand(self, unit: Unit, nodes: Sequence[Node]) -> Demand:
        start = self._start()
        return demand_of(
            unit.needs,
            nodes,
            cpus=start.cpus,
            gpu_memory_bytes=start.gpu_memory_bytes,
            resources=start.resources,
        )

    def _start(self) -> Start:
        gib = self._settings.gpu_memory_gib
        return Start(
            address=self._settings.address,
            checkout=self._settings.checkout,
            python=self._settings.python,
            workdir=self._settings.workdir,
            cpus=self._settings.cpus,
            gpu_memory_bytes=None if gib is None else int(gib * 2**30),
            resources=self._settings.resources,
            wait_for_nodes_s=self._settings.wait_for_nodes_s,
            results_store=self._settings.results_store,
        )


class _Session:
    """What one driver does."""

    def __init__(self, engine: RayEngine, units: Units, store: Store) -> None:
        self.has_begun = False  # any attempt on a node, or came to its end
        self._engine = engine
        self._units = units
        self._store = store
        self._active: dict[str, Attempt] = {}
        self._began: set[str] = set()
        self._nodes = 1
        self._counted = 0
        self._link: Link | None = None

    def active(self) -> list[Attempt]:
        return list(self._active.values())

    def work(self, link: Link) -> Iterator[UnitEnd]:
        ready, nodes = _ready(link)
        self._link = link
        self._nodes = len(nodes)
        known_by = handle(ready.job, ready.address, self._engine.results_store)
        try:
            while True:
                self._submit(link, known_by)
                if not self._active and self._units.is_done:
                    return
                for message in link.receive(LOOK_S):
                    end = self._heard(message)
                    if end is not None:
                        yield end
                        self._engine.kept.remove(end.attempt)
        finally:
            self._stop(link)

    def cancel(self, names: Sequence[str], grace_s: float) -> None:
        """End these, from another thread than the one that works. Returns when they have ended."""
        there = tuple(name for name in names if name in self._active)
        if self._link is None or not there:
            return
        self._link.send(Stop(keys=there, grace_s=grace_s))
        deadline = time.monotonic() + grace_s + END_S
        while time.monotonic() < deadline and any(name in self._active for name in there):
            time.sleep(LOOK_S)

    def _submit(self, link: Link, known_by: str) -> None:
        """Keep a few waiting in Ray's queue: a free place then never waits for us."""
        while len(self._active) - len(self._began) < max(2, self._nodes):
            unit = self._units.take()
            if unit is None:
                return
            attempt = self._store.started(self._store.partial(unit), handle=known_by)
            self._active[attempt.name] = attempt
            link.send(self._engine.order(attempt))

    def _heard(self, message: object) -> UnitEnd | None:
        match message:
            case Nodes(nodes=nodes, more=more):
                self._counted += len(nodes)
                if not more:
                    self._nodes, self._counted = self._counted, 0
            case Began(key=key, place=place) if key in self._active:
                attempt = self._active[key]
                self._began.add(key)
                self.has_begun = True
                self._active[key] = self._store.started(attempt, handle=attempt.handle, place=place)
            case Ended(key=key) as ended if key in self._active:
                self.has_begun = True
                self._began.discard(key)
                return self._engine.end_of(self._active.pop(key), ended)
        return None

    def _stop(self, link: Link) -> None:
        """End what is still there, and take what it has."""
        if not self._active:
            return
        deadline = time.monotonic() + END_S
        try:
            link.send(Stop(keys=None, grace_s=END_S / 2))
            while self._active and time.monotonic() < deadline:
                for message in link.receive(max(0.0, deadline - time.monotonic())):
                    if isinstance(message, Ended):
                        self._active.pop(message.key, None)
        except DriverGone:
            return


def _look(seen: Looked) -> NodeLook:
    if seen.why:
        hint = "name bench_runner's folder there by checkout:, and its interpreter by python:"
        return NodeLook(place=seen.place, why=f"nothing can be run there: {seen.why}", hint=hint)
    return look_of(seen.place, seen.answer.encode(), asked=seen.asked, answered=seen.answered)


def _ready(link: Link) -> tuple[Ready, list[Node]]:
    """The cluster and its nodes. Raises UsageError if the driver can't use it."""
    nodes: list[Node] = []
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        for message in link.receive(1.0):
            if isinstance(message, Failed):
                raise UsageError(message.why, hint=message.hint)
            if isinstance(message, Nodes):
                nodes += message.nodes
            if isinstance(message, Ready):
                return message, nodes
    raise UsageError(f"the Ray cluster gave no answer for {READY_S:g} s", hint="see `ray status`")
