"""`recommend --dry-run`: what would be measured, and what it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from choosing.recommendation.decision import samples_planned
from results.json_text import encode_indented
from results.views.terminal import print_table, say
from sweeps.preflight.report import remarks

if TYPE_CHECKING:
    from choosing.recommendation.candidates import Candidates
    from choosing.recommendation.constraints import Question
    from choosing.recommendation.dry_run import PlannedWork

HEADER = ("model", "KV cache", "bits", "GiB", "fits")
_GIB = 1 << 30


def print_plan(question: Question, candidates: Candidates, work: PlannedWork | None) -> None:
    """work: None if nothing fits."""
    constraints = question.constraints
    lines = [
        (
            each.label,
            each.kv_type,
            f"{each.bits_per_weight:.1f}" if each.bits_per_weight else "",
            f"{each.size_bytes / _GIB:.2f}",
            "yes",
        )
        for each in candidates.fitting
    ]
    lines += [(each.label, each.kv_type, "", "", f"no: {each.why}") for each in candidates.left_out]
    print_table(HEADER, lines, numbers={"bits", "GiB"}, optional=("bits", "GiB"))
    if work is None:
        say("nothing fits")
        return
    count = len(candidates.fitting)
    say(f"speed: {runs_text(count)} with {constraints.depth:,} tokens in the context")
    if count > 1 and question.kld is not None:
        say(f"fidelity: {runs_text(count)} of kld against {question.kld['kld_reference']}")
    if count > 1:
        names = ", ".join(question.benchmarks)
        planned = f"{work.samples:,}" if work.samples is not None else "all"
        say(f"quality: {runs_text(count * len(question.benchmarks))} on {planned} samples each of {names}")
        say(f"  {samples_planned(constraints, count)}")
    for level, text in remarks(work.preflight):
        if level != "note":
            say(text, bold=level == "total")


def plan_json(question: Question, candidates: Candidates, work: PlannedWork | None) -> bytes:
    """The same as JSON. expected_s: of the runs whose time is known; unknown: how many have none."""
    found = work.preflight if work is not None else None
    return encode_indented(
        {
            "constraints": question.constraints.facts(),
            "benchmarks": [*question.benchmarks],
            "fitting": [
                {
                    "label": each.label,
                    "path": str(each.model.path),
                    "kv_type": each.kv_type,
                    "size_bytes": each.size_bytes,
                    "bits_per_weight": each.bits_per_weight,
                }
                for each in candidates.fitting
            ],
            "left_out": [
                {"label": each.label, "path": each.path, "kv_type": each.kv_type, "why": each.why}
                for each in candidates.left_out
            ],
            "samples": work.samples if work is not None else None,
            "runs": len(found.needs) if found is not None else 0,
            "finished_runs": sum(need.done for need in found.needs) if found is not None else 0,
            "expected_s": found.expected_s if found is not None else None,
            "unknown": found.unknown if found is not None else 0,
        }
    )


def runs_text(count: int) -> str:
    """Such as "1 run" or "4 runs"."""
    return f"{count} run{'s' * (count != 1)}"
