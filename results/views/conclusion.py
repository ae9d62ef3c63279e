"""Summarise a table of runs in a few sentences: the best, those that may be as good, and the cheapest of these."""

from __future__ import annotations

from typing import TYPE_CHECKING

from results.compare.fidelity import fidelity_of
from results.compare.versus_best import Rank, lost_too_many
from results.stats.divergence import headline
from results.stats.machines import energy_doubts, kinds_of, machine_of, machine_text, speed_doubts
from results.sweep_place import RaceEnd
from results.views.comparison_text import p_text
from results.views.leaderboard_text import GIB, judged_text, speed_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from results.compare.leaderboard import Row, Table


def conclusion(table: Table) -> list[str]:
    """The sentences, most important first."""
    scored = [row for row in table.rows if row.score is not None]
    if not scored:
        return about_fidelity(table) or _about_speed(table)
    by_rank = {rank: [row for row in scored if row.versus and row.versus.rank is rank] for rank in Rank}
    if not by_rank[Rank.BEST]:
        return [_no_best(scored), *_lost(scored), *_stopped(by_rank[Rank.STOPPED])]
    (best,) = by_rank[Rank.BEST]
    if not any(row.score for row in scored):
        return [f"No run solved any of the {best.samples} samples, so the scores show no difference."]
    as_good = by_rank[Rank.SAME]
    return [
        _first(best, scored),
        *_as_good(as_good, by_rank),
        *_named("Shown to be worse", by_rank[Rank.WORSE], _by_how_much),
        *_named("Better on the samples that both answered", by_rank[Rank.BETTER], _by_how_much),
        *_lost(scored),
        *_stopped(by_rank[Rank.STOPPED]),
        *_named(
            "Not tested", by_rank[Rank.UNTESTED], lambda row: f"({row.versus.why})" if row.versus else ""
        ),
        *_cheapest([best, *(row for row in as_good if not lost_too_many(row.record))]),
    ]


def _no_best(scored: Sequence[Row]) -> str:
    if len(scored) == 1:
        return f"{_name(scored[0])} is the only run with a score: {_score(scored[0])}."
    if any(lost_too_many(row.record) for row in scored):
        return "Every run that went through all samples lost too many answers, so none is called the best."
    return "No run went through all samples, so none is called the best."


def _first(best: Row, scored: Sequence[Row]) -> str:
    equal = [
        _name(row)
        for row in scored
        if row.score == best.score and row.samples == best.samples and not lost_too_many(row.record)
    ]
    if len(equal) > 1:
        return f"{', '.join(equal)} share the highest score: {_score(best)}."
    won = best.race_result is not None and best.race_result.end is RaceEnd.WINNER
    return f"{_name(best)} {'won the race' if won else 'has the highest score'}: {_score(best)}."


def _as_good(as_good: Sequence[Row], by_rank: dict[Rank, list[Row]]) -> Iterator[str]:
    if as_good:
        each = ", ".join(f"{_name(row)} ({judged_text(row) or f'{row.score:.1f}'})" for row in as_good)
        yield f"Not distinguishable from it on these samples, so possibly as good or better: {each}."
    elif by_rank[Rank.WORSE] and not any(
        by_rank[rank] for rank in (Rank.BETTER, Rank.STOPPED, Rank.UNTESTED)
    ):
        yield "All others are shown to be worse."


def _lost(rows: Sequence[Row]) -> Iterator[str]:
    """Runs that lost too many answers, which the score counts as wrong."""
    lost = [row for row in rows if lost_too_many(row.record)]
    yield from _named(
        "Can't be called the best because too many answers were lost",
        lost,
        lambda row: f"({judged_text(row)})",
    )


def _named(what: str, rows: Sequence[Row], say: Callable[[Row], str]) -> Iterator[str]:
    if rows:
        yield f"{what}: {', '.join(f'{_name(row)} {say(row)}' for row in rows)}."


def _by_how_much(row: Row) -> str:
    versus = row.versus
    if versus is None or versus.difference is None or versus.adjusted_p is None:
        return ""
    return f"by {100 * abs(versus.difference):.1f} points ({p_text(versus.adjusted_p)})"


def _stopped(rows: Sequence[Row]) -> Iterator[str]:
    """Runs that the race stopped. BEHIND doesn't mean shown to be worse."""
    by_end: dict[RaceEnd, list[str]] = {}
    for row in rows:
        if row.race_result is not None:
            by_end.setdefault(row.race_result.end, []).append(_name(row))
    for end, words in (
        (RaceEnd.BEATEN, "Beaten in the race, with confidence, and stopped early"),
        (
            RaceEnd.BEHIND,
            "Stopped early, not shown to be worse, but with almost no chance of being shown better than the leader",
        ),
        (RaceEnd.UNDECIDED, "Not decided by the race because too many answers were lost"),
    ):
        if end in by_end:
            yield f"{words}: {', '.join(by_end[end])}."


