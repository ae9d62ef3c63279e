"""Tables of runs as text: the cells that terminal, Markdown and page share, and the terminal's layout."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from results.compare.fidelity import fidelity_of
from results.compare.versus_best import Rank, lost_too_many
from results.records import RunStatus
from results.stats.machines import energy_doubts, machine_of, machine_text, speed_doubts
from results.stats.speed import headline, measured_loads
from results.store.names import short_names
from results.sweep_place import RaceEnd
from results.views.comparison_text import p_text
from results.views.composites.composite_text import (
    OWN,
    PARTIAL,
    PLAIN_COLUMNS,
    WHOLE,
    about_composites,
    composite_columns,
    plain_cells,
)
from results.views.energy_cost import money, unknown_costs
from results.views.sweep_text import race_end_text, race_reason_text, race_text, reduction_text
from results.views.terminal import print_table, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from results.compare.leaderboard import Row, Table
    from results.stats.divergence import Estimate, KldFigures

GIB = 1 << 30
_LONGEST_CELL = 32
_OPTIONAL = (  # where the terminal is narrow
    "seconds", "host GiB", "samples", "J/solved", "tokens/s", "efficiency", "quality", "speed", "correctness",
)  # fmt: skip
_STYLES = {"as-good": "green", "worse": "bright_black", "stopped": "bright_black"}


def table_cells(table: Table, *, longest: int | None = None) -> tuple[list[str], list[list[str]]]:
    """The headings and each row's cells, without empty columns. longest: the most characters of a setting's value."""
    settings = dict.fromkeys(name for row in table.rows for name in row.settings)
    columns: list[tuple[str, Callable[[Row], str]]] = [
        ("model", lambda row: row.record.model),
        ("label", lambda row: row.record.remarks.label),
        ("quantisation", lambda row: row.quantization),
        *((name, _setting(name, longest)) for name in settings),
        ("score (95 %)", score_text),
        *fidelity_columns(),
        ("without what was lost", judged_text),
        ("against the best", rank_text),
        *composite_columns(table),
        ("samples", lambda row: "" if row.samples is None else str(row.samples)),
        ("machine", _machine(table)),
        ("tokens/s", speed_text),
        ("one at a time", chat_text),
        ("GPU GiB", lambda row: _number(row.gpu_memory_bytes, GIB, 2)),
        ("host GiB", lambda row: _number(row.host_memory_bytes, GIB, 2)),
        ("J/solved", lambda row: _number(row.joules_per_solved, 1, 1)),
        (
            "Wh/1k solved",
            lambda row: _number(row.wh_per_1000_solved, 1, 1) if row.price_per_kwh is not None else "",
        ),
        ("cost/1k", lambda row: money(row.cost_per_1000_solved)),
        ("USD/solved", lambda row: money(row.usd_per_solved)),
        ("seconds", lambda row: _number(row.seconds, 1, 0)),
        ("note", lambda row: "; ".join(notes(row))),
    ]
    filled = [(name, [cell(row) for row in table.rows]) for name, cell in columns]
    if all(row.gpu_memory_bytes is not None for row in table.rows):
        filled = [(name, cells) for name, cells in filled if name != "host GiB"]
    filled = [(name, cells) for name, cells in filled if any(cells)]
    return [name for name, _ in filled], [list(cells) for cells in zip(*(c for _, c in filled), strict=True)]


def _machine(table: Table) -> Callable[[Row], str]:
    """A letter for each kind of machine, if there are several."""
    kinds = table.machines
    return lambda row: machine_letter(kinds.index(machine_of(row.record))) if len(kinds) > 1 else ""


def machine_letter(number: int) -> str:
    """A, B and so on; after Z by number."""
    return chr(ord("A") + number) if number < 26 else str(number + 1)


def about_machines(table: Table) -> str:
    """What the letters of several kinds of machine mean, and what can't be compared across them; otherwise empty."""
    kinds = table.machines
    if len(kinds) < 2:
        return ""
    named = "; ".join(f"{machine_letter(number)}: {machine_text(kind)}" for number, kind in enumerate(kinds))
    return (
        f"Scores are compared across machines. Speed, seconds and energy say something only within one kind of "
        f"machine, and there are {len(kinds)}: {named}."
    )


def score_text(row: Row) -> str:
    if row.score is None:
        return ""
    if row.score_low is None or row.score_high is None:
        return f"{row.score:.1f}"
    return f"{row.score:.1f} ({row.score_low:.1f} to {row.score_high:.1f})"


def fidelity_columns() -> list[tuple[str, Callable[[Row], str]]]:
    """What runs of kld have instead of a score; empty cells for others."""
    return [
        ("KLD in nats (95 %)", lambda row: _estimate(_figures(row), "mean_kld", digits=4)),
        ("same top %", lambda row: _estimate(_figures(row), "same_top", scale=100, digits=3)),
        ("perplexity", lambda row: _estimate(_figures(row), "perplexity", digits=4, interval=False)),
    ]


