"""Our own benchmark of fidelity: its summary event, every figure of it computed anew from `kld.jsonl`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec

from parsers.output import read_journal, said_as, summary_event
from results.errors import ParseError
from results.records import Score
from results.stats.divergence import JOURNAL_NAME, KldFigures, KldResult, figures, read_windows

if TYPE_CHECKING:
    from parsers.contract import ScriptOutput


class _Summary(msgspec.Struct):
    kld: KldResult
    warnings: tuple[str, ...] = ()
    new_completions: int = 0
    generate_s: float | None = None


class Kld:
    """Reads the last `{"event": "summary", "kld": {...}}` line of stdout.

    There is no score. details["kld"] is a `KldResult`. A figure that does not follow from the first windows of
    `kld.jsonl` is a ParseError.
    """

    name = "kld"

    def parse(self, output: ScriptOutput) -> Score:
        event = summary_event(output, self.name, field="kld", shown='"kld": {...}')
        summary = said_as(event, _Summary)
        path = output.folder / JOURNAL_NAME
        data = read_journal(path)
        windows, unreadable = read_windows(data)
        said = summary.kld.figures
        found = [windows[index] for index in range(said.windows) if index in windows]
        torn = f" ({unreadable} of its lines can't be read)" if unreadable else ""
        if not found or len(found) != said.windows:
            raise ParseError(
                f"{path} has {len(found)} of the {said.windows} windows of the script's summary{torn}",
                hint="run again with --resume to do what is missing",
            )
        try:
            computed = figures(found)
        except (ValueError, OverflowError) as error:
            raise ParseError(f"{path} holds windows that can't be compared: {error}") from error
        if wrong := _differences(said, computed):
            raise ParseError(
                f"the script's summary disagrees with {path}{torn}: {'; '.join(wrong)}",
                hint="both are in the run's folder; run again with --resume to do what is missing",
            )
        return Score(
            score=None,
            samples=computed.windows,
            completion_tokens=computed.tokens,
            generate_s=summary.generate_s,
            warnings=summary.warnings,
            details={
                "kld": msgspec.to_builtins(msgspec.structs.replace(summary.kld, figures=computed)),
                "new_completions": summary.new_completions,
            },
        )


def _differences(said: KldFigures, computed: KldFigures) -> list[str]:
    """Where they differ by more than rounding, such as "mean_kld.value 0.02 instead of 0.03"."""
    told, found = _flat(msgspec.to_builtins(said)), _flat(msgspec.to_builtins(computed))
    return [
        f"{name} {told.get(name)} instead of {found.get(name)}"
        for name in sorted(told.keys() | found.keys())
        if not _same(told.get(name), found.get(name))
    ]


def _same(told: Any, found: Any) -> bool:
    if isinstance(told, int | float) and isinstance(found, int | float):
        return math.isclose(told, found, rel_tol=1e-6, abs_tol=1e-9)
    return bool(told == found)


def _flat(tree: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            found |= {f"{key}.{name}": of for name, of in value.items()}
        else:
            found[key] = value
    return found


PARSER = Kld()
