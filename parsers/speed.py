"""Our own speed benchmark: its summary event, every figure of it computed anew from `requests.jsonl`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec

from parsers.output import read_journal, said_as, summary_event
from results.errors import ParseError
from results.records import Score
from results.stats.speed import (
    REQUESTS_NAME,
    LoadFigures,
    figures,
    is_whole,
    last_attempts,
    named_figures,
    read_requests,
)

if TYPE_CHECKING:
    from parsers.contract import ScriptOutput

_DETAILS = ("new_completions", "prompts", "client_cpu")


class _Summary(msgspec.Struct):
    loads: list[LoadFigures]
    warnings: tuple[str, ...] = ()
    new_completions: int = 0
    prompts: str = ""
    client_cpu: dict[str, float] = {}


class Speed:
    """Reads the last `{"event": "summary", "loads": [...]}` line of stdout.

    There is no score. details["speed"] has the figures by name and unit, details["loads"] all that was measured. A
    figure that does not follow from `requests.jsonl` is a ParseError.
    """

    name = "speed"

    def parse(self, output: ScriptOutput) -> Score:
        event = summary_event(output, self.name, field="loads", shown='"loads": [...]')
        summary = said_as(event, _Summary)
        path = output.folder / REQUESTS_NAME
        data = read_journal(path)
        requests, unreadable = read_requests(data)
        attempts = last_attempts(requests)
        wrong, loads = [], []
        for said in summary.loads:
            of_load = attempts.get(said.load, [])
            if not of_load or not is_whole(of_load):
                wrong.append(f"{said.load.name}: {len(of_load)} of its requests are in the journal")
                continue
            computed = figures(of_load)
            wrong += [f"{said.load.name}: {what}" for what in _differences(said, computed)]
            loads.append(computed)
        if wrong or not loads:
            torn = f" ({unreadable} of its lines can't be read)" if unreadable else ""
            raise ParseError(
                f"the script's summary disagrees with {path}{torn}: "
                + ("; ".join(wrong) or "it has no loads"),
                hint="both are in the run's folder; run again with --resume to do what is missing",
            )
        return Score(
            score=None,
            completions=sum(load.completed for load in loads),
            prompt_tokens=sum(load.prompt_tokens for load in loads),
            completion_tokens=sum(load.completion_tokens for load in loads),
            generate_s=sum(load.seconds for load in loads),
            warnings=summary.warnings,
            details={
                "speed": named_figures(loads),
                "loads": msgspec.to_builtins(loads),
                **{name: getattr(summary, name) for name in _DETAILS},
            },
        )


def _differences(said: LoadFigures, computed: LoadFigures) -> list[str]:
    """Where they differ by more than rounding, such as "ttft_ms.p50 51.2 instead of 50.9"."""
    told, found = _flat(msgspec.to_builtins(said)), _flat(msgspec.to_builtins(computed))
    return [
        f"{name} {told.get(name)} instead of {found.get(name)}"
        for name in sorted(told.keys() | found.keys())
        if not _same(told.get(name), found.get(name))
    ]


def _same(told: Any, found: Any) -> bool:
    if isinstance(told, float) and isinstance(found, float):
        return math.isclose(told, found, rel_tol=1e-9, abs_tol=1e-9)
    return bool(told == found)


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{prefix}{key}.")
        else:
            found[prefix + key] = value
    return found


PARSER = Speed()