def _figures(row: Row) -> KldFigures | None:
    found = fidelity_of(row.record)
    return found.figures if found is not None else None


def _estimate(
    figures: KldFigures | None, name: str, *, scale: int = 1, digits: int = 4, interval: bool = True
) -> str:
    found: Estimate | None = getattr(figures, name, None)
    if found is None:
        return ""
    text = f"{found.value * scale:.{digits}g}"
    if not interval or found.low is None or found.high is None:
        return text
    return f"{text} ({found.low * scale:.{digits}g} to {found.high * scale:.{digits}g})"


def judged_text(row: Row) -> str:
    """If answers were lost (the score counts them as not solved), how many of the others were right."""
    score = row.record.score
    if score is None or not row.lost:
        return ""
    judged = row.answers - row.lost
    right = (
        f"{judged} judged"
        if score.passed is None or score.by_metric
        else f"{score.passed} of {judged} judged right"
    )
    return f"{right}, {row.lost} lost"


def speed_text(row: Row) -> str:
    if row.tokens_per_s is None:
        return ""
    if row.tokens_per_s_low is None or row.tokens_per_s_high is None:
        return f"{row.tokens_per_s:.1f}"
    return f"{row.tokens_per_s:.1f} ({row.tokens_per_s_low:.1f} to {row.tokens_per_s_high:.1f})"


def chat_text(row: Row) -> str:
    """Of a speed benchmark, how fast a chat is."""
    score = row.record.score
    return "" if score is None else headline(measured_loads(score.details))


def rank_text(row: Row) -> str:
    """The run's rank, with the p-value adjusted for the whole table. The best is only called "highest score" if no
    other run is shown to be worse.
    """
    versus = row.versus
    if versus is None:
        return ""
    result = row.race_result
    if versus.rank is Rank.BEST:
        if not row.score:
            return "nothing solved"
        won = result is not None and result.end is RaceEnd.WINNER
        return "winner of the race" if won else "best" if versus.beats else "highest score"
    if versus.rank is Rank.STOPPED:
        return "" if result is None else f"{race_reason_text(result).partition(', ')[0]} (race)"
    if versus.difference is None or versus.adjusted_p is None:
        return f"not tested: {versus.why}"
    facts = p_text(versus.adjusted_p)
    if versus.samples < (row.samples or 0) or versus.rank is Rank.BETTER:
        facts += f", on {versus.samples} common samples"
    if versus.rank is Rank.SAME:
        return f"not distinguishable ({facts})"
    return f"{versus.rank} by {100 * abs(versus.difference):.1f} ({facts})"


def row_kind(row: Row) -> str:
    """What a row looks like: "as-good", "worse", "stopped", or "". Runs that aren't shown to be worse look alike,
    whatever their order; none is as good if nothing was solved or tested.
    """
    rank = row.versus.rank if row.versus is not None else None
    if rank is Rank.WORSE:
        return "worse"
    if rank is Rank.STOPPED:
        return "stopped"
    good = rank in {Rank.BEST, Rank.SAME, Rank.BETTER} and not lost_too_many(row.record)
    return "as-good" if good and row.score else ""


def notes(row: Row, *, alone: bool = False) -> list[str]:
    """Notes that belong beside a row's figures. alone: no rank is shown, so the note says how a race ended."""
    place, result = row.record.sweep, row.race_result
    found = [] if row.status is RunStatus.SUCCEEDED else [str(row.status)]
    if row.record.rejudged_from:
        found.append("judged again")
    if lost_too_many(row.record):
        found.append("too many answers lost to be the best")
    if speed_doubts(row.record):
        found.append("moved between machines" if row.record.earlier_hosts else "speed not comparable")
    if energy_doubts(row.record):
        found.append("energy unsure")
    if row.record.score is not None and row.record.score.cached:
        found.append(f"{row.record.score.cached} kept answers")
    if place is not None:
        found += [f"reduced: {reduction_text(each)}" for each in place.reductions]
    if result is not None:
        found.append(f"race: {race_text(result)}" if alone else race_end_text(result))
    return found


def explanation(table: Table) -> str:
    """What the ranks of a table mean, its composites and its machines; empty if nothing of that needs words."""
    return " ".join(filter(None, (_about_tests(table), about_composites(table), about_machines(table))))


def _about_tests(table: Table) -> str:
    pairs = max((row.versus.pairs for row in table.rows if row.versus is not None), default=0)
    if not pairs:
        return ""
    many = "p of the only pair, unadjusted" if pairs == 1 else f"p after Holm over all {pairs} pairs"
    return (
        f"Tested on the same samples, {many}. Not distinguishable: the difference may be chance, "
        "whatever the order of the rows."
    )


