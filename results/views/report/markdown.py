"""A report as Markdown, for a repository, a ticket or a terminal. Only the HTML page has plots."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from results.plain_text import cell, plain_lines
from results.plain_text import plain as safe
from results.views.leaderboard_text import explanation, table_cells
from results.views.report.searches import EXPLANATION
from results.views.searches.text import SEARCH_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from results.views.choice_text import ChoiceCard
    from results.views.report.contents import Report
    from results.views.report.searches import FoundPrompt

_MOST_LABELS = 6
_TICKS = re.compile("`+")
# Characters that Markdown or HTML would interpret; an underscore inside a word is safe.
_SPECIAL = re.compile(r"([\\`*|<>\[\]#~&!$]|(?<!\w)_|_(?!\w))")
# What GitHub makes a link or mention of. It looks for @ after entities were read, so a blank of no width parts it.
_LINKED = re.compile(r"(:(?=//))|(@)|(?<=www)(\.)", re.IGNORECASE)
_UNLINKED = ("", "&#58;", "&#64;&#8203;", "&#46;")


def markdown(report: Report) -> str:
    return "\n".join(_lines(report)) + "\n"


def plain(text: str) -> str:
    """Escape a text so that Markdown shows it literally, in one line, and makes no link of it."""
    escaped = _SPECIAL.sub(r"\\\1", cell(text)).replace("\\<", "&lt;").replace("\\>", "&gt;")
    return _LINKED.sub(lambda match: _UNLINKED[match.lastindex or 0], escaped)


def some(labels: Sequence[str]) -> str:
    """The runs, or their number if there are many."""
    return ", ".join(labels) if len(labels) <= _MOST_LABELS else f"{len(labels)} runs"


def _lines(report: Report) -> Iterator[str]:
    yield f"# {plain(report.title)}"
    yield ""
    sweep = f"Sweep {plain(report.sweep_id)}: " if report.sweep_id else ""
    yield f"{sweep}{report.counts}. Plots, telemetry and answers are in `report.html`."
    for name, value in report.facts:
        yield f"- {name}: {plain(value)}"
    if report.choice is not None:
        yield from _choice(report.choice)
    for table, verdict, sentences, contexts, difficulties in zip(
        report.tables, report.verdicts, report.conclusions, report.contexts, report.difficulties, strict=True
    ):
        first, *others = verdict.sentences
        yield from ("", f"## {plain(table.title)}", "", f"**{plain(first)}**", "")
        yield from (f"- {plain(sentence)}" for sentence in others)
        yield from (f"- {plain(sentence)}" for sentence in sentences)
        header, rows = table_cells(table)
        yield ""
        yield from _table(header, rows)
        if explained := explanation(table):
            yield from ("", f"*{plain(explained)}*")
        for caption, head, lines in (*difficulties, *contexts):
            yield from ("", f"{plain(caption)}:", "")
            yield from _table(head, lines)
    if not report.tables and not report.searches:
        yield from ("", "No run succeeded.")
    if report.searches:
        yield from _searches(report.searches)
    if report.failures or report.waiting:
        yield from ("", "## What failed, and why", "")
        rows = [[each.label, each.status, each.why, each.hint] for each in report.failures]
        rows += [[label, "not started", "", ""] for label in report.waiting]
        yield from _table(["run", "status", "why", "try"], rows)
    if report.notes:
        yield from ("", "## Notes on single runs", "")
        yield from (f"- {plain(label)}: {plain(note)}" for label, note in report.notes)
    if report.differing:
        yield from ("", "## What differs", "")
        for name, values in report.differing:
            each = "; ".join(f"{plain(value)} ({plain(some(labels))})" for value, labels in values)
            yield f"- {plain(name)}: {each}"
    if report.shared:
        yield from ("", "## The same for all", "")
        yield from (f"- {plain(name)}: {plain(value)}" for name, value in report.shared)


def _choice(card: ChoiceCard) -> Iterator[str]:
    yield from ("", "## Recommendation", "", f"**{plain(card.head)}.**", "")
    yield from (f"- {plain(sentence)}" for sentence in card.proof)
    if card.command:
        yield from ("", *_fenced(safe(card.command), "sh"), "")
    if card.runner_up:
        yield f"- runner-up: {plain(card.runner_up)}"
    if card.needed:
        yield f"- needed: {plain(card.needed)}"
    yield from (f"- not known: {plain(sentence)}" for sentence in card.unknown)


def _searches(searches: Sequence[FoundPrompt]) -> Iterator[str]:
    yield from ("", "## Searches for a better prompt", "")
    yield from _table(SEARCH_COLUMNS, [each.cells for each in searches])
    yield from ("", f"*{EXPLANATION}*")
    for each in searches:
        yield from ("", f"### {plain(each.name)}", "", f"**{plain(each.says)}**", "")
        yield from (f"- {plain(name)}: {plain(value)}" for name, value in each.rows)
        for name, text in each.prompt:
            yield from ("", f"{plain(name)}:", "", *_fenced(plain_lines(text)))


def _fenced(text: str, language: str = "") -> tuple[str, str, str]:
    fence = "`" * max(3, 1 + max(map(len, _TICKS.findall(text)), default=0))
    return f"{fence}{language}", text, fence


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(map(plain, header))} |"
    yield f"|{' --- |' * len(header)}"
    for row in rows:
        yield f"| {' | '.join(map(plain, row))} |"
