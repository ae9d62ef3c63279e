"""Two runs of kld, compared window by window: which model is nearer to the reference that both were compared with."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING

import msgspec

from results.compare.comparability import Difference, what_differs
from results.durable import explained
from results.errors import NotComparable, UsageError
from results.files import read_file
from results.records import RunStatus
from results.stats.divergence import (
    JOURNAL_NAME,
    Estimate,
    KldResult,
    KldWindow,
    exp_of,
    interval_of_mean,
    kld_result,
    read_windows,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from results.records import RunRecord
    from results.store.run_folder import RunFolder


class DivergencePair(msgspec.Struct, frozen=True, kw_only=True):
    """Second minus first, on the windows that both have; 95 % intervals over these.

    kld: difference of the mean divergences, in nats; below 0 the second is nearer. same_top: of the same-top rates.
    Both are None if one of the runs was not compared with a reference. perplexity_ratio: second over first.
    """

    benchmark: str = "kld"
    first: KldResult
    second: KldResult
    first_run: str
    second_run: str
    windows: int
    kld: Estimate | None = None
    same_top: Estimate | None = None
    perplexity_ratio: Estimate
    differences: tuple[Difference, ...] = ()

    @property
    def nearer(self) -> str:
        """The run that is shown to be nearer to the reference at the 5 % level, "A" or "B"; or "" for neither."""
        if self.kld is None or self.kld.low is None or self.kld.high is None:
            return ""
        return "B" if self.kld.high < 0 else "A" if self.kld.low > 0 else ""


def are_of_kld(*folders: RunFolder) -> bool:
    """Whether all are runs of kld that say what they measured."""
    scores = (folder.read_record().score for folder in folders)
    return all(score is not None and kld_result(score.details) is not None for score in scores)


def compare_divergences(first: RunFolder, second: RunFolder) -> DivergencePair:
    """Compare two finished runs of kld. Raises UsageError if both are the same, NotComparable if they measured other
    things, naming them, and ResultsError.
    """
    if first.run_id == second.run_id:
        raise UsageError(
            f"both names refer to the run {first.run_id}", hint="name two different runs; see `list`"
        )
    (one, one_record), (other, other_record) = _finished(first), _finished(second)
    if reasons := _forbidding(one, other):
        raise NotComparable(
            f"{first.run_id} and {second.run_id} are not comparable, they differ in "
            + "; ".join(map(str, reasons)),
            hint="run one of them again with the other's settings",
        )
    ours, theirs = _windows(first, one), _windows(second, other)
    pairs = [(ours[index], theirs[index]) for index in sorted(ours.keys() & theirs.keys())]
    if not pairs:
        raise NotComparable(
            f"{first.run_id} and {second.run_id} have no window in common", hint="run one of them again"
        )

    def difference(value: Callable[[KldWindow], float]) -> Estimate:
        return interval_of_mean([value(b) - value(a) for a, b in pairs])

    compared = one.reference is not None and other.reference is not None
    return DivergencePair(
        first=one,
        second=other,
        first_run=first.run_id,
        second_run=second.run_id,
        windows=len(pairs),
        kld=difference(lambda of: fmean(of.klds)) if compared else None,
        same_top=difference(lambda of: fmean(map(float, of.same_top))) if compared else None,
        perplexity_ratio=exp_of(difference(lambda of: -fmean(of.logprobs))),
        differences=what_differs(one_record, other_record),
    )


def _finished(folder: RunFolder) -> tuple[KldResult, RunRecord]:
    record = folder.read_record()
    result = kld_result(record.score.details) if record.score is not None else None
    if folder.effective_status(record) is not RunStatus.SUCCEEDED or result is None:
        raise NotComparable(
            f"{folder.run_id} is not a finished run of kld",
            hint="name two runs of kld that succeeded; see `list`",
        )
    return result, record


def _forbidding(one: KldResult, other: KldResult) -> tuple[Difference, ...]:
    """What must be equal, and is not."""
    names = ["text_sha256", "window", "way", "top"]
    if one.figures.windows == other.figures.windows:
        names.append("tokens_sha256")
    found = [
        Difference(name, getattr(one, name), getattr(other, name))
        for name in names
        if getattr(one, name) != getattr(other, name)
    ]
    if one.reference is not None and other.reference is not None:
        found += [
            Difference(f"the reference's {name}", ours, theirs)
            for name in ("name", "sha256", "served")
            if (ours := getattr(one.reference, name)) != (theirs := getattr(other.reference, name))
            if name != "name" or one.reference.sha256 is None
        ]
    return tuple(found)


def _windows(folder: RunFolder, result: KldResult) -> dict[int, KldWindow]:
    path = folder.path / JOURNAL_NAME
    with explained("read", path):
        windows, _ = read_windows(read_file(path))
    return {index: window for index, window in windows.items() if index < result.figures.windows}
