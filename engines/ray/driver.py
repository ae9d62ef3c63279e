"""`python -m engines.ray.driver FOLDER`: the process that talks to Ray for a coordinator, see `engines.ray.link`.

It submits attempts as tasks, writes what their nodes send into the attempts' folders, and says how each one ended. It
ends when the coordinator does; Ray then ends its tasks.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ray
from ray import exceptions as trouble

from engines.carriers.growing_files import GrowingFiles
from engines.carriers.object_store import object_store
from engines.carriers.packs import packed
from engines.carriers.received_files import ReceivedFiles
from engines.node.streamed_unit import EXIT, PART, PLACE, REFUSED
from engines.ray import messages, stub
from engines.ray.cluster import connect, living_nodes, say_stop, stop_key
from engines.ray.demands import demand_of, takers
from engines.ray.messages import (
    Began,
    Do,
    Ended,
    Failed,
    Look,
    Looked,
    Ready,
    Start,
    Stop,
    encode,
    to_driver,
)
from engines.ray.parts import Parts
from engines.ray.stored import Stored
from results.errors import BenchError, ResultsError
from results.plain_text import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engines.ray.demands import Demand
    from engines.ray.messages import FromDriver, Node

LOOK_S = 1.0
FORCE_S = 1.0  # after a task's own end is due, it is forced
LABEL_CHARACTERS = 120
LOOK_AT_S = 15.0
MOST_SAID = 1000  # characters of what a node says


class _Lost(Exception):
    """The attempt can't go on. kind: as in `Ended`."""

    def __init__(self, kind: str, why: str, hint: str = "") -> None:
        super().__init__(why)
        self.kind = kind
        self.why = why
        self.hint = hint


class _Task:
    """An attempt as a task."""

    def __init__(self, order: Do, demand: Demand, tasks: Tasks, avoid: Sequence[str]) -> None:
        self.order = order
        self.demand = demand
        self.avoid = tuple(avoid)
        self.node_id = ""
        self.fits_nowhere_since: float | None = None
        self.ended_as: tuple[str, str] | None = None  # kind and why, once we end it ourselves
        self.stopped = threading.Event()  # it is not to be submitted any more
        self._tasks = tasks
        self.generator: Any = None
        self.stored: Stored | None = None

    def submit(self) -> None:
        folder = Path(self.order.folder)
        packs: list[bytes] = []
        program: tuple[str, ...] = ()
        if self._tasks.carrier is None:
            packs = list(packed(GrowingFiles(folder, with_unit=True).pieces(), ended=True))
        else:
            self.stored = Stored(self._tasks.carrier, folder, self.order.key, self.stopped)
            program = self.stored.program
        if self.stopped.is_set():
            raise _Lost(messages.CANCELLED, "it was cancelled")
        start = self._tasks.start
        options: dict[str, Any] = {
            "name": self.order.label[:LABEL_CHARACTERS],
            "num_returns": "streaming",
            "max_retries": 0,
            "num_cpus": self.demand.cpus,
            "num_gpus": self.demand.gpus,
        }
        if self.demand.memory_bytes:
            options["memory"] = self.demand.memory_bytes
        if self.demand.resources:
            options["resources"] = dict(self.demand.resources)
        without = (*self.order.never, *self.avoid)
        if without:
            options["label_selector"] = {"ray.io/node-id": f"!in({','.join(without)})"}
        order = {
            "program": program,
            "words": self.order.words,
            "python": start.python,
            "workdir": start.workdir,
            "gpus": self.demand.gpus,
            "stop_key": stop_key(self.order.key),
        }
        self.generator = self._tasks.remote.options(**options).remote(start.checkout, order, *packs)
        if self.stopped.is_set():  # in the instant before
            ray.cancel(self.generator, force=True)

    def follow(self) -> Ended:
        """Take what comes until the task's end. Runs in a thread of its own."""
        key = self.order.key
        try:
            with self.stored.fetched(self._unreadable) if self.stored else contextlib.nullcontext():
                why = self._received()
            return Ended(key=key, kind=messages.ENDED, why=why, node_id=self.node_id)
        except _Lost as error:
            kind, why, hint = error.kind, error.why, error.hint
        except ResultsError as error:
            ray.cancel(self.generator, force=True)
            kind, why, hint = messages.LOST, error.message, error.hint
        except trouble.LocalRayletDiedError:
            # Without its own node this driver can't start anything any more; Ray itself notices a minute later.
            os._exit(1)
        except trouble.RayError as error:
            kind, why, hint = explained(error)
        if self.ended_as is not None:
            kind, why = self.ended_as
        return Ended(key=key, kind=kind, why=why, hint=hint, node_id=self.node_id)

    def _unreadable(self, error: ResultsError) -> None:
        self.ended_as = (messages.LOST, error.message)
        ray.cancel(self.generator, force=True)

    def _received(self) -> str:
        """How the unit's program ended, once all of its folder is here."""
        parts = Parts(ReceivedFiles(Path(self.order.folder)))
        for reference in self.generator:
            kind, *rest = ray.get(reference)
            if kind == PLACE:
                place, self.node_id = (plain(str(each))[:100] for each in rest)
                self._tasks.say(Began(key=self.order.key, place=place, node_id=self.node_id))
            elif kind == PART:
                parts.add(rest[0], is_last=rest[1])
            elif kind == REFUSED:
                raise _Lost(messages.REFUSED, *(plain(str(each))[:MOST_SAID] for each in rest))
            elif kind == EXIT:
                return plain(str(rest[0]))[:MOST_SAID]
        raise _Lost(messages.LOST, "its task ended without an end")


