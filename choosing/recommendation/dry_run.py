"""The plan of a recommendation, before anything starts: which runs, how many samples, how long."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from choosing.recommendation.answered import planned_samples
from choosing.recommendation.candidates import benchmark_asked, kld_asked, speed_asked
from results.json_text import encode_indented
from sweeps.manifest.problems import COMMAND_LINE
from sweeps.manifest.reader import parse_manifest
from sweeps.plan import plan_runs
from sweeps.preflight.checks import preflight
from sweeps.reuse import find_reused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from choosing.recommendation.candidates import Candidate, Candidates
    from choosing.recommendation.constraints import Question
    from sweeps.plan import Plan
    from sweeps.preflight.checks import Preflight


@dataclass(frozen=True, kw_only=True)
class PlannedWork:
    """samples: of all benchmarks, for each candidate; None if one's number isn't known before it has run."""

    preflight: Preflight
    samples: int | None


def planned_work(question: Question, candidates: Candidates, results_dir: Path) -> PlannedWork:
    """All runs that it may take. Starts nothing. Raises UsageError for impossible settings."""
    plan = _plan(question, candidates.fitting)
    reused = find_reused(plan, results_dir, race=False, lossy=True, warn=lambda _: None)
    instead = {each.planned.index: each.record.run_id for each in reused}
    samples = [planned_samples(name, asked) for name, asked in question.benchmarks.items()]
    known = [each for each in samples if each is not None]
    return PlannedWork(
        preflight=preflight(plan, results_dir=results_dir, reused=instead),
        samples=sum(known) if len(known) == len(samples) else None,
    )


def require_possible(question: Question, candidates: Candidates) -> None:
    """Raise UsageError for settings or data that can't work, before anything starts."""
    _plan(question, candidates.fitting[:1])


def _plan(question: Question, fitting: Sequence[Candidate]) -> Plan:
    asked = [speed_asked(each, question) for each in fitting]
    if question.kld is not None:
        asked += [kld_asked(each, question, question.kld) for each in fitting]
    asked += [benchmark_asked(each, question, name) for each in fitting for name in question.benchmarks]
    text = encode_indented({"runs": [each.written() for each in asked]}).decode()
    return plan_runs(parse_manifest(text, form="json", name=COMMAND_LINE, folder=Path.cwd()))
