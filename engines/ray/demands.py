"""What a unit asks of Ray: processors, GPUs and memory, as large as the cluster's nodes can give."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from servers.capacity.memory_estimate import fewest_cards

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from engines.ray.messages import Node
    from engines.unit import Needs

FOR_A_GPU_CPUS = 1.0


@dataclass(frozen=True)
class Demand:
    """In Ray's units. memory_bytes: 0 for none."""

    cpus: float
    gpus: int
    memory_bytes: int
    resources: Mapping[str, float] = field(default_factory=dict)

    def fits(self, node: Node) -> bool:
        """Whether the node could do it if nothing else ran there."""
        return (
            self.cpus <= node.cpus
            and self.gpus <= node.gpus
            and self.memory_bytes <= node.memory_bytes
            and all(amount <= node.resources.get(name, 0.0) for name, amount in self.resources.items())
        )

    def describe(self) -> str:
        """In words, as "2 GPUs, 1 CPU and 12.0 GiB of memory"."""
        parts = []
        if self.gpus:
            parts.append(f"{self.gpus} GPU{'s' * (self.gpus != 1)}")
        if self.cpus:
            parts.append(f"{self.cpus:g} CPU{'s' * (self.cpus != 1)}")
        if self.memory_bytes:
            parts.append(f"{self.memory_bytes / 2**30:.1f} GiB of memory")
        parts += [f"{amount:g} of {name}" for name, amount in self.resources.items()]
        return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]])) or "nothing"


def demand_of(
    needs: Needs,
    nodes: Sequence[Node],
    *,
    cpus: float | None = None,
    gpu_memory_bytes: int | None = None,
    resources: Mapping[str, float] | None = None,
) -> Demand:
    """What to ask for. cpus: what the user says each unit takes. gpu_memory_bytes: of each card, if the user says so.

    A unit that can do without GPUs takes them where there are some. One that computes on the processors has a node to
    itself: two at once would measure each other. Memory is an estimate, so it never asks for more than a node has.
    """
    gpus = needs.gpus
    most_gpus = int(max((node.gpus for node in nodes), default=0))
    if gpus and needs.gpu_memory_bytes and gpu_memory_bytes:
        enough = fewest_cards(needs.gpu_memory_bytes, [gpu_memory_bytes] * max(most_gpus, 1))
        gpus = max(gpus, most_gpus if enough is None else enough)
    if gpus and not needs.needs_gpus:
        gpus = min(gpus, most_gpus)
    able = [node for node in nodes if node.gpus >= gpus and node.cpus > 0]
    if cpus is None:
        on_processors = gpus == 0 and needs.memory_bytes is not None
        # The smallest node's, so that each one can take it; a larger node may get more than one, which then wait for
        # each other there.
        cpus = min((node.cpus for node in able), default=1.0) if on_processors else FOR_A_GPU_CPUS
    most_memory = max((node.memory_bytes for node in able), default=math.inf)
    memory = min(needs.memory_bytes or 0, most_memory)
    return Demand(cpus=cpus, gpus=gpus, memory_bytes=int(memory), resources=dict(resources or {}))


def takers(demand: Demand, nodes: Sequence[Node], without: Collection[str]) -> list[Node]:
    """The living nodes that could take it."""
    return [node for node in nodes if node.node_id not in without and demand.fits(node)]
