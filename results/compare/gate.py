"""A gate: whether the second of two runs is bad enough to stop, for a check that runs without anybody looking."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from results.errors import NotComparable
from results.stats.noninferiority import fewest_for_margin, samples_for_margin, shown_non_inferior

if TYPE_CHECKING:
    from results.compare.comparison import Comparison
    from results.stats.paired import PairedResult

GATE_FAILED = 8  # the exit code
_FEWEST = 6  # samples that can show a difference: 2 of 2^6 combinations of signs are less than 5 %


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict on run B against A. margin_points: the loss that is accepted; None: any loss that is shown fails.

    why: a sentence. notes: what the verdict doesn't say, and what to do about it.
    """

    passed: bool
    margin_points: float | None
    why: str
    notes: tuple[str, ...] = ()


def judge(comparison: Comparison, margin_points: float | None) -> Gate:
    """Judge B against A. Without a margin, B fails if it is shown to be worse in any pass@k, at the 5 % level (Holm).
    With one, B passes if every one is shown to be at most that much worse. Where the score is a metric, only that
    counts.

    Raises NotComparable if a run lost so many answers that the rest says little about the benchmark.
    """
    for name, run in (("A", comparison.first), ("B", comparison.second)):
        if run.lost_too_many:
            raise NotComparable(
                f"{name} ({run.run_id}) lost {run.lost} of {run.completions} answers; "
                "the others may be easier or harder than the benchmark",
                hint=f"ask for the lost ones again: run the same command with --resume {run.run_id}",
            )
    found = _shown_worse(comparison) if margin_points is None else _within(comparison, margin_points)
    if comparison.prompts is None:
        return found
    note = "the prompt is another one: A {}, B {}".format(*comparison.prompts)
    said = [f"{name}: {each}" for name, of in zip("AB", comparison.warnings, strict=True) for each in of]
    return msgspec.structs.replace(found, notes=(note, *said, *found.notes))


def _shown_worse(comparison: Comparison) -> Gate:
    results = _counting(comparison)
    worse = {name: each for name, each in results.items() if each.shown and each.difference < 0}
    if worse:
        name, result = min(worse.items(), key=lambda found: found[1].difference)
        why = f"B is worse than A: {name} {_points(result)}"
        return Gate(passed=False, margin_points=None, why=why)
    name, result = next(iter(results.items()))
    if result.samples < _FEWEST:
        note = (
            f"{result.samples} samples can't show any loss: it takes {_FEWEST}, and 100 or more to be of use"
        )
    else:
        note = (
            f"a loss of up to {-100 * result.low:.1f} points is not excluded; --fail-if-worse POINTS (run: --margin) "
            "asks for proof that it is smaller"
        )
    notes = (note,) if result.low < 0 else ()
    return Gate(
        passed=True,
        margin_points=None,
        why=f"B is not shown to be worse than A: {_points(result)}",
        notes=notes,
    )


def _within(comparison: Comparison, margin_points: float) -> Gate:
    margin = margin_points / 100
    results = _counting(comparison)
    missing = {name: result for name, result in results.items() if not shown_non_inferior(result, margin)}
    points = f"{margin_points:g} {'point' if margin_points == 1 else 'points'}"
    if not missing:
        name, result = min(results.items(), key=lambda found: found[1].low)
        why = f"B is at most {points} worse than A: {name} {_points(result)}"
        return Gate(passed=True, margin_points=margin_points, why=why)
    name, result = min(missing.items(), key=lambda found: found[1].low)
    why = f"B is not shown to be within {points} of A: {name} {_points(result)}"
    return Gate(
        passed=False, margin_points=margin_points, why=why, notes=(_what_it_takes(result, margin, points),)
    )


def _counting(comparison: Comparison) -> dict[str, PairedResult]:
    """The results that decide."""
    if comparison.metric:
        return {comparison.metric: comparison.results[comparison.metric]}
    return comparison.results


def _what_it_takes(result: PairedResult, margin: float, points: str) -> str:
    fewest = fewest_for_margin(result.test, margin)
    if result.samples < fewest:
        return f"{result.samples} samples can't show it even if no answer differs: it takes {fewest}"
    needed = samples_for_margin(result, margin)
    if needed is None:
        return f"the loss seen is itself not less than {points}"
    needed = max(needed, result.samples + 1)
    return (
        f"about {needed} samples would show it in four of five cases, if the difference seen is the true one"
    )


def _points(result: PairedResult) -> str:
    low, high = 100 * result.low, 100 * result.high
    return (
        f"{100 * result.difference:+.1f} points (95 % interval {low:+.1f} to {high:+.1f}, "
        f"{result.samples} samples)"
    )
