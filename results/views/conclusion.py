"""A table of runs in a few sentences: which is best, which may be as good, and what the cheapest of these costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from results.compare.versus_best import Place
from results.views.comparison_text import p_text
from results.views.leaderboard_text import GIB, score_text, speed_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from results.compare.leaderboard import Row, Table


def conclusion(table: Table) -> list[str]:
    """Sentences, the most important first."""
    scored = [row for row in table.rows if row.score is not None]
    if not scored:
        return _about_speed(table)
    by_place = {place: [row for row in scored if row.versus and row.versus.place is place] for place in Place}
    if not by_place[Place.BEST]:
        if len(scored) == 1:
            return [f"{scored[0].name} is the only run with a score: {_score(scored[0])}."]
        return [
            "No run went through all samples, so none is called the best.",
            *_stopped(by_place[Place.STOPPED]),
        ]
    (best,) = by_place[Place.BEST]
    if not any(row.score for row in scored):
        return [f"No run solved a single one of {best.samples} samples, so the scores tell nothing apart."]
    as_good = by_place[Place.SAME]
    return [
        _first(best, scored),
        *_as_good(as_good, by_place),
        *_named("Shown to be worse", by_place[Place.WORSE], _worse),
        *_named(
            "Better on the samples that both have, of which there are fewer", by_place[Place.BETTER], _worse
        ),
        *_stopped(by_place[Place.STOPPED]),
        *_named(
            "Not tested", by_place[Place.UNTESTED], lambda row: f"({row.versus.why})" if row.versus else ""
        ),
        *_cheapest([best, *as_good]),
    ]


def _first(best: Row, scored: Sequence[Row]) -> str:
    equal = [row.name for row in scored if row.score == best.score and row.samples == best.samples]
    if len(equal) > 1:
        return f"{', '.join(equal)} share the highest score: {_score(best)}."
    won = best.record.sweep is not None and best.record.sweep.race.startswith("winner")
    return f"{best.name} {'won the race' if won else 'has the highest score'}: {_score(best)}."


def _as_good(as_good: Sequence[Row], by_place: dict[Place, list[Row]]) -> Iterator[str]:
    if as_good:
        each = ", ".join(f"{row.name} ({row.score:.1f})" for row in as_good)
        yield f"Not distinguishable from it on these samples, so perhaps as good or better: {each}."
    elif by_place[Place.WORSE] and not by_place[Place.STOPPED] and not by_place[Place.UNTESTED]:
        yield "All others are shown to be worse."


def _named(what: str, rows: Sequence[Row], say: Callable[[Row], str]) -> Iterator[str]:
    if rows:
        yield f"{what}: {', '.join(f'{row.name} {say(row)}' for row in rows)}."


def _worse(row: Row) -> str:
    versus = row.versus
    if versus is None or versus.difference is None or versus.adjusted_p is None:
        return ""
    return f"by {100 * abs(versus.difference):.1f} points ({p_text(versus.adjusted_p)})"


def _stopped(rows: Sequence[Row]) -> Iterator[str]:
    """What was behind is not shown to be worse; the race only could not afford to wait."""
    beaten = [row for row in rows if row.versus and ": beaten" in row.versus.why]
    behind = [row for row in rows if row not in beaten]
    if beaten:
        yield f"Beaten in the race, with confidence, and stopped early: {', '.join(row.name for row in beaten)}."
    if behind:
        yield (
            "Stopped early since it would not have been shown better than the leader, though it isn't shown to be "
            f"worse: {', '.join(row.name for row in behind)}."
        )


def _cheapest(rows: Sequence[Row]) -> Iterator[str]:
    """Of those that may be the best: what was disturbed can't win."""
    if len(rows) < 2:
        return
    undisturbed = [row for row in rows if not _disturbed(row)]
    found = []
    if fast := [row for row in undisturbed if row.tokens_per_s is not None]:
        row = max(fast, key=lambda row: row.tokens_per_s or 0.0)
        found.append(f"the fastest is {row.name} ({speed_text(row)} tokens/s)")
    on_gpu = all(row.gpu_memory_bytes is not None for row in rows)
    if light := [
        row for row in rows if row.memory_bytes is not None and (on_gpu or row.gpu_memory_bytes is None)
    ]:
        row = min(light, key=lambda row: row.memory_bytes or 0)
        of = "a GPU" if on_gpu else "the host"
        found.append(f"the least memory of {of} takes {row.name} ({(row.memory_bytes or 0) / GIB:.2f} GiB)")
    sure = [row for row in rows if row.record.telemetry and not row.record.telemetry.energy_doubts]
    if frugal := [row for row in sure if row.joules_per_solved is not None]:
        row = min(frugal, key=lambda row: row.joules_per_solved or 0.0)
        found.append(f"the least energy takes {row.name} ({row.joules_per_solved:.1f} J a solved sample)")
    if found:
        yield f"Of these {len(rows)}, as measured: {'; '.join(found)}."
    if len(undisturbed) < len(rows):
        names = ", ".join(row.name for row in rows if _disturbed(row))
        yield f"Not ranked by speed, since it was disturbed: {names}."


def _about_speed(table: Table) -> list[str]:
    fair = [row for row in table.rows if row.tokens_per_s is not None and not _disturbed(row)]
    if not fair:
        return ["No run has a score, or an undisturbed speed."]
    fastest = max(fair, key=lambda row: row.tokens_per_s or 0.0)
    overlap = [
        row.name
        for row in fair
        if row is not fastest
        and fastest.tokens_per_s_low is not None
        and row.tokens_per_s_high is not None
        and row.tokens_per_s_high >= fastest.tokens_per_s_low
    ]
    also = f" The intervals of these overlap with it: {', '.join(overlap)}." if overlap else ""
    return [f"{fastest.name} is the fastest: {speed_text(fastest)} tokens/s.{also}"]


def _disturbed(row: Row) -> bool:
    return row.record.telemetry is not None and bool(row.record.telemetry.not_comparable)


def _score(row: Row) -> str:
    score, _, interval = score_text(row).partition(" (")
    within = f" (95 % interval {interval[:-1]}; {row.samples} samples)" if interval else ""
    return f"{score} of 100{within}"