class Tasks:
    """All attempts of this driver."""

    def __init__(self, start: Start, connection: socket.socket) -> None:
        self.start = start
        ray.cloudpickle.register_pickle_by_value(stub)
        self.remote = ray.remote(stub.do_unit)
        self.nodes: tuple[Node, ...] = ()
        self.carrier = object_store(start.results_store) if start.results_store else None
        self._connection = connection
        self._saying = threading.Lock()
        self._there: dict[str, _Task] = {}
        self._lock = threading.Lock()

    def say(self, message: FromDriver) -> None:
        with self._saying:
            self._connection.sendall(encode(message))

    def say_nodes(self, nodes: Sequence[Node]) -> None:
        for message in messages.in_messages(nodes):
            self.say(message)

    def do(self, order: Do) -> None:
        demand = demand_of(
            order.needs,
            self.nodes,
            cpus=self.start.cpus,
            gpu_memory_bytes=self.start.gpu_memory_bytes,
            resources=self.start.resources,
        )
        avoid = order.avoid if takers(demand, self.nodes, {*order.never, *order.avoid}) else ()
        task = _Task(order, demand, self, avoid)
        with self._lock:
            self._there[order.key] = task
        threading.Thread(target=self._run, args=(task,), daemon=True).start()

    def _run(self, task: _Task) -> None:
        key = task.order.key
        try:
            task.submit()
            ended = task.follow()
        except Exception as error:  # noqa: BLE001 - told, as the end of the attempt
            if task.generator is not None:
                ray.cancel(task.generator, force=True)
            why = plain(f"{type(error).__name__}: {error}")[:MOST_SAID]
            kind, why = task.ended_as or (messages.LOST, why)
            ended = Ended(key=key, kind=kind, why=why)
        with self._lock:
            self._there.pop(key, None)
        say_stop(key, None)
        self.say(ended)

    def stop(self, keys: Sequence[str] | None, grace_s: float) -> None:
        with self._lock:
            chosen = [task for key, task in self._there.items() if keys is None or key in keys]
        for task in chosen:
            task.ended_as = (messages.CANCELLED, "it was cancelled")
            task.stopped.set()
            if task.node_id:
                say_stop(task.order.key, grace_s)
                threading.Timer(grace_s + FORCE_S, self._force, (task,)).start()
            elif task.generator is not None:
                ray.cancel(task.generator, force=True)

    def _force(self, task: _Task) -> None:
        with self._lock:
            there = self._there.get(task.order.key) is task
        if there:
            ray.cancel(task.generator, force=True)

    def look_at_nodes(self, words: Sequence[str]) -> None:
        """Look at each one, whatever else it is doing."""
        for node in self.nodes:
            threading.Thread(target=self._look_at, args=(node, list(words)), daemon=True).start()

    def _look_at(self, node: Node, words: list[str]) -> None:
        asked = time.time()
        answer, why = "", ""
        try:
            task = ray.remote(stub.look).options(
                name="engines check",
                num_cpus=0,
                max_retries=0,
                label_selector={"ray.io/node-id": node.node_id},
            )
            reference = task.remote(self.start.checkout, self.start.python, words, LOOK_AT_S)
            said = ray.get(reference, timeout=2 * LOOK_AT_S)
            answer = bytes(said).decode(errors="replace")
        except Exception as error:  # noqa: BLE001 - told, as what was seen of the node
            cause = getattr(error, "cause", None) or error
            why = plain(f"{type(cause).__name__}: {cause}")[:MOST_SAID]
        place = plain(node.name)[:100]
        self.say(Looked(place=place, answer=answer, why=why, asked=asked, answered=time.time()))

    def look(self) -> None:
        """See which nodes there are, and end tasks that no node could take for long."""
        nodes = living_nodes()
        if {node.node_id for node in nodes} != {node.node_id for node in self.nodes}:
            self.say_nodes(nodes)
        self.nodes = nodes
        with self._lock:
            waiting = [task for task in self._there.values() if not task.node_id]
        for task in waiting:
            if takers(task.demand, nodes, {*task.order.never, *task.avoid}):
                task.fits_nowhere_since = None
                continue
            now = time.monotonic()
            since = task.fits_nowhere_since = task.fits_nowhere_since or now
            retry = bool(task.avoid and takers(task.demand, nodes, task.order.never))
            if (retry or now - since >= self.start.wait_for_nodes_s) and task.generator is not None:
                why = f"no node of the Ray cluster has {task.demand.describe()}"
                if task.order.never:
                    why += " and didn't refuse it"
                task.ended_as = (
                    (messages.LOST, "the other nodes are gone") if retry else (messages.NOWHERE, why)
                )
                ray.cancel(task.generator, force=True)


