"""The mistakes in a request, told all at once, each with its field."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from results.errors import UsageError
from results.plain_text import plain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from results.errors import BenchError

MOST_TOLD = 50


class Mistake(NamedTuple):
    """field: such as `config.params.limit`; "" for the whole request."""

    field: str
    what: str

    def __str__(self) -> str:
        return f"{self.field}: {self.what}" if self.field else self.what


class RequestRefused(UsageError):
    """A request with mistakes; its message has a line for each."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        found = list(dict.fromkeys(mistakes))
        if len(found) > MOST_TOLD:
            found[MOST_TOLD:] = [Mistake("", "and more mistakes, which aren't told")]
        super().__init__("\n".join(map(str, found)))
        self.mistakes = tuple(found)


class Mistakes:
    """Collects the mistakes of one request, and ends it with RequestRefused when there are more than are told."""

    def __init__(self) -> None:
        self.found: list[Mistake] = []

    def add(self, field: str, what: str | BenchError) -> None:
        text = what if isinstance(what, str) else in_one_line(what)
        self.found.append(Mistake(plain(field), plain(text)))
        if len(self.found) > MOST_TOLD:
            self.refuse()

    def refuse(self) -> None:
        """Raise RequestRefused if there are any."""
        if self.found:
            raise RequestRefused(self.found)


def in_one_line(error: BenchError) -> str:
    """Its message with its hint."""
    return f"{error.message} ({error.hint})" if error.hint else error.message
