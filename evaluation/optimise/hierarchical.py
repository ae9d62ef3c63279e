"""hierarchical_reflective: mistakes are grouped by their cause; each large group gets an edit of the instruction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evaluation.optimise.adapter import UNKNOWN
from evaluation.optimise.optimiser import Optimiser
from evaluation.optimise.parameters import Hierarchical
from evaluation.optimise.reflecting import (
    cause_edit_request,
    causes_request,
    groups_request,
    instructions_in,
    numbered_lines,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Record = Mapping[str, str]


class HierarchicalReflection(Optimiser[Hierarchical]):
    """Causes that the benchmark's own checks name are taken as they are; the reflector is asked for the others."""

    skip_perfect = True
    _groups: list[tuple[str, list[Record]]] | None = None

    def plan(self) -> list[str]:
        self._groups = None
        return super().plan() * self.parameters.max_causes

    def propose(self, current: str, records: Sequence[Record]) -> str | None:
        if self._groups is None:
            self._groups = self._grouped([record for record in records if "Cause" in record])
        if not self._groups:
            return None
        cause, failures = self._groups.pop(0)
        shown = failures[: self.parameters.batch_size]
        return next(
            iter(instructions_in(self.ledger.reflect(cause_edit_request(current, cause, shown)))), None
        )

    def _grouped(self, failures: list[Record]) -> list[tuple[str, list[Record]]]:
        """The largest groups first; of equal ones, that whose first failure came first."""
        causes = [record["Cause"] for record in failures]
        unknown = [place for place, cause in enumerate(causes) if cause == UNKNOWN]
        size = self.parameters.batch_size
        for begin in range(0, len(unknown), size):
            batch = unknown[begin : begin + size]
            named = numbered_lines(
                self.ledger.reflect(causes_request([failures[place] for place in batch])), len(batch)
            )
            for number, place in enumerate(batch, 1):
                causes[place] = named.get(number, UNKNOWN)
        kinds = list(dict.fromkeys(causes))
        if unknown and len(kinds) > self.parameters.max_causes:
            named = numbered_lines(
                self.ledger.reflect(groups_request(kinds, self.parameters.max_causes)), len(kinds)
            )
            names = {kind: named.get(number, kind) for number, kind in enumerate(kinds, 1)}
            causes = [names[cause] for cause in causes]
        groups: dict[str, tuple[str, list[Record]]] = {}
        for cause, record in zip(causes, failures, strict=True):
            groups.setdefault(cause.casefold().strip(" ."), (cause, []))[1].append(record)
        ranked = sorted(groups.values(), key=lambda group: -len(group[1]))
        return ranked[: self.parameters.max_causes]
