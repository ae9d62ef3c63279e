"""How a run's model is asked where its family in a sweep decides it, and what the record says of that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from results.store.family_styles import FamilyStyle

if TYPE_CHECKING:
    from results.records import RunRecord
    from results.store.family_styles import StyleClaim

FAMILY_STYLE = "family_style"  # the field of a record's config


def with_style(record: RunRecord, style: FamilyStyle | None) -> RunRecord:
    """The record with the decision in its config, if there is one."""
    if style is None:
        return record
    return msgspec.structs.replace(record, config={**record.config, FAMILY_STYLE: msgspec.to_builtins(style)})


def decided_alone(record: RunRecord) -> bool:
    """Whether no other model decided how this one was asked."""
    told = record.config.get(FAMILY_STYLE)
    return not isinstance(told, dict) or told.get("run_id") == record.run_id


def on_style(claim: StyleClaim, event: dict[str, Any], record: RunRecord) -> tuple[RunRecord, str]:
    """Note what the script says of its style. Returns the record, and a note for the user or "".

    Raises ResultsError.
    """
    chosen, own, observed = event["chosen"], event["own"], event["observed"]
    known = claim.known
    if known is None:
        claim.decide(
            FamilyStyle(style=chosen, because=observed, decided_by=record.model, run_id=record.run_id)
        )
        return with_style(record, claim.known), ""
    if chosen != known.style:
        return record, f"it goes on in {chosen} style; others of its family are asked in {known.style} style"
    if known.run_id == record.run_id:
        return record, ""
    alone = f" (alone it would be asked in {own} style: {observed})" if own not in {chosen, ""} else ""
    return record, f"asked in {chosen} style, as {known.decided_by} of the same family{alone}"
