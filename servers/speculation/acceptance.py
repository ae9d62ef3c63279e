"""How many proposed tokens were accepted, from the log of a llama-server whose /metrics don't tell."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from results.files import open_to_read

if TYPE_CHECKING:
    from pathlib import Path

# tools/server/server-context.cpp, at the end of each answer; "draft acceptance rate" until spring 2026.
_OF_ANSWER = re.compile(
    rb"draft acceptance(?: rate)? = [\d.]+ \(\s*(\d{1,12}) accepted /\s*(\d{1,12}) generated\)"
)


class Drafted(NamedTuple):
    """Tokens that were proposed, and those of them that the model took."""

    proposed: int
    accepted: int


def drafted_in_log(log: Path) -> Drafted | None:
    """The sums over all answers in the log; None if it doesn't tell, or can't be read."""
    proposed = accepted = 0
    try:
        with open_to_read(log) as lines:
            for line in lines:
                if found := _OF_ANSWER.search(line):
                    accepted, proposed = accepted + int(found[1]), proposed + int(found[2])
    except OSError:
        return None
    return Drafted(proposed, accepted) if proposed else None
