"""Which of this machine's devices the runs of a sweep take, and having them while a run goes on."""

from __future__ import annotations

import contextlib
import math
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engines.leases import PROCESSORS, lease

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engines.planned_run import PlannedRun
    from telemetry.contract import DeviceFacts

MODEL_SHARE = 1.2  # memory that a server needs for each byte of the model's file


def usable_gpus() -> tuple[DeviceFacts, ...]:
    """Those that a server here may compute on, as far as CUDA_VISIBLE_DEVICES lets it see them: a card in MIG instances
    is none, each instance is one.
    """
    from telemetry.attribution import visible_gpus
    from telemetry.devices import gpu_facts

    facts = gpu_facts()
    divided = {each.parent_uuid for each in facts}
    whole = tuple(each for each in facts if each.uuid not in divided)
    visible = os.environ.get(_variable(whole))
    if visible is None:
        return whole
    seen = visible_gpus(facts, visible)
    return tuple(each for each in whole if each.uuid in seen)


@dataclass(frozen=True)
class Cards:
    """The GPUs, shared by so many lanes. The only lane gives every run all of them, as `run` does."""

    gpus: tuple[DeviceFacts, ...]
    lanes: int

    @contextlib.contextmanager
    def taken(self, run: PlannedRun, *, on_wait: Callable[[], None]) -> Iterator[None]:
        """Have what the run needs, as soon as it is free, and show its server no other cards. Raises ResultsError.

        on_wait: called when it is not free. What computes on the processors has them alone, and a card too, which
        llama.cpp uses even for a model without layers there.
        """
        with contextlib.ExitStack() as stack:
            if not self.gpus or on_processors(run):  # always before cards: so nobody waits in a circle
                stack.enter_context(lease((PROCESSORS,), 1, on_wait=on_wait))
            if self.gpus:
                names = tuple(gpu.uuid for gpu in self.gpus)
                uuids = stack.enter_context(lease(names, self.needed(run), on_wait=on_wait))
                if len(uuids) < len(names):
                    stack.enter_context(_only(tuple(gpu for gpu in self.gpus if gpu.uuid in uuids)))
            yield

    def needed(self, run: PlannedRun) -> int:
        """As many as the server was told, else as the model's size asks for; all where that is more than there are."""
        server = run.spec.server if run.spec else None
        if self.lanes == 1:
            return len(self.gpus)
        if server is None:
            return 1
        wanted = server.options.get("tensor_parallel_size")
        least_bytes = min(gpu.memory_total_bytes or 0 for gpu in self.gpus)
        if wanted is None and server.model is not None and least_bytes:
            with contextlib.suppress(OSError):  # gone since: its run will say so
                size_bytes = sum(path.stat().st_size for path in server.model.files())
                wanted = math.ceil(size_bytes * MODEL_SHARE / least_bytes)
        return min(max(1, wanted or 1), len(self.gpus))


def on_processors(run: PlannedRun) -> bool:
    """Whether its model computes on no GPU, as far as that was asked for."""
    from servers.llama_cpp import find_binary

    server = run.spec.server if run.spec else None
    if server is None or server.kind != "llama.cpp":
        return False
    return run.asked.get("gpu_layers") == 0 or find_binary(server.server_binary) is None


@contextlib.contextmanager
def _only(gpus: tuple[DeviceFacts, ...]) -> Iterator[None]:
    """Programs started in the block see only these."""
    name = _variable(gpus)
    before = os.environ.get(name)
    os.environ[name] = ",".join(str(gpu.index) if gpu.kind == "amd" else gpu.uuid for gpu in gpus)
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _variable(gpus: tuple[DeviceFacts, ...]) -> str:
    """AMD's runtime knows a card by its number; CUDA by its uuid too, which stays when cards are renumbered."""
    return "HIP_VISIBLE_DEVICES" if any(gpu.kind == "amd" for gpu in gpus) else "CUDA_VISIBLE_DEVICES"
