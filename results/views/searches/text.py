"""What a search for a better prompt found, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from results.prompts.optimisation import optimisation_of
from results.prompts.prompt_file import PROMPT_NAME
from results.records import RunStatus
from results.views.searches.prompt_text import kept_prompt
from results.views.terminal import print_table, say

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from results.prompts.optimisation import Optimisation
    from results.records import RunRecord
    from results.store.run_folder import RunFolder

SEARCH_COLUMNS = ("benchmark", "model", "optimizer", "seed prompt", "found prompt", "p", "gain", "requests")
_STOPPED = {
    "trials": "it tried as many as its parameters say",
    "budget": "the budget was used up",
    "perfect": "every validation sample was solved",
    "exhausted": "nothing new was proposed any more",
}


def search_rows(details: Mapping[str, Any], folder: Path) -> list[tuple[str, str]]:
    """Rows of a run's summary; empty if it was no search."""
    end = optimisation_of(details)
    if end is None:
        return []
    by = f", prompts written by {end.reflector}" if end.reflector else ""
    validation = (
        f"seed prompt {end.validation_seed:.1f}, found prompt {end.validation_score:.1f} of 100 on "
        f"{end.splits.validation} samples; the best of many looks better than it is"
    )
    rows = [
        ("optimizer", f"{end.optimizer}{by}"),
        ("gain", end.says),
        *_test_rows(end),
        ("on validation", validation),
        ("found", _found(end)),
        ("search", _search(end)),
        ("prompt", str(folder / PROMPT_NAME)),
    ]
    kept = kept_prompt(folder, end)
    if kept.doubt:
        rows.append(("WARNING", kept.doubt))
    elif kept.lineage:
        rows.append(("lineage", kept.lineage))
    if end.prompt_sha256 != end.seed_sha256 and not kept.doubt:
        rows.append(("use it", f"run --prompt {folder / PROMPT_NAME}"))
    return rows


def _test_rows(end: Optimisation) -> list[tuple[str, str]]:
    gain = end.gain
    if gain is None:
        return []
    p = "" if gain.p_value is None else f"; p = {gain.p_value:.2g}"
    scores = f"seed prompt {gain.seed_score:.1f}, found prompt {gain.score:.1f} of 100"
    return [("on test", f"{scores} on {gain.samples} samples{p}")]


def _found(end: Optimisation) -> str:
    if end.prompt_sha256 == end.seed_sha256:
        return "the seed prompt: nothing was better on validation"
    parts = []
    if end.instruction_chars:
        parts.append(f"an instruction of {end.instruction_chars} characters")
    if end.examples:
        parts.append(f"{end.examples} example{'s' * (end.examples != 1)}")
    return " and ".join(parts) or "an empty prompt"


def _search(end: Optimisation) -> str:
    lost = f", {end.lost} of killed tries" if end.lost else ""
    why = _STOPPED.get(end.stopped, end.stopped)
    tried = f"{end.candidates} prompt{'s' * (end.candidates != 1)} tried"
    return (
        f"{tried} with {end.calls} requests ({end.evaluations} samples, "
        f"{end.reflections} reflections{lost}); {why}"
    )


def search_cells(record: RunRecord, end: Optimisation) -> tuple[str, ...]:
    """Of a search, a cell for each of `SEARCH_COLUMNS`."""
    gain = end.gain
    seed, found = (f"{gain.seed_score:.1f}", f"{gain.score:.1f}") if gain else ("", "")
    p = "" if gain is None or gain.p_value is None else f"{gain.p_value:.2g}"
    shown = "yes" if gain is not None and gain.shown else "not shown"
    return record.benchmark, record.model, end.optimizer, seed, found, p, shown, str(end.calls)


def print_searches(runs: Sequence[tuple[RunFolder, RunRecord]]) -> None:
    """A line for each search that succeeded, with the prompt's file; nothing without any."""
    lines: list[Sequence[str]] = []
    files = []
    for folder, record in runs:
        end = optimisation_of(record.score.details) if record.score is not None else None
        if end is None or record.status is not RunStatus.SUCCEEDED:
            continue
        lines.append(search_cells(record, end))
        files.append(str(folder.path / PROMPT_NAME))
    if not lines:
        return
    print_table(SEARCH_COLUMNS, lines, wide=False)
    for path in files:
        say(f"prompt: {path}", err=True)