def _cheapest(rows: Sequence[Row]) -> Iterator[str]:
    """The cheapest of those that may be the best. Disturbed measurements can't win."""
    if len(rows) < 2:
        return
    undisturbed = [row for row in rows if not _disturbed(row)]
    found = []
    several = len(kinds_of(row.record for row in rows)) > 1
    for where, fast in _by_machine([row for row in undisturbed if row.tokens_per_s is not None]):
        row = max(fast, key=lambda row: row.tokens_per_s or 0.0)
        found.append(f"{_name(row)} is the fastest{where} ({speed_text(row)} tokens/s)")
    on_gpu = all(row.gpu_memory_bytes is not None for row in rows)
    if light := [
        row for row in rows if row.memory_bytes is not None and (on_gpu or row.gpu_memory_bytes is None)
    ]:
        row = min(light, key=lambda row: row.memory_bytes or 0)
        where = "GPU" if on_gpu else "host"
        found.append(f"{_name(row)} uses the least {where} memory ({(row.memory_bytes or 0) / GIB:.2f} GiB)")
    sure = [row for row in rows if row.record.telemetry and not energy_doubts(row.record)]
    for where, frugal in _by_machine([row for row in sure if row.joules_per_solved is not None]):
        row = min(frugal, key=lambda row: row.joules_per_solved or 0.0)
        joules = f"{row.joules_per_solved:.1f} J per solved sample"
        found.append(f"{_name(row)} uses the least energy{where} ({joules})")
    if found:
        yield f"Of these {len(rows)}: {'; '.join(found)}."
    if several:
        yield "They ran on several kinds of machine; speed and energy are compared only within one."
    if len(undisturbed) < len(rows):
        names = ", ".join(_name(row) for row in rows if _disturbed(row))
        yield f"Not ranked by speed because their speed was disturbed: {names}."


def _by_machine(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    """The rows of each kind of machine that has several, and where that is in words; all rows if there is one kind."""
    kinds = kinds_of(row.record for row in rows)
    for kind in kinds:
        own = [row for row in rows if machine_of(row.record) == kind]
        if len(kinds) == 1 or len(own) > 1:
            yield f" on {machine_text(kind)}" if len(kinds) > 1 else "", own


def about_fidelity(table: Table) -> list[str]:
    """Which run is the nearest to the reference; empty where none was compared with one."""
    compared = [(row, of.figures.mean_kld, of) for row in table.rows if (of := fidelity_of(row.record))]
    known = [(row, mean, of) for row, mean, of in compared if mean is not None and of.reference is not None]
    if not known:
        return []
    row, mean, of = min(known, key=lambda each: each[1].value)
    overlap = [
        _name(other)
        for other, theirs, _ in known
        if other is not row and mean.high is not None and theirs.low is not None and theirs.low <= mean.high
    ]
    also = f" These have overlapping intervals: {', '.join(overlap)}; `compare` pairs two." if overlap else ""
    reference = of.reference.name if of.reference is not None else ""
    bound = "; lower bounds" if of.is_bound else ""
    place = "is the nearest to" if len(known) > 1 else "against"
    return [f"{_name(row)} {place} {reference}: {headline(of)} (in nats{bound}).{also}"]


def _about_speed(table: Table) -> list[str]:
    fair = [row for row in table.rows if row.tokens_per_s is not None and not _disturbed(row)]
    if not fair:
        return ["No run has a score or an undisturbed speed."]
    if len(kinds_of(row.record for row in fair)) > 1:
        each = [
            f"{_name(max(own, key=lambda row: row.tokens_per_s or 0.0))} is the fastest of {len(own)}{where}"
            for where, own in _by_machine(fair)
        ]
        return [
            "They ran on several kinds of machine, so their speeds are not compared with each other."
            + (f" {'; '.join(each)}." if each else "")
        ]
    fastest = max(fair, key=lambda row: row.tokens_per_s or 0.0)
    overlap = [
        _name(row)
        for row in fair
        if row is not fastest
        and fastest.tokens_per_s_low is not None
        and row.tokens_per_s_high is not None
        and row.tokens_per_s_high >= fastest.tokens_per_s_low
    ]
    also = f" These have overlapping intervals: {', '.join(overlap)}." if overlap else ""
    return [f"{_name(fastest)} has the highest speed: {speed_text(fastest)} tokens/s.{also}"]


def _name(row: Row) -> str:
    return row.called or row.name


def _disturbed(row: Row) -> bool:
    return bool(speed_doubts(row.record))


def _score(row: Row) -> str:
    facts = [judged_text(row)] if row.lost else []
    if row.score_low is not None and row.score_high is not None:
        facts += [f"95 % interval {row.score_low:.1f} to {row.score_high:.1f}", f"{row.samples} samples"]
    return f"{row.score:.1f} of 100" + (f" ({'; '.join(facts)})" if facts else "")
