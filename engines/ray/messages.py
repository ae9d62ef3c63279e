"""What the coordinator and its Ray driver say to each other: one message a packet, in JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from engines.unit import Needs  # noqa: TC001 - a type in messages

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PACKET_BYTES: Final = 128 * 1024  # no message is longer
_NODES_AT_ONCE: Final = 100
_OF_ONE_NODE: Final = ("node:", "object_store_memory")
ENDED, LOST, REFUSED, CANCELLED, NOWHERE = "ended", "lost", "refused", "cancelled", "nowhere"


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A living node of the cluster and what it has in total."""

    node_id: str
    name: str
    cpus: float = 0.0
    gpus: float = 0.0
    memory_bytes: float = 0.0
    resources: dict[str, float] = {}


class Do(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Do an attempt. key: its name. words: the arguments of `unit_program` after the folder. avoid: nodes that lost the
    unit, taken only if no other could do it. never: nodes that refused it.
    """

    key: str
    folder: str
    label: str
    needs: Needs
    words: tuple[str, ...] = ()
    avoid: tuple[str, ...] = ()
    never: tuple[str, ...] = ()


class Stop(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """End these attempts; each one's `Ended` follows. keys: None for all."""

    keys: tuple[str, ...] | None
    grace_s: float


class Look(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Look at every node by `engines.node.node_check`; `Looked` follows for each. words: its arguments."""

    words: tuple[str, ...]


class Looked(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What was seen of one node. answer: what the program printed; if it couldn't be run, why says the reason. asked,
    answered: seconds since 1970 on this machine.
    """

    place: str
    answer: str = ""
    why: str = ""
    asked: float = 0.0
    answered: float = 0.0


class Ready(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The driver is connected. Comes once, after the first `Nodes`, before anything else but `Failed`."""

    address: str
    job: str


class Nodes(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The cluster has other nodes now. more: the rest of them follows, because a message is short."""

    nodes: tuple[Node, ...]
    more: bool = False


class Began(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A node has the attempt."""

    key: str
    place: str
    node_id: str


class Ended(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The attempt's end. kind: "ended" if its program came to an end and all of its folder is here; otherwise "lost",
    "refused", "cancelled", or "nowhere" if no node of the cluster could take it for long.
    """

    key: str
    kind: str
    why: str = ""
    hint: str = ""
    node_id: str = ""


class Failed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The driver can't use the cluster."""

    why: str
    hint: str = ""


class Start(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """How to begin; the first message to the driver. address: "" for the cluster that this machine has joined, "local"
    for one that the driver starts. cpus: for each unit; None for as many as it needs. gpu_memory_bytes: of each card.
    results_store: the URL of an object store through which folders go; "" for through Ray.
    """

    address: str
    checkout: str
    python: str
    workdir: str
    cpus: float | None
    gpu_memory_bytes: int | None
    resources: dict[str, float]
    wait_for_nodes_s: float
    results_store: str = ""


ToDriver: TypeAlias = Start | Do | Stop | Look
FromDriver: TypeAlias = Ready | Nodes | Began | Ended | Looked | Failed

_encoder = msgspec.json.Encoder()
_to_driver = msgspec.json.Decoder(ToDriver)
_from_driver = msgspec.json.Decoder(FromDriver)


def in_messages(nodes: Sequence[Node]) -> list[Nodes]:
    """All of them, in as many messages as it takes."""
    parts = [tuple(nodes[at : at + _NODES_AT_ONCE]) for at in range(0, len(nodes), _NODES_AT_ONCE)] or [()]
    return [Nodes(nodes=part, more=number < len(parts)) for number, part in enumerate(parts, 1)]


def encode(message: ToDriver | FromDriver) -> bytes:
    return _encoder.encode(message)


def to_driver(data: bytes) -> ToDriver:
    message: ToDriver = _to_driver.decode(data)
    return message


def from_driver(data: bytes) -> FromDriver:
    message: FromDriver = _from_driver.decode(data)
    return message


def node_of(facts: Mapping[str, object]) -> Node:
    """Of an entry of `ray.nodes()`."""
    given = facts.get("Resources")
    resources = {}
    if isinstance(given, dict):
        resources = {
            str(name)[:100]: float(amount)
            for name, amount in given.items()
            if not str(name).startswith(_OF_ONE_NODE)
        }
    return Node(
        node_id=str(facts["NodeID"]),
        name=str(facts.get("NodeManagerHostname") or facts.get("NodeManagerAddress") or "")[:100],
        cpus=resources.pop("CPU", 0.0),
        gpus=resources.pop("GPU", 0.0),
        memory_bytes=resources.pop("memory", 0.0),
        resources=resources,
    )