def explained(error: trouble.RayError) -> tuple[str, str, str]:
    """Kind, why and hint of an attempt's end by Ray."""
    if isinstance(error, trouble.TaskCancelledError):
        return messages.CANCELLED, "it was cancelled", ""
    if isinstance(error, trouble.RayTaskError):
        cause = error.cause
        if isinstance(cause, trouble.TaskCancelledError):
            return messages.CANCELLED, "it was cancelled", ""
        if isinstance(cause, ImportError):
            return (
                messages.REFUSED,
                f"bench_runner can't be imported there: {plain(str(cause))[:MOST_SAID]}",
                "install the same one on every node, run its `ray start`, or name its folder with checkout:",
            )
        return messages.REFUSED, plain(f"{type(cause).__name__}: {cause}")[:MOST_SAID], ""
    if isinstance(error, trouble.OutOfMemoryError):
        return messages.LOST, "Ray ended it because its node was running out of memory", ""
    if isinstance(error, trouble.NodeDiedError):
        return messages.LOST, "its node is gone", ""
    if isinstance(error, trouble.WorkerCrashedError):
        return messages.LOST, "its process on the node was killed, or the node is gone", ""
    first = str(error).strip().partition("\n")[0]
    return messages.LOST, plain(f"{type(error).__name__}: {first}")[:MOST_SAID], ""


def serve(connection: socket.socket, folder: Path) -> None:
    """Obey the coordinator until it is gone."""
    start = to_driver(connection.recv(messages.PACKET_BYTES))
    if not isinstance(start, Start):
        raise TypeError("the first message says how to begin")
    try:
        address, job = connect(start.address, folder)
        tasks = Tasks(start, connection)
    except BenchError as error:
        connection.sendall(encode(Failed(why=error.message, hint=error.hint)))
        return
    except Exception as error:  # noqa: BLE001 - told, as what Ray says of itself
        why = f"Ray can't be used: {type(error).__name__}: {error}".partition("\n")[0][:1000]
        connection.sendall(encode(Failed(why=why, hint="see `ray status` on this machine")))
        return
    tasks.nodes = living_nodes()
    tasks.say_nodes(tasks.nodes)
    tasks.say(Ready(address=address, job=job))
    threading.Thread(target=_watch, args=(tasks,), daemon=True).start()
    while data := connection.recv(messages.PACKET_BYTES):
        match to_driver(data):
            case Do() as order:
                tasks.do(order)
            case Look() as question:
                tasks.look_at_nodes(question.words)
            case Stop() as stop:
                tasks.stop(stop.keys, stop.grace_s)


def _watch(tasks: Tasks) -> None:
    while True:
        time.sleep(LOOK_S)
        with contextlib.suppress(Exception):  # the head is away for a while; the next look may see it again
            tasks.look()


def main(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.connect(str(folder / "s"))
        try:
            serve(connection, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)  # a killed coordinator can't
    ray.shutdown()
    sys.stdout.flush()
    os._exit(0)  # threads may wait for tasks that are gone


if __name__ == "__main__":
    main(Path(sys.argv[1]))
