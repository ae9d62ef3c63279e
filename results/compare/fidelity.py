"""What runs of kld say of models: `divergence_of` answers "how far is model M from reference R?"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from results.records import RunStatus
from results.stats.divergence import FULL_PRECISION, KldResult, kld_result

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from results.records import RunRecord


@dataclass(frozen=True, kw_only=True)
class KnownDivergence:
    """One finished run of kld that compared a model with a reference. Its figures are in `result`.

    server_args: the server's own options, such as KV cache types, whose effect the figures include.
    """

    run_id: str
    timestamp: str
    model: str
    model_sha256: str | None
    server_args: tuple[str, ...] = ()
    result: KldResult

    @property
    def mean(self) -> float:
        """The mean KL divergence in nats; see `result.is_bound`."""
        found = self.result.figures.mean_kld
        return found.value if found is not None else 0.0

    @property
    def reference_sha256(self) -> str | None:
        return self.result.reference.sha256 if self.result.reference is not None else None

    @property
    def measured_as(self) -> tuple[object, ...]:
        """What must be equal before two divergences are compared: the reference and how it was served, text, windows,
        K and way.
        """
        reference, of = self.result.reference, self.result
        served = tuple(
            sorted((name, str(value)) for name, value in (reference.served if reference else {}).items())
        )
        return (self.reference_sha256, served, of.text_sha256, of.tokens_sha256, of.window, of.top, of.way)


def fidelity_of(record: RunRecord) -> KldResult | None:
    """What a run of kld measured; None for other runs."""
    return kld_result(record.score.details) if record.score is not None else None


def mean_divergence(record: RunRecord) -> float | None:
    """Of a run of kld that compared with a reference, in nats."""
    result = fidelity_of(record)
    found = result.figures.mean_kld if result is not None else None
    return found.value if found is not None else None


def known_divergences(records: Iterable[RunRecord]) -> list[KnownDivergence]:
    """Of all finished runs that compared with a reference, the newest first. Archived ones are left out."""
    found = []
    for record in records:
        if record.status is not RunStatus.SUCCEEDED or record.remarks.archived:
            continue
        result = fidelity_of(record)
        if result is None or result.reference is None or result.figures.mean_kld is None:
            continue
        model = record.model_identity
        found.append(
            KnownDivergence(
                run_id=record.run_id,
                timestamp=record.timestamp,
                model=record.model,
                model_sha256=model.sha256 if model is not None else None,
                server_args=tuple(map(str, record.config.get("server_args") or ())),
                result=result,
            )
        )
    return sorted(found, key=lambda each: (each.timestamp, each.run_id), reverse=True)


def divergence_of(
    records: Iterable[RunRecord],
    model_sha256: str,
    reference_sha256: str | None = None,
    *,
    server_args: Sequence[str] | None = None,
    like: KnownDivergence | None = None,
) -> KnownDivergence | None:
    """How far the model is from the reference, by the newest run that says so; None if none does.

    reference_sha256: of the reference's content; None: any reference, one in full precision first. server_args: only if
    it was served with these options; None: with any. like: only if it was measured as that one was, so that both may be
    compared.
    """
    found = [
        each
        for each in known_divergences(records)
        if each.model_sha256 == model_sha256
        and reference_sha256 in {None, each.reference_sha256}
        and (server_args is None or tuple(server_args) == each.server_args)
        and (like is None or each.measured_as == like.measured_as)
    ]
    full = [each for each in found if _is_full(each)]
    return next(iter([*full, *found]), None)


def _is_full(of: KnownDivergence) -> bool:
    return of.result.reference is not None and of.result.reference.quantization in FULL_PRECISION
