"""How far each candidate's predictions are from a reference's: measured now, or by earlier runs of `kld`.

It orders the candidates, and is shown. What is recommended doesn't rest on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from choosing.recommendation.candidates import kld_asked
from results.compare.fidelity import divergence_of, known_divergences
from results.store.run_folder import all_records

if TYPE_CHECKING:
    from collections.abc import Sequence

    from choosing.asked_runs import RunSource
    from choosing.recommendation.constraints import Question
    from choosing.recommendation.measured_speed import Measured
    from results.compare.fidelity import KnownDivergence
    from results.records import RunRecord


@dataclass(frozen=True, kw_only=True)
class Fidelity:
    """One candidate's. mean_nats: None if not known. said: such as "KL divergence 0.0123 nats from big-F16"."""

    mean_nats: float | None = None
    said: str = ""
    run_id: str = ""


UNKNOWN = Fidelity()


def fidelities(question: Question, measured: Sequence[Measured], source: RunSource) -> list[Fidelity]:
    """Of each candidate, all by the same reference, text and way; unknown for those of which there is no such run."""
    if question.kld is not None:
        kld = question.kld
        answers = source.ask([kld_asked(each.candidate, question, kld) for each in measured])
        records = [[run[1] for run in found.runs] for found in answers]
    else:
        there = [
            record
            for _, record in all_records(source.results_dir, warn=source.display.say)
            if record.benchmark == "kld"
        ]
        records = [[record for record in there if _same_server(record, each)] for each in measured]
    found: list[Fidelity] = []
    first: KnownDivergence | None = None
    for each, own in zip(measured, records, strict=True):
        sha256 = each.record.model_identity.sha256 if each.record.model_identity is not None else None
        known = divergence_of(own, sha256, like=first) if sha256 and known_divergences(own) else None
        first = first or known
        found.append(_told(known) if known is not None else UNKNOWN)
    return found


def nearest_first(measured: Sequence[Measured], known: Sequence[Fidelity]) -> list[int]:
    """Positions: by divergence where it is known, and the others behind, in their order, which is heaviest first."""

    def cost(position: int) -> tuple[bool, float, int]:
        mean = known[position].mean_nats
        return (mean is None, mean or 0.0, position)

    return sorted(range(len(measured)), key=cost)


def _told(known: KnownDivergence) -> Fidelity:
    reference = known.result.reference
    name = reference.name if reference is not None else "?"
    what = reference.measures if reference is not None else "KL divergence"
    least = "at least " if known.result.is_bound else ""
    return Fidelity(
        mean_nats=known.mean,
        said=f"{what}: {least}{known.mean:.4f} nats from {name}",
        run_id=known.run_id,
    )


def _same_server(record: RunRecord, measured: Measured) -> bool:
    """Whether it was served with the same options, such as the type of the KV cache."""
    return list(record.config.get("server_args") or ()) == list(
        measured.record.config.get("server_args") or ()
    )
