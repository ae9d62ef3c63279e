"""An engine's settings for tests of how they are read, and of what is done without a coordinator."""

from __future__ import annotations

import time
from typing import Any, ClassVar, Literal

import msgspec

from engines.contract import Capabilities, Finding
from engines.node_looks import NodeQuestion, look_of
from tests.engines.fake_engine import FakeEngine, FakeMachines

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


class Example:
    """A machine that says `answers`, by place, and finds what it is told."""

    name = "slurm"
    capabilities = Capabilities(outlives_coordinator=True)
    answers: ClassVar[dict[str, bytes]] = {}
    found: ClassVar[list[Finding]] = []
    machines: ClassVar[FakeMachines | None] = None

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def check(self, units: Any) -> Any:
        del units
        return list(self.found)

    def looks(self, question: NodeQuestion) -> Any:
        del question
        now = time.time()
        return [look_of(place, answer, asked=now, answered=now) for place, answer in self.answers.items()]

    def run(self, units: Any, store: Any) -> Any:
        return FakeEngine(self.machines, name=self.name).run(units, store)

    def cancel(self, attempts: Any, grace_s: float) -> None:
        FakeEngine(self.machines, name=self.name).cancel(attempts, grace_s)


def make(settings: Any, display: Any) -> Any:
    del display
    return Example(settings)
