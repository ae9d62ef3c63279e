"""What the machine that does an attempt writes into its folder beside the runs: where it is, and how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from engines.contract import EndKind  # noqa: TC001 - a type on disk
from engines.run_copies import read_bounded
from results.durable import explained, replace_file
from results.json_text import NOT_THAT_JSON, encode_indented

if TYPE_CHECKING:
    from pathlib import Path

UNIT: Final = "unit.json"
NODE: Final = "node.json"
END: Final = "end.json"
LOG: Final = "unit.log"
MOST_BYTES: Final = 1 << 20  # of node.json or end.json, which a machine may have written; ours have kilobytes


class NodeFacts(msgspec.Struct, frozen=True, kw_only=True):
    """`node.json`, written first. host, harness: as in records. pid: of the unit's program. cards: uuids of the GPUs
    that it may use. at: ISO 8601.
    """

    host: dict[str, Any]
    harness: dict[str, Any]
    pid: int
    cards: tuple[str, ...]
    at: str


class NodeEnd(msgspec.Struct, frozen=True, kw_only=True):
    """`end.json`, written last. kind, why, hint, elsewhere: see `UnitEnd`."""

    kind: EndKind
    why: str = ""
    hint: str = ""
    elsewhere: bool = False


def write_node(attempt: Path, facts: NodeFacts) -> None:
    """Raises ResultsError."""
    with explained("write to", attempt):
        replace_file(attempt / NODE, encode_indented(facts))


def write_end(attempt: Path, end: NodeEnd) -> None:
    """Raises ResultsError."""
    with explained("write to", attempt):
        replace_file(attempt / END, encode_indented(end))


def read_node(attempt: Path) -> NodeFacts | None:
    """None until it is there, or if it can't be read."""
    try:
        return msgspec.json.decode(read_bounded(attempt / NODE, MOST_BYTES), type=NodeFacts)
    except (OSError, *NOT_THAT_JSON):
        return None


def read_end(attempt: Path) -> NodeEnd | None:
    """None until it is there, or if it can't be read."""
    try:
        return msgspec.json.decode(read_bounded(attempt / END, MOST_BYTES), type=NodeEnd)
    except (OSError, *NOT_THAT_JSON):
        return None
