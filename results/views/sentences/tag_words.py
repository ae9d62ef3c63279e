"""What is shown about runs on each value of a tag, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from results.compare.versus_best import Rank

if TYPE_CHECKING:
    from collections.abc import Mapping

    from results.compare.tag_ranks import TagRanks

_MOST_NAMED = 4


def tag_sentences(ranks: TagRanks, names: Mapping[str, str]) -> list[str]:
    """One for each value. names: of the runs, by id."""
    return [_sentence(ranks, value, names) for value in ranks.values]


def _sentence(ranks: TagRanks, value: str, names: Mapping[str, str]) -> str:
    counts, best = ranks.counts[value], ranks.best.get(value)
    if best is None:
        return f"{value}: nothing to test, fewer than two runs have a score on these problems."
    highest = counts[best].solved
    shared = [
        run_id for run_id, each in counts.items() if each.solved == highest and run_id in ranks.versus[value]
    ]
    if not highest:
        return f"{value}: no run solved any of these {counts[best].samples} problems."
    of = {
        rank: [run_id for run_id, each in ranks.versus[value].items() if each.rank is rank] for rank in Rank
    }
    some = (
        f"{_named(shared, names)} share{'s' * (len(shared) == 1)}"
        if len(shared) > 1
        else f"{names[best]} has"
    )
    text = f"{value}: {some} the highest score, {highest:.1f} on {counts[best].samples} problems"
    others = [run_id for run_id in of[Rank.SAME] if run_id not in shared]
    if others:
        text += f"; {_named(others, names)} may be as good"
    if of[Rank.WORSE]:
        text += f"; {_named(of[Rank.WORSE], names)} {'is' if len(of[Rank.WORSE]) == 1 else 'are'} shown to be worse"
    elif not of[Rank.UNTESTED]:
        text += "; no run is shown to be worse"
    return f"{text}."


def _named(run_ids: list[str], names: Mapping[str, str]) -> str:
    shown = [names[run_id] for run_id in run_ids]
    if len(shown) > _MOST_NAMED:
        return f"{len(shown)} runs"
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))
