"""`spending.json` in a run's folder: what the requests of all its tries cost, so that a cap holds over a resume."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from results.durable import explained, replace_file
from results.files import read_file
from results.json_text import encode_indented
from results.records import decode_versioned

if TYPE_CHECKING:
    from pathlib import Path

SPENDING_NAME = "spending.json"
SPENDING_VERSION = 1


class Spending(msgspec.Struct, frozen=True, kw_only=True):
    """What was spent, and what may have been.

    cost_usd, tokens: of the requests that were answered; cost_usd is None where one's is not known. most_cost_usd,
    most_tokens: no more than this can have been charged, requests included that were on their way when the program was
    killed, or whose answer got lost; most_cost_usd is None without a price. lost_requests: those whose answer got lost
    although it may have been charged.
    """

    schema_version: int = SPENDING_VERSION
    cost_usd: float | None = 0.0
    tokens: int = 0
    most_cost_usd: float | None = 0.0
    most_tokens: int = 0
    lost_requests: int = 0


def read_spending(folder: Path) -> Spending | None:
    """None if nothing was written there yet. Raises ResultsError."""
    path = folder / SPENDING_NAME
    with explained("read", path):
        try:
            data = read_file(path)
        except FileNotFoundError:
            return None
    return decode_versioned(
        data, Spending, version=SPENDING_VERSION, where=str(path), what="a run's spending"
    )


def write_spending(folder: Path, spending: Spending) -> None:
    """Atomically. Raises ResultsError."""
    path = folder / SPENDING_NAME
    with explained("write", path):
        replace_file(path, encode_indented(spending))
