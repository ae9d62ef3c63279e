"""Rankings by a tag: each table's runs on each of its values, with what is shown and what may be chance."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from results.compare.composites import kinds_of_composites, lacking, part_names
from results.compare.leaderboard import SortBy
from results.compare.versus_best import Rank
from results.store.names import short_names
from results.views.composites.composite_text import (
    PLAIN_KIND,
    composite_sentences,
    kind_letter,
    named_partial,
    plain_kind,
)
from results.views.leaderboard_text import score_text
from results.views.report.titles import row_names
from results.views.sentences.tag_words import tag_sentences
from results.views.terminal import print_table, say

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from results.compare.leaderboard import Row, Table
    from results.compare.tag_ranks import TagRanks
    from results.scores.composite import TaggedScores

MOST_VALUES = 12  # columns of a table for a terminal
_PLAIN = (
    "run", "table", "model", "tag", "value", "score", "low", "high", "samples", "against_best", "adjusted_p",
    "composite", "composite_low", "composite_high", "partial_composite", "partial_of", "label", *PLAIN_KIND,
)  # fmt: skip


def print_rankings(
    ranked: Sequence[tuple[Table, TagRanks]],
    *,
    sort_by: SortBy,
    known: Iterable[str],
    wide: bool = False,
) -> None:
    """Print each table's ranking; a line for each run and value if stdout is not a terminal. sort_by: COMPOSITE shows
    composites instead of scores. known: the ids of all runs.
    """
    if not sys.stdout.isatty():
        rows = [[_plain_text(row[name]) for name in _PLAIN] for row in plain_rows(ranked)]
        print_table(_PLAIN, rows)
        return
    whole = [row.record.run_id for table, _ in ranked for row in table.rows]
    ids = dict(zip(whole, whole, strict=True)) if wide else short_names(whole, known)
    for number, (table, ranks) in enumerate(ranked):
        if number:
            say()
        names = row_names(table)
        values = ranks.values[:MOST_VALUES]
        if sort_by is SortBy.COMPOSITE:
            say(f"{table.title}: composite by {ranks.tag}", bold=True)
            _print_composites(table, ranks.tag, values, names, ids, wide=wide)
            sentences = composite_sentences(table)
        else:
            say(f"{table.title}: score by {ranks.tag}", bold=True)
            _print_scores(table, ranks, values, names, ids, wide=wide)
            sentences = tag_sentences(ranks, names)
        if len(ranks.values) > len(values):
            say(f"{len(ranks.values) - len(values)} more values are not shown", dim=True)
        for sentence in sentences:
            say(sentence, dim=True)


def _print_scores(
    table: Table,
    ranks: TagRanks,
    values: Sequence[str],
    names: dict[str, str],
    ids: dict[str, str],
    *,
    wide: bool,
) -> None:
    heads = [f"{value} ({max(each.samples for each in ranks.counts[value].values())})" for value in values]
    lines = []
    for row in table.rows:
        run_id = row.record.run_id
        cells = [_score_cell(ranks, value, run_id) for value in values]
        lines.append([names[run_id], score_text(row), *cells, ids[run_id]])
    print_table(["model", "all", *heads, "run"], lines, wide=wide)


def _score_cell(ranks: TagRanks, value: str, run_id: str) -> str:
    counts, versus = ranks.counts[value].get(run_id), ranks.versus[value].get(run_id)
    if counts is None:
        return ""
    worse = " worse" if versus is not None and versus.rank is Rank.WORSE else ""
    return f"{counts.solved:.1f} ({counts.low:.1f} to {counts.high:.1f}){worse}"


def _print_composites(
    table: Table, tag: str, values: Sequence[str], names: dict[str, str], ids: dict[str, str], *, wide: bool
) -> None:
    kinds = kinds_of_composites(row.record for row in table.rows)
    lines = []
    for row in table.rows:
        if (found := row.record.composite) is None:
            continue
        tagged = _tagged(row, tag)
        cells = [named_partial(tagged[value], found.weights) if value in tagged else "" for value in values]
        letter = [kind_letter(row.record, kinds)] if len(kinds) > 1 else []
        run_id = row.record.run_id
        lines.append([names[run_id], *letter, named_partial(found, found.weights), *cells, ids[run_id]])
    if not lines:
        say("no run has a composite: run with --scoring, or use rescore", dim=True)
        return
    letters = ["scored"] if len(kinds) > 1 else []
    print_table(["model", *letters, "all", *values, "run"], lines, wide=wide)


def plain_rows(ranked: Sequence[tuple[Table, TagRanks]]) -> list[dict[str, Any]]:
    """One for each run and value, always with the same fields. Percent; None where something isn't known."""
    found = []
    for table, ranks in ranked:
        for row in table.rows:
            run_id = row.record.run_id
            tagged = _tagged(row, ranks.tag)
            for value in ranks.values:
                counts, versus = ranks.counts[value].get(run_id), ranks.versus[value].get(run_id)
                if counts is None:
                    continue
                composite = tagged.get(value)
                whole = composite.composite if composite is not None else None
                partial = composite.partial if composite is not None else None
                found.append(
                    {
                        "run": run_id,
                        "table": table.title,
                        "model": row.record.model,
                        "tag": ranks.tag,
                        "value": value,
                        "score": counts.solved,
                        "low": counts.low,
                        "high": counts.high,
                        "samples": counts.samples,
                        "against_best": str(versus.rank) if versus is not None else None,
                        "adjusted_p": versus.adjusted_p if versus is not None else None,
                        "composite": whole.value if whole is not None else None,
                        "composite_low": whole.low if whole is not None else None,
                        "composite_high": whole.high if whole is not None else None,
                        "partial_composite": partial.value if partial is not None else None,
                        "partial_of": _partial_of(row, composite),
                        "label": row.record.remarks.label or None,
                        **{
                            name: text or None
                            for name, text in zip(PLAIN_KIND, plain_kind(row.record), strict=True)
                        },
                    }
                )
    return found


def _tagged(row: Row, tag: str) -> dict[str, TaggedScores]:
    composite = row.record.composite
    return {each.value: each for each in composite.by_tag if each.tag == tag} if composite is not None else {}


def _partial_of(row: Row, each: TaggedScores | None) -> str | None:
    """The parts of a partial composite."""
    if row.record.composite is None or each is None or each.partial is None:
        return None
    weights = row.record.composite.weights
    missing = lacking(each, weights)
    return "+".join(
        name for name in part_names([row.record.composite]) if weights.get(name) and name not in missing
    )


def _plain_text(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
