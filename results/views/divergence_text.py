"""Two compared runs of kld as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from results.stats.divergence import estimate_text, headline
from results.views.comparison_text import NAME_WIDTH
from results.views.terminal import Fact, say_facts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from results.compare.divergence_pair import DivergencePair


def print_divergences(pair: DivergencePair) -> None:
    """Print both runs, the verdict on their difference, and what else differs."""
    say_facts(_facts(pair), {"A": "cyan", "B": "cyan"}, width=NAME_WIDTH)


def divergence_rows(pair: DivergencePair) -> list[tuple[str, str]]:
    """The same, by name."""
    return [(fact.name, fact.text) for fact in _facts(pair)]


def _facts(pair: DivergencePair) -> Iterator[Fact]:
    for name, run, result in (("A", pair.first_run, pair.first), ("B", pair.second_run, pair.second)):
        yield Fact(name, run)
        yield Fact("", headline(result))
    yield Fact("compared on", f"{pair.windows} windows of {pair.first.window} tokens")
    if pair.kld is not None:
        bound = " (of lower bounds)" if pair.first.is_bound or pair.second.is_bound else ""
        yield Fact("divergence", f"B minus A {estimate_text(pair.kld)} nats{bound}")
        if pair.nearer:
            text = f"{pair.nearer} is nearer to the reference: a real difference at the 5 % level"
            yield Fact("", text, "green")
        else:
            yield Fact("", "no real difference shown", "yellow")
    if pair.same_top is not None:
        yield Fact("same top token", f"B minus A {estimate_text(pair.same_top, percent=True)}")
    yield Fact("perplexity", f"B / A {estimate_text(pair.perplexity_ratio)}")
    first = "what differs"
    for difference in pair.differences:
        yield Fact(first, str(difference))
        first = ""
