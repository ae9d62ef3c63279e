"""What a report says of searches for a better prompt: the gain on the test split, the cost, and the prompt itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from results.prompts.optimisation import optimisation_of
from results.views.searches.prompt_text import kept_prompt, prompt_lines
from results.views.searches.text import search_cells, search_rows
from results.views.sentences.run_names import unique_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from results.records import RunRecord
    from results.store.run_folder import RunFolder

EXPLANATION = (
    "A search has no score. Both prompts were asked once on test samples that the search never saw, and compared by a "
    "paired test. A plain run with the prompt also asks what the search has learnt from: these are the honest figures."
)


@dataclass(frozen=True)
class FoundPrompt:
    """One search. name: unique in the report. cells: see `SEARCH_COLUMNS`. says: the gain, in a sentence. rows: as
    `show` has them. prompt: the parts of what it found, by name; empty if that is the seed prompt without anything, or
    its file is not as it was.
    """

    run_id: str
    name: str
    shown: bool
    cells: tuple[str, ...]
    says: str
    rows: tuple[tuple[str, str], ...]
    prompt: tuple[tuple[str, str], ...]


def found_prompts(runs: Sequence[tuple[RunFolder, RunRecord]]) -> tuple[FoundPrompt, ...]:
    """Of the searches that succeeded."""
    found = []
    for folder, record in runs:
        end = optimisation_of(record.score.details) if record.score is not None else None
        if end is None or record.score is None:
            continue
        found.append(
            FoundPrompt(
                run_id=record.run_id,
                name=record.remarks.label or f"{record.benchmark}, {record.model}, {end.optimizer}",
                shown=end.gain is not None and end.gain.shown,
                cells=search_cells(record, end),
                says=end.says,
                rows=tuple(row for row in search_rows(record.score.details, folder.path) if row[0] != "gain"),
                prompt=tuple(prompt_lines(kept_prompt(folder.path, end).prompt)),
            )
        )
    names = unique_names({each.run_id: each.name for each in found})
    return tuple(replace(each, name=names[each.run_id]) for each in found)