def print_tables(tables: Sequence[Table], *, known: Iterable[str], wide: bool = False) -> None:
    """Print one table after another on a terminal, or all as one if stdout is not a terminal.

    known: the ids of all runs, so that shortened ones name a run. wide: whole ids, all columns, and no folded lines.
    """
    if not sys.stdout.isatty():
        header, *lines = _plain_lines(tables)
        print_table(header, lines)
        return
    whole = [row.record.run_id for table in tables for row in table.rows]
    ids = dict(zip(whole, whole, strict=True)) if wide else short_names(whole, known)
    for number, table in enumerate(tables):
        if number:
            say()
        say(table.title, bold=True)
        _print(table, ids, wide=wide)
        if explained := explanation(table):
            say(explained, dim=True)
    for sentence in unknown_costs(tables):
        say(sentence, dim=True)


def _print(table: Table, ids: dict[str, str], *, wide: bool) -> None:
    header, cells = table_cells(table, longest=None if wide else _LONGEST_CELL)
    if not wide:  # it stands for the run's id
        header, cells = _without("label", header, cells)
        ids = ids | {row.record.run_id: label for row in table.rows if (label := row.record.remarks.label)}
    if not wide and all(row.quantization in row.record.model for row in table.rows):
        header, cells = _without("quantisation", header, cells)  # the model's name says it
    if not wide and PARTIAL in header:
        cells = [_with_partial(header, line) for line in cells]
        header, cells = _without(PARTIAL, header, cells)
    lines = [[*line, ids[row.record.run_id]] for line, row in zip(cells, table.rows, strict=True)]
    styles = [_STYLES.get(row_kind(row)) for row in table.rows]
    own = [name for name in header if name.startswith(OWN)]
    print_table([*header, "run"], lines, styles=styles, wide=wide, optional=[*_OPTIONAL, *own])


def _with_partial(header: Sequence[str], line: Sequence[str]) -> list[str]:
    """The cells, with a partial composite in that of the unknown whole one: a narrow table has no room for both."""
    partial = line[header.index(PARTIAL)]
    return [
        f"{text}; partial {partial}" if partial and name == WHOLE else text
        for name, text in zip(header, line, strict=True)
    ]


def _without(name: str, header: list[str], cells: list[list[str]]) -> tuple[list[str], list[list[str]]]:
    kept = [position for position, each in enumerate(header) if each != name]
    return [header[position] for position in kept], [[line[position] for position in kept] for line in cells]


def _plain_lines(tables: Sequence[Table]) -> list[list[str]]:
    """Lines that always have the same columns, for scripts."""
    lines = [["run", "table", "model", "quantisation", "settings", "score", "low", "high", "against_best",
              "adjusted_p", "samples", "lost", "tokens_per_s", "gpu_gib", "host_gib", "joules_per_solved",
              "seconds", "note", "label", "wh_per_1k_solved", "cost_per_1k_solved",
              "mean_kld", "same_top", "perplexity", "usd_per_solved", "machine", *PLAIN_COLUMNS]]  # fmt: skip
    for table in tables:
        for row in table.rows:
            adjusted_p = row.versus.adjusted_p if row.versus is not None else None
            cells = [
                row.record.run_id,
                table.title,
                row.record.model,
                row.quantization,
                " ".join(f"{name}={value}" for name, value in row.settings.items()),
                _number(row.score, 1, 1),
                _number(row.score_low, 1, 1),
                _number(row.score_high, 1, 1),
                str(row.versus.rank) if row.versus is not None else "",
                "" if adjusted_p is None else f"{adjusted_p:.3g}",
                "" if row.samples is None else str(row.samples),
                str(row.lost),
                _number(row.tokens_per_s, 1, 1),
                _number(row.gpu_memory_bytes, GIB, 2),
                _number(row.host_memory_bytes, GIB, 2),
                _number(row.joules_per_solved, 1, 1),
                _number(row.seconds, 1, 1),
                "; ".join(notes(row, alone=True)),
                row.record.remarks.label,
                _number(row.wh_per_1000_solved, 1, 1),
                money(row.cost_per_1000_solved),
                *(
                    _estimate(_figures(row), name, digits=6, interval=False)
                    for name in ("mean_kld", "same_top", "perplexity")
                ),
                money(row.usd_per_solved),
                machine_text(machine_of(row.record)) if row.record.host else "",
                *plain_cells(row.record),
            ]
            lines.append(cells)
    return lines


def _setting(name: str, longest: int | None) -> Callable[[Row], str]:
    def cell(row: Row) -> str:
        text = " ".join(row.settings.get(name, "").split())
        return text if longest is None or len(text) <= longest else f"{text[: longest - 1]}…"

    return cell


def _number(value: float | None, unit: int, digits: int) -> str:
    return "" if value is None else f"{value / unit:.{digits}f}"
