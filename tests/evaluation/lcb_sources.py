"""What a problem in LiveCodeBench's format is written as for these tests, and attempts at it."""

from __future__ import annotations

import textwrap
from typing import NamedTuple


class Attempt(NamedTuple):
    """name: of the attempt. ours, official: the verdicts, which differ where the official runner has a fault."""

    name: str
    code: str
    ours: bool
    official: bool


class Source(NamedTuple):
    id: str
    title: str
    platform: str
    difficulty: str
    day: str
    content: str
    starter: str
    function: str | None
    public: list[tuple[str, str]]
    private: list[tuple[str, str]]
    packed: bool
    attempts: list[Attempt]


def right(code: str, name: str = "reference") -> Attempt:
    return Attempt(name, textwrap.dedent(code).lstrip("\n"), ours=True, official=True)


def wrong(name: str, code: str) -> Attempt:
    return Attempt(name, textwrap.dedent(code).lstrip("\n"), ours=False, official=False)


def stricter(name: str, code: str) -> Attempt:
    """Right, and failed by the official runner all the same."""
    return Attempt(name, textwrap.dedent(code).lstrip("\n"), ours=True, official=False)


def laxer(name: str, code: str) -> Attempt:
    """Passed by the official runner alone."""
    return Attempt(name, textwrap.dedent(code).lstrip("\n"), ours=False, official=True)
