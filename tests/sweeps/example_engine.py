"""An engine's settings for tests of how they are read. It runs nothing."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

FIELDS = {
    "hosts": "The hosts.",
    "partition": "Where the jobs wait.",
    "nodes": "How many.",
    "kind": "Which cards.",
}


class Card(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    hosts: str = ""
    partition: str = "all"
    nodes: int = 1
    kind: Literal["a", "b"] = "a"
    cards: tuple[Card, ...] = ()
    token: str = ""


def make(settings: Any, display: Any) -> Any:
    del display
    return settings
