"""What to take of a table, in words: the card at the top of a report, and its first sentences elsewhere.

The words say no more than the tests do: "no loss shown" always stands beside how large a loss may be.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from results.compare.pick import WANTED_LOSS, Why, pick_run, undisturbed, unfinished
from results.compare.versus_best import Rank
from results.records import Outcome
from results.views.conclusion import about_fidelity
from results.views.leaderboard_text import GIB, speed_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from results.compare.leaderboard import Row, Table
    from results.compare.pick import Pick

_SHOW_UNFINISHED = 0.05  # share of answers that makes a warning
_SAME = 0.005  # share below which two figures are called the same


@dataclass(frozen=True)
class Verdict:
    """kind: "pick", "tentative" or "none". run_id: of the pick. head: what to take, or that there is nothing to take.
    reasons: why, most important first. runner_up: a sentence, or empty. needed: what would settle it, or empty.
    """

    kind: str
    run_id: str
    head: str
    reasons: tuple[str, ...]
    runner_up: str = ""
    needed: str = ""

    @property
    def sentences(self) -> list[str]:
        """All of it, for a text."""
        first = f"{self.head}: {self.reasons[0]}" if self.reasons else self.head
        others = [f"{each[:1].upper()}{each[1:]}." for each in self.reasons[1:]]
        return [each for each in (f"{first}.", *others, self.runner_up, self.needed) if each]


def verdict(table: Table, names: Mapping[str, str]) -> Verdict:
    """names: what the runs are called, by their id."""
    pick = pick_run(table)
    if pick.row is None or pick.best is None:
        return _none(table, pick, names)
    name = names[pick.row.record.run_id]
    reasons = [
        _loss(pick, pick.row, pick.best, names),
        *filter(None, [_costs(pick.row, pick.runner_up, pick, names)]),
    ]
    reasons += _warnings(pick, names)
    return Verdict(
        kind="pick" if pick.settled else "tentative",
        run_id=pick.row.record.run_id,
        head=f"Take {name}" if pick.settled else f"Perhaps {name}; the samples don't settle it",
        reasons=tuple(reasons),
        runner_up=_runner_up(pick, names),
        needed=_needed(pick),
    )


def cut_text(row: Row) -> str:
    """For example "20 of 20 answers were cut"; empty if few were."""
    score = row.record.score
    if score is None or not score.completions or unfinished(row) < _SHOW_UNFINISHED:
        return ""
    kinds = {Outcome.TRUNCATED: "cut", Outcome.NO_ANSWER: "empty", Outcome.INFRASTRUCTURE_ERROR: "lost"}
    counted = [(score.outcomes.get(kind, 0), word) for kind, word in kinds.items()]
    (first, word), *others = [each for each in counted if each[0]]
    also = "".join(f", {count} {other}" for count, other in others)
    return f"{first} of {score.completions} answers were {word}{also}"


def memory_of(row: Row, pick: Pick) -> int | None:
    """Bytes, of the kind that the pick was compared by."""
    return pick.memory.of.get(row.record.run_id) if pick.memory is not None else None


def _loss(pick: Pick, row: Row, best: Row, names: Mapping[str, str]) -> str:
    versus = row.versus
    if row is best or versus is None or pick.loss is None:
        score = f"the highest score, {row.score:.1f}"
        if pick.loss is None:
            beaten = best.versus is not None and best.versus.beats
            return f"{score}, and every other run tested is shown to be worse" if beaten else score
        return f"{score}; another run may be up to {100 * pick.loss:.1f} points better (95 %)"
    shown = f"no loss shown against {names[best.record.run_id]}, the highest score"
    points, on = 100 * pick.loss, f"on {versus.samples:,} common samples"
    if not pick.settled:
        return f"{shown}, but it may be up to {points:.1f} points worse (95 %), {on}"
    return f"{shown}: at most {points:.1f} points worse (95 %), {on}"


def _costs(row: Row, other: Row | None, pick: Pick, names: Mapping[str, str]) -> str:
    """What the pick saves against the runner-up."""
    if other is None:
        return ""
    found = []
    mine, theirs = memory_of(row, pick), memory_of(other, pick)
    if pick.memory is not None and mine and theirs:
        sizes = f"({mine / GIB:.2f} against {theirs / GIB:.2f} GiB)"
        if pick.memory.words == "file":
            change = _change(mine, theirs, "smaller", "larger")
            found.append(f"a {change} file {sizes}" if change else f"a file of the same size {sizes}")
        else:
            change = _change(mine, theirs, "less", "more")
            found.append(
                f"{change} {pick.memory.words} {sizes}" if change else f"as much {pick.memory.words} {sizes}"
            )
    if (
        pick.same_machine
        and undisturbed(row)
        and undisturbed(other)
        and row.tokens_per_s
        and other.tokens_per_s
    ):
        change = _change(row.tokens_per_s, other.tokens_per_s, "slower", "faster")
        found.append(
            f"{change or 'as fast'} ({row.tokens_per_s:,.1f} against {other.tokens_per_s:,.1f} tokens/s)"
        )
    return f"against {names[other.record.run_id]}: {', '.join(found)}" if found else ""


def _change(mine: float, theirs: float, less: str, more: str) -> str:
    share = mine / theirs - 1
    if abs(share) < _SAME:
        return ""
    if share > 1:
        return f"{mine / theirs:.1f} times as {'fast' if more == 'faster' else 'large' if more == 'larger' else 'much'}"
    return f"{100 * abs(share):.0f} % {more if share > 0 else less}"


def _warnings(pick: Pick, names: Mapping[str, str]) -> Iterator[str]:
    for row in {each.record.run_id: each for each in (pick.row, pick.best) if each is not None}.values():
        if text := cut_text(row):
            name = names[row.record.run_id]
            yield f"{name}: {text}, which the score counts as wrong; a larger --max-tokens may change the choice"
    for row in pick.better:
        common = row.versus.samples if row.versus is not None else 0
        yield (
            f"{names[row.record.run_id]} solved more of the {common:,} samples that both answered; "
            "let it answer all before you decide"
        )
    if pick.cheaper is not None and pick.cheaper.versus is not None and pick.cheaper.versus.low is not None:
        points = -100 * pick.cheaper.versus.low
        yield f"{names[pick.cheaper.record.run_id]} is cheaper, but may be up to {points:.1f} points worse (95 %)"
    for row in pick.passed_over:
        yield f"passed over: {names[row.record.run_id]}, because {cut_text(row)}"
    if not pick.same_machine:
        yield "measured on different machines, so speeds were not compared"
    elif any(not undisturbed(row) for row in pick.candidates):
        hot = ", ".join(names[row.record.run_id] for row in pick.candidates if not undisturbed(row))
        yield f"not compared by speed, because it was disturbed: {hot}"


def _runner_up(pick: Pick, names: Mapping[str, str]) -> str:
    other, row = pick.runner_up, pick.row
    if other is None or row is None:
        return ""
    name = names[other.record.run_id]
    if other is pick.best:
        return f"Runner-up: {name}, the highest score ({other.score:.1f})."
    if other.versus is not None and other.versus.rank is Rank.WORSE and other.versus.difference is not None:
        return f"Next: {name}, shown to be worse by {100 * abs(other.versus.difference):.1f} points."
    return f"Runner-up: {name} ({other.score:.1f}), not distinguishable from it."


def _needed(pick: Pick) -> str:
    if pick.samples_needed is None:
        return ""
    return (
        f"To bound that to {100 * WANTED_LOSS:.0f} points takes about {pick.samples_needed:,} samples, "
        "if there is no true difference."
    )


def _none(table: Table, pick: Pick, names: Mapping[str, str]) -> Verdict:
    scored = [row for row in table.rows if row.score is not None]
    why = pick.why
    if why is Why.NO_SCORE:
        return _nearest(table) or _fastest(table, names)
    if why in {Why.NOTHING_SOLVED, Why.UNFINISHED}:
        cut = [f"{names[row.record.run_id]}: {text}" for row in scored[:3] if (text := cut_text(row))]
        nothing = f"no run solved any of the {max(row.samples or 0 for row in scored)} samples"
        if why is Why.UNFINISHED:
            nothing = "most answers did not end, so the scores are about the settings and not the models"
        hint = (
            "Raise --max-tokens (and --ctx-size), or see what the answers say below."
            if cut
            else ("Look at the answers below, use an easier benchmark or stronger models.")
        )
        return Verdict("none", "", "Nothing to take", (nothing, *cut), needed=hint)
    if why is Why.ONE_RUN:
        (row,) = scored
        cut = [text] if (text := cut_text(row)) else []
        reason = f"{names[row.record.run_id]} is the only run with a score here: {row.score:.1f}"
        needed = "To choose, run another model or setting on the same samples, then write the report again."
        return Verdict("none", "", "Nothing to choose from", (reason, *cut), needed=needed)
    reasons = {
        Why.LOST: "every run that went through all samples lost too many answers",
        Why.RACED: "no run went through all samples",
        Why.UNTESTED: "no run could be tested against the one with the highest score" + _untested(scored),
    }
    ways = {
        Why.LOST: "Find out why answers were lost (see below), and continue the runs with --resume.",
        Why.RACED: "Run the samples to their end, without --race.",
        Why.UNTESTED: "Runs can be tested if each has verdicts on the same samples, as our own benchmarks write them.",
    }
    return Verdict("none", "", "Nothing to take", (reasons[why],), needed=ways[why])


def _untested(rows: list[Row]) -> str:
    whys = dict.fromkeys(row.versus.why for row in rows if row.versus is not None and row.versus.why)
    return f": {'; '.join(whys)}" if whys else ""


def _nearest(table: Table) -> Verdict | None:
    """Of runs of kld, which have no score either."""
    if not (told := about_fidelity(table)):
        return None
    return Verdict(
        "none", "", "Fidelity, not a score", tuple(each.removesuffix(".") for each in told),
        needed="How much of a benchmark a divergence costs, a benchmark with a score says.",
    )  # fmt: skip


def _fastest(table: Table, names: Mapping[str, str]) -> Verdict:
    """A speed benchmark has no score; the fastest is only named if its interval is above all others."""
    fair = [row for row in table.rows if row.tokens_per_s is not None and undisturbed(row)]
    if len(fair) < 2:
        told = [f"{names[row.record.run_id]}: {speed_text(row)} tokens/s" for row in fair]
        return Verdict(
            "none", "", "Nothing to choose from", tuple(told) or ("no run has a score or an undisturbed speed",),
            needed="A choice by quality needs a benchmark with a score, such as human_eval.",
        )  # fmt: skip
    first, second = sorted(fair, key=lambda row: row.tokens_per_s or 0.0, reverse=True)[:2]
    name = names[first.record.run_id]
    needed = "Speed alone says nothing about quality: a benchmark with a score does."
    known = first.tokens_per_s_low is not None and second.tokens_per_s_high is not None
    reason = f"{speed_text(first)} against {speed_text(second)} tokens/s of {names[second.record.run_id]}"
    if known and (first.tokens_per_s_low or 0) > (second.tokens_per_s_high or 0):
        return Verdict("pick", first.record.run_id, f"{name} is the fastest", (reason,), needed=needed)
    return Verdict(
        "none",
        "",
        "No fastest shown",
        (f"{reason}; the intervals overlap" if known else reason,),
        needed=needed,
    )
