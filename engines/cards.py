"""Choose the devices of this machine for each run of a sweep, and lease them while it runs."""

from __future__ import annotations

import contextlib
import itertools
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engines.leases import PROCESSORS, lease
from results.errors import UsageError
from servers.capacity.memory_estimate import estimate_server, fewest_cards
from servers.plan import PROVIDER
from servers.vllm import card_count
from telemetry.visibility import showing_only

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from engines.planned_run import PlannedRun
    from telemetry.contract import DeviceFacts


@dataclass(frozen=True)
class Cards:
    """Leases this machine's GPUs to the runs of `lanes` workers. With one worker, each run gets all GPUs, as with
    `run`.

    gpus: see `telemetry.devices.usable_gpus`. own_processors: a scheduler gave this program some of its own, so
    that it waits for nobody's. A server supports one vendor's GPUs, but it isn't known which. So on a machine with
    GPUs of two vendors, each run gets what it needs from both.
    """

    gpus: tuple[DeviceFacts, ...]
    lanes: int
    own_processors: bool = False

    @contextlib.contextmanager
    def taken(self, run: PlannedRun, *, on_wait: Callable[[], None]) -> Iterator[None]:
        """Lease the devices that the run needs, once they are free, and hide all other cards from its server.

        on_wait: called if they are not free. A run on the processors has them to itself; it also gets a card, because
        llama.cpp uses one even for a model without layers there. A run whose model a provider serves needs none, and
        waits for nobody. Raises ResultsError.
        """
        if run.spec is not None and run.spec.server.kind == PROVIDER:
            yield
            return
        with contextlib.ExitStack() as stack:
            # Processors before cards, one vendor's before the other's: a fixed order prevents deadlocks.
            if not self.own_processors and (not self.gpus or on_processors(run)):
                stack.enter_context(lease((PROCESSORS,), 1, on_wait=on_wait))
            leased: list[str] = []
            for gpus in _by_vendor(self.gpus):
                names, count = self._suitable(run, gpus)
                leased += stack.enter_context(lease(names, count, on_wait=on_wait))
            if len(leased) < len(self.gpus):
                chosen = [gpu for gpu in self.gpus if gpu.uuid in leased]
                stack.enter_context(_environment(showing_only(chosen, self.gpus, os.environ)))
            yield

    def needed(self, run: PlannedRun) -> int:
        """How many cards of a vendor the run takes; all of them if it needs more than there are."""
        return max((self._suitable(run, gpus)[1] for gpus in _by_vendor(self.gpus)), default=0)

    def _suitable(self, run: PlannedRun, gpus: Sequence[DeviceFacts]) -> tuple[list[str], int]:
        """The uuids of suitable cards, and how many of them the run needs."""
        names = [gpu.uuid for gpu in gpus]
        server = run.spec.server if run.spec else None
        if self.lanes == 1:
            return names, len(gpus)
        if server is None:
            return names, 1
        if server.kind == "vllm":
            return names, min(card_count(server, run.needs), len(gpus))
        memory = None
        with contextlib.suppress(UsageError, OSError):  # the model has disappeared; the run will report it
            memory = estimate_server(server, run.needs)
        needed_bytes = memory.gpu_bytes if memory else 0
        count = fewest_cards(needed_bytes, [gpu.memory_total_bytes for gpu in gpus]) if needed_bytes else 1
        if count is None:
            return names, len(gpus)
        # The largest cards, as many as possible while any `count` of them still hold the model.
        by_room = sorted(gpus, key=_total_bytes, reverse=True)
        while len(by_room) > count:
            smallest = [gpu.memory_total_bytes for gpu in by_room[-count:]]
            if fewest_cards(needed_bytes, smallest) is not None:
                break
            by_room.pop()
        return [gpu.uuid for gpu in gpus if gpu in by_room], count


def runs_at_once(gpus: Sequence[DeviceFacts]) -> int:
    """How many runs can have their own devices: one per GPU, or a single one on the processors."""
    return min((len(each) for each in _by_vendor(gpus)), default=1)


def on_processors(run: PlannedRun) -> bool:
    """Whether the run is meant to compute without a GPU."""
    from servers.llama_cpp import find_binary

    server = run.spec.server if run.spec else None
    if server is None or server.kind != "llama.cpp":
        return False
    try:
        return run.needs.get("gpu_layers") == 0 or find_binary(server.server_binary) is None
    except UsageError:  # the binary has disappeared; the run will report it
        return False


def _by_vendor(gpus: Sequence[DeviceFacts]) -> list[tuple[DeviceFacts, ...]]:
    """The GPUs grouped by vendor, in the same order in every process."""
    by_kind = sorted(gpus, key=lambda gpu: gpu.kind)  # stable
    return [tuple(group) for _, group in itertools.groupby(by_kind, key=lambda gpu: gpu.kind)]


def _total_bytes(gpu: DeviceFacts) -> float:
    return float("inf") if gpu.memory_total_bytes is None else gpu.memory_total_bytes


@contextlib.contextmanager
def _environment(changes: Mapping[str, str | None]) -> Iterator[None]:
    """Change the environment of programs started in the block. None removes a variable."""
    before = {name: os.environ.get(name) for name in changes}
    _set(changes)
    try:
        yield
    finally:
        _set(before)


def _set(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
