"""A comparison of two runs as text."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from results.records import Outcome
from results.stats.corpus_metrics import CORPUS_METRICS
from results.stats.machines import machine_text
from results.views.composites.pair_text import composite_pair_facts
from results.views.tag_pairs_text import tag_facts
from results.views.terminal import Fact, say_facts
from settings.needle_lengths import length_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from results.compare.changed_answers import ChangedAnswers
    from results.compare.comparison import Comparison, Flip, Measured
    from results.compare.gate import Gate
    from results.stats.paired import PairedResult

NAME_WIDTH = 16
_MOST_SHOWN = 20
_CELL_WIDTH = 24
_GIB = 1 << 30
_OF_MACHINE = {"tokens_per_s", "load_s", "energy_j", "joules_per_solved"}  # what the kind of machine decides
_ROUNDING = 1e-12


def print_comparison(comparison: Comparison) -> None:
    """Print the runs, the verdict on their difference, flipped samples, costs, and what else differs."""
    loud = {"A": "cyan", "B": "cyan", "not comparable": "red", "lost answers": "red"}
    say_facts(_facts(comparison), loud, width=NAME_WIDTH)


def print_gate(gate: Gate, *, err: bool = False) -> None:
    """Print a gate's verdict, its reason, and what it doesn't say. err: to stderr."""
    verdict, colour = ("passed", "green") if gate.passed else ("FAILED", "red")
    facts = [Fact("gate", f"{verdict}: {gate.why}", colour), *(Fact("", note) for note in gate.notes)]
    say_facts(facts, width=NAME_WIDTH, err=err)


def _facts(comparison: Comparison) -> Iterator[Fact]:
    yield Fact("A", comparison.first.run_id)
    yield Fact("B", comparison.second.run_id)
    if comparison.prompts is not None:
        first, second = comparison.prompts
        yield Fact(
            "other prompt", f"A {first}, B {second}: this compares two prompts, not two models", "yellow"
        )
    for name, warnings in zip("AB", comparison.warnings, strict=True):
        yield from (Fact("warning", f"{name}: {warning}", "red") for warning in warnings)
    yield Fact("compared on", _compared_on(comparison))
    yield from _lost(comparison)
    for name, result in comparison.results.items():
        yield from _result(
            name, result, single=comparison.completions_per_sample == 1 and name.startswith("pass@")
        )
    if comparison.recall is not None:
        yield from _result("recall", comparison.recall, single=False)
    many = comparison.completions_per_sample > 1
    name = "{} better on" if many or comparison.metric else "only {} solved"
    yield Fact(name.format("B"), _flips(comparison.better_second, "B", many=many))
    yield Fact(name.format("A"), _flips(comparison.better_first, "A", many=many))
    yield from tag_facts(comparison.by_tag, _of_tags(comparison))
    yield from (Fact(*each) for each in composite_pair_facts(comparison))
    yield from _effective(comparison.first, comparison.second)
    if comparison.answers is not None:
        yield Fact("changed answers", changed_text(comparison.answers))
    yield from _costs(comparison.first, comparison.second)
    first = "what differs"
    for difference in comparison.differences:
        yield Fact(first, str(difference))
        first = ""


def changed_text(answers: ChangedAnswers) -> str:
    """How many answers changed word for word, where they first differ, and which outcomes flipped."""
    text = f"{answers.changed} of {answers.compared} word for word"
    if answers.median_first_difference is not None:
        at = f"character {answers.median_first_difference + 1}"
        text += f", first at {at}{' (median)' if answers.changed > 1 else ''}"
    ways = [
        f"{number} {words}"
        for number, words in (
            (answers.to_pass, "to passed"),
            (answers.to_fail, "from passed"),
            (answers.other_outcomes, "from one failure to another"),
        )
        if number
    ]
    flipped = f"{_count(answers.flipped, 'outcome')} flipped" + (f" ({', '.join(ways)})" if ways else "")
    return f"{text}; {flipped}"


def _compared_on(comparison: Comparison) -> str:
    each = comparison.completions_per_sample
    text = f"{_count(comparison.samples, 'sample')} of {comparison.benchmark}, "
    text += "one completion per sample" if each == 1 else f"{each} completions per sample"
    left_out = [
        f"{number} only in {name}"
        for name, number in (("A", comparison.only_in_first), ("B", comparison.only_in_second))
        if number
    ]
    if comparison.not_judged:
        left_out.append(f"{len(comparison.not_judged)} whose answer was lost")
    return text + (f"; left out: {', '.join(left_out)}" if left_out else "")


def _lost(comparison: Comparison) -> Iterator[Fact]:
    for name, run in (("A", comparison.first), ("B", comparison.second)):
        if run.lost_too_many:
            what = "only the others are compared, which may be easier or harder"
            yield Fact("lost answers", f"{name} lost {run.lost} of {run.completions}: {what}")


def _result(name: str, result: PairedResult, *, single: bool) -> Iterator[Fact]:
    yield Fact(name, f"A {100 * result.first:.1f}, B {100 * result.second:.1f} of 100")
    if not result.only_first and not result.only_second and abs(result.difference) < _ROUNDING:
        text = "A and B solved the same samples" if single else "A and B are equal on every sample"
        low = max(abs(result.low), abs(result.high))
        yield Fact("", f"{text}; a difference of up to {100 * low:.1f} points could hide")
        return
    if not result.only_first and not result.only_second:
        flips = "A and B are right on the same samples"
    elif single:
        flips = (
            f"B solved {_count(result.only_second, 'sample')} that A didn't, A solved {result.only_first} "
        )
        flips += "that B didn't"
    else:
        flips = f"B is better on {_count(result.only_second, 'sample')}, A on {result.only_first}"
    yield Fact("", flips)
    interval = f"95 % interval {100 * result.low:+.1f} to {100 * result.high:+.1f}"
    yield Fact("", f"difference {100 * result.difference:+.1f} points ({interval}), {_p_value(result)}")
    better = "B" if result.difference > 0 else "A"
    if result.shown:
        yield Fact("", f"{better} is better: a real difference at the 5 % level", "green")
    else:
        yield Fact("", "no real difference shown", "yellow")
        if result.samples_needed is not None:
            needed = about(max(result.samples_needed, result.samples + 1))
            yield Fact("", f"about {needed} samples would be needed to show a difference of this size")
    if single:
        yield Fact("effect", _effect(result))


def _p_value(result: PairedResult) -> str:
    text = f"{p_text(result.p_value)} ({result.test})"
    return text if result.adjusted_p == result.p_value else f"{text}, {p_text(result.adjusted_p)} after Holm"


def p_text(value: float) -> str:
    if value < 0.001:
        return "p < 0.001"
    return f"p = {value:.3f}" if value < 0.1 else f"p = {value:.2f}"


def _effect(result: PairedResult) -> str:
    """The effect size, with a word for it if a difference is shown."""

    def odds(value: float | None) -> str:
        return "infinite" if value is None else f"{value:.{2 if value < 100 else 3}g}"

    size = abs(result.cohens_g or 0.0)
    word = next(
        word
        for most, word in ((0.05, "less than small"), (0.15, "small"), (0.25, "medium"), (1, "large"))
        if size < most
    )
    return (
        f"odds of B among the samples that differ {odds(result.odds_ratio)} "
        f"(95 % interval {odds(result.odds_ratio_low)} to {odds(result.odds_ratio_high)}), "
        f"Cohen's g {result.cohens_g or 0.0:+.2f}{f' ({word})' if result.shown else ''}"
    )


def _flips(flips: Sequence[Flip], winner: str, *, many: bool) -> str:
    """The flipped samples, largest changes first."""
    if not flips:
        return "none"
    ordered = sorted(flips, key=lambda flip: -abs(flip.gain))
    shown = [_flip(flip, winner, many=many) for flip in ordered[:_MOST_SHOWN]]
    more = len(flips) - len(shown)
    return ", ".join(shown) + (f", and {more} more (all with --json)" if more else "")


def _flip(flip: Flip, winner: str, *, many: bool) -> str:
    """The sample; with one completion, also why the other run failed it, unless its answer was simply wrong."""
    if flip.first_value is not None and flip.second_value is not None:
        return f"{flip.task_id} ({flip.first_value:.2g} and {flip.second_value:.2g})"
    if many:
        return f"{flip.task_id} ({_passed(flip.first)} and {_passed(flip.second)} of {len(flip.first)})"
    (lost,) = flip.first if winner == "B" else flip.second
    plain = lost is Outcome.FAILED
    return flip.task_id if plain else f"{flip.task_id} ({lost.replace('_', ' ')})"


def _passed(outcomes: Sequence[Outcome]) -> int:
    return sum(outcome is Outcome.PASSED for outcome in outcomes)


def _of_tags(comparison: Comparison) -> str:
    """What tags are given by, if not by how many were solved."""
    return "" if comparison.metric in CORPUS_METRICS else comparison.metric


def _effective(first: Measured, second: Measured) -> Iterator[Fact]:
    """The effective contexts of needle runs."""
    if first.effective_context is None or second.effective_context is None:
        return
    cells = [
        length_text(run.effective_context) if run.effective_context else "below the shortest length"
        for run in (first, second)
    ]
    yield Fact("finds up to", f"A {cells[0]:{_CELL_WIDTH}} B {cells[1]}")


def _costs(first: Measured, second: Measured) -> Iterator[Fact]:
    """The costs that were measured in at least one of the runs."""
    rows = (
        ("speed", "tokens_per_s", "{:.1f} tokens/s", 1),
        ("answers", "tokens_per_completion", "{:.0f} tokens each", 1),
        ("load", "load_s", "{:.1f} s", 1),
        ("GPU memory", "memory_bytes", "{:.2f} GiB at most", _GIB),
        ("host memory", "host_memory_bytes", "{:.2f} GiB at most", _GIB),
        ("energy", "energy_j", "{:.0f} J", 1),
        ("", "joules_per_solved", "{:.1f} J per solved sample", 1),
        ("charged", "cost_usd", "{:.4g} USD", 1),
    )
    same_kind = first.machine == second.machine
    for name, field, form, unit in rows:
        values = [getattr(run, field) for run in (first, second)]
        if values != [None, None]:
            cells = ["not measured" if value is None else form.format(value / unit) for value in values]
            ratio = _ratio(*values) if same_kind or field not in _OF_MACHINE else ""
            yield Fact(name, f"A {cells[0]:{_CELL_WIDTH}} B {cells[1]}{ratio}")
    accepted = [run.draft_acceptance for run in (first, second)]
    if accepted != [None, None]:
        cells = ["no speculation" if share is None else f"{100 * share:.1f} % accepted" for share in accepted]
        yield Fact("draft tokens", f"A {cells[0]:{_CELL_WIDTH}} B {cells[1]}")
    if not same_kind:
        kinds = f"A ran on {machine_text(first.machine)}, B on {machine_text(second.machine)}"
        yield Fact("not comparable", f"speed, load and energy: {kinds}")
    for name, run in (("A", first), ("B", second)):
        for why in run.not_comparable:
            yield Fact("not comparable", f"the speed of {name}: {why}")
        for why in run.energy_doubts:
            yield Fact("energy unsure", f"that of {name}: {why}")


def _ratio(first: float | None, second: float | None) -> str:
    return f"  ({second / first:.2f} of A)" if first and second else ""


def about(number: int) -> str:
    """Rounded up to two digits, because it is an estimate from few samples."""
    step = 10 ** max(0, math.floor(math.log10(number)) - 1)
    return f"{math.ceil(number / step) * step:,}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
