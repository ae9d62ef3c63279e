"""In which order a guided race asks its configurations: by what runs of kld say of their models.

The order is of one round, at whose end all that race in it have answered the same samples, and only then is anything
decided. So it changes when something is known, and never what.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from results.compare.divergence_prediction import (
    DAMAGED,
    SAME,
    ServedModel,
    comparable_divergences,
    prediction,
    reference_of,
)
from results.errors import BenchError
from results.store.run_folder import all_records
from servers.models import content_sha256

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from engines.planned_run import PlannedRun
    from results.compare.divergence_prediction import PredictedPair, Prediction, Table
    from results.stats.rank_correlation import RankCorrelation

_MOST_SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class Guide:
    """klds: of each configuration, in nats; None if unknown. why: sentences for the user."""

    klds: tuple[float | None, ...]
    why: tuple[str, ...] = ()

    def ordered(self, positions: Iterable[int]) -> list[int]:
        """The most damaged first, what is nearly the same as the reference last; unknown ones before the latter."""
        return sorted(positions, key=lambda at: -(kld if (kld := self.klds[at]) is not None else SAME + 1e-9))


def kld_guide(runs: Sequence[PlannedRun], results_dir: Path, *, warn: Callable[[str], None]) -> Guide:
    """From the finished runs of kld in the results folder. Raises NewerRecord, ResultsError."""
    stored = all_records(results_dir, warn=warn)
    contents = [_content(run) for run in runs]
    best: list[float | None] = [None] * len(runs)
    reference = ""
    for table in comparable_divergences(record for _, record in stored):
        klds = [_kld(run, sha256, contents, table) for run, sha256 in zip(runs, contents, strict=True)]
        if sum(kld is not None for kld in klds) > sum(kld is not None for kld in best):
            best = klds
            told = next(iter(table.values())).result.reference
            reference = f"{told.measures}: {told.name}" if told is not None else ""
    why = [_order_text(runs, best, reference)]
    if unknown := [run.label for run, kld in zip(runs, best, strict=True) if kld is None]:
        why.append(
            f"the divergence of {_some(unknown)} is not known; `sweep MODELS --benchmark kld --kld-reference MODEL` "
            "measures it"
        )
    return Guide(klds=tuple(best), why=(*why, *prediction_lines(prediction(stored))))


def _content(run: PlannedRun) -> str | None:
    model = run.spec.server.model if run.spec is not None else None
    try:
        return content_sha256(model) if model is not None else None
    except BenchError:
        return None


def _kld(run: PlannedRun, sha256: str | None, contents: Sequence[str | None], table: Table) -> float | None:
    """The divergence that was measured of this model with these settings; where only one configuration has the model,
    the newest with any. That of the reference, served as it was, is 0.
    """
    if sha256 is None or run.spec is None:
        return None
    ours = ServedModel.of(sha256, run.spec.config())
    if (known := table.get(ours)) is not None:
        return known.mean
    if ours == reference_of(table):
        return 0.0
    others = [known for served, known in table.items() if served.sha256 == sha256]  # newest first
    return others[0].mean if others and contents.count(sha256) == 1 else None


def _order_text(runs: Sequence[PlannedRun], klds: Sequence[float | None], reference: str) -> str:
    known = [(run.label, kld) for run, kld in zip(runs, klds, strict=True) if kld is not None]
    if not known:
        return "guide: no run of kld says anything of these models, so they are asked in the plan's order"
    ordered = sorted(known, key=lambda each: -each[1])
    shown = ", ".join(f"{label} {kld:.2g}{_word(kld)}" for label, kld in ordered)
    return f"guide ({reference}), in nats, asked in this order within a round: {shown}"


def _word(kld: float) -> str:
    return " (nearly the same)" if kld <= SAME else " (damaged)" if kld >= DAMAGED else ""


def prediction_lines(found: Prediction) -> tuple[str, ...]:
    """How well divergence has predicted so far, and where it did not."""
    if not found.pairs:
        return (
            "how well the divergence predicts is not known here: no model has both, a run of kld and of a benchmark",
        )
    models = f"{found.models} model{'' if found.models == 1 else 's'}"
    over = (
        f"so far, over {len(found.pairs)} pairs of runs of {models} here, rank correlation of the divergence"
    )
    lines = [f"{over} with flipped verdicts {_rho(found.flips)}, with points lost {_rho(found.loss)}"]
    if not found.loss.shown:
        lines.append("it is not shown here that more divergence loses more points")
    surprises = sorted(found.surprises, key=lambda pair: -abs(pair.loss))
    lines += [f"it did not predict {_surprise(pair)}" for pair in surprises[:_MOST_SHOWN]]
    if len(surprises) > _MOST_SHOWN:
        lines.append(f"and {len(surprises) - _MOST_SHOWN} more such pairs")
    return tuple(lines)


def _rho(found: RankCorrelation) -> str:
    if found.rho is None:
        return "unknown, because all are alike"
    if found.low is None or found.high is None:
        return f"{found.rho:+.2f} (too few models for an interval)"
    return f"{found.rho:+.2f} (95 % interval {found.low:+.2f} to {found.high:+.2f})"


def _surprise(pair: PredictedPair) -> str:
    points = f"{0.0 - 100 * pair.loss:+.1f} points on {pair.samples} samples of {pair.benchmark}"
    return f"{pair.model} against {pair.base}: {pair.surprise} ({pair.kld:.2g} nats, {points})"


def _some(labels: Sequence[str]) -> str:
    more = len(labels) - _MOST_SHOWN
    return ", ".join(labels[:_MOST_SHOWN]) + (f" and {more} more" if more > 0 else "")
