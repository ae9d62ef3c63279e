"""Before a sweep starts on other machines: its units of work, and what the engine found."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engines.server_group import ToDo
from engines.unit import Unit
from results.errors import UsageError
from results.plain_text import plain
from results.views.terminal import print_table, say, size_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engines.contract import Engine, Finding
    from sweeps.plan import Plan
    from sweeps.preflight.checks import Preflight

HEADER = ("unit", "runs", "first run", "GPUs", "GPU memory", "memory")


@dataclass(frozen=True, kw_only=True)
class EngineCheck:
    """engine: its name. units: what it would get, in order."""

    engine: str
    units: tuple[Unit, ...]
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        return not any(finding.is_error for finding in self.findings)

    def require_ok(self) -> None:
        """Raise UsageError if nothing can start."""
        for finding in self.findings:
            if finding.is_error:
                raise UsageError(finding_text(finding), hint=finding.hint)


def check_engine(engine: Engine, plan: Plan, report: Preflight) -> EngineCheck:
    """Ask the engine. report: which runs are done already. Raises BenchError."""
    units = units_of(plan, report)
    return EngineCheck(engine=engine.name, units=units, findings=tuple(engine.check(units)))


def units_of(plan: Plan, report: Preflight | None = None) -> tuple[Unit, ...]:
    """What an engine would get, for checks before the sweep has a folder."""
    done = {need.index for need in report.needs if need.done} if report is not None else set()
    able = [run for run in plan.runs if run.spec is not None and run.index not in done]
    return tuple(
        Unit(
            unit_id=group,
            sweep_id="",
            nonce="",
            may_reduce=False,
            total=len(plan.runs),
            todo=tuple(ToDo(run, run.spec) for run in runs),
        )
        for group, runs in itertools.groupby(able, key=lambda run: run.group)
    )


def finding_text(finding: Finding) -> str:
    """In one line, whatever a machine is called and says."""
    return plain(f"{finding.place}: {finding.message}" if finding.place else finding.message)


def print_units(check: EngineCheck) -> None:
    """The units, and what the engine found, on stdout."""
    say(f"on {check.engine}: {len(check.units)} units of work, each on one server", bold=True)
    rows = [
        (
            str(number),
            str(len(unit.todo)),
            unit.todo[0].planned.label,
            str(unit.needs.gpus) if unit.needs.gpus else "-",
            size_text(unit.needs.gpu_memory_bytes) if unit.needs.gpu_memory_bytes else "-",
            size_text(unit.needs.memory_bytes) if unit.needs.memory_bytes else "?",
        )
        for number, unit in enumerate(check.units, 1)
    ]
    print_table(HEADER, rows, numbers=set(HEADER) - {"first run"})
    print_engine_findings(check.findings)


def print_engine_findings(findings: Sequence[Finding], *, err: bool = False) -> None:
    """A line each, with what to try."""
    for finding in findings:
        style: dict[str, Any] = {"fg": "red", "bold": True} if finding.is_error else {"fg": "yellow"}
        hint = f" ({finding.hint})" if finding.hint else ""
        say(f"{'error' if finding.is_error else 'warning'}: {finding_text(finding)}{hint}", err=err, **style)


def engine_json(check: EngineCheck) -> dict[str, Any]:
    """For other programs."""
    return {
        "name": check.engine,
        "units": [
            {
                "unit": unit.unit_id,
                "runs": [todo.planned.label for todo in unit.todo],
                "gpus": unit.needs.gpus,
                "gpu_memory_bytes": unit.needs.gpu_memory_bytes,
                "memory_bytes": unit.needs.memory_bytes,
            }
            for unit in check.units
        ],
        "findings": findings_json(check.findings),
    }


def findings_json(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    return [
        {
            "level": "error" if finding.is_error else "warning",
            "place": finding.place,
            "text": finding.message,
            "hint": finding.hint,
        }
        for finding in findings
    ]
