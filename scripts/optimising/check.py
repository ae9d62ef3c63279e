"""`python -m scripts.optimising.check BENCHMARK JSON`: whether a search with these settings can begin.

JSON: the settings by name, as they were given.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from results.leaving import leave
from scripts.program import run_program

if TYPE_CHECKING:
    from scripts.events import Events


async def _check(words: list[str], _: Events) -> None:
    from evaluation.optimise.search import require_gepa
    from scripts.optimising.asked import NAMES, search_of

    require_gepa()
    benchmark, text = words
    search_of({**dict.fromkeys(NAMES), **json.loads(text)}, benchmark)


if __name__ == "__main__":
    leave(run_program(lambda: sys.argv[1:], _check))
