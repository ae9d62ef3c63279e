"""bigcode-evaluation-harness."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parsers.files import entry, no_result_file, result_files
from parsers.fractions import fraction, mean
from parsers.output import json_object, listed
from results.records import Metric, Score

if TYPE_CHECKING:
    from parsers.contract import ScriptOutput

_CONFIG = (
    "model",
    "revision",
    "tasks",
    "n_samples",
    "limit",
    "temperature",
    "top_p",
    "do_sample",
    "seed",
    "prompt",
)


class BigCode:
    """Reads the newest metrics file in the run's folder (--metric_output_path); else the same JSON on stdout.

    The score is a task's pass@1, else its first metric; of several tasks, the mean, with a warning. The harness
    does not give the number of samples, and a standard error only as NVIDIA packages it.
    """

    name = "bigcode"

    def parse(self, output: ScriptOutput) -> Score:
        expected = "metrics of bigcode-evaluation-harness, as JSON with its config"
        _, found = next(result_files(output, "*.json", _fits), (None, None))
        if found is None:
            at = output.stdout.rfind("\n{\n")
            printed = json_object(output.stdout[max(at, 0) :].strip())
            if printed is None or not _fits(printed):
                raise no_result_file(output, self.name, "*.json", expected)
            found = printed
        by_task = {task: _metrics(row) for task, row in found.items() if task != "config"}
        firsts = {
            task: some.get("pass@1") or next(iter(some.values())) for task, some in by_task.items() if some
        }
        metrics = {
            name if len(by_task) == 1 else f"{task} {name}": metric
            for task, some in by_task.items()
            for name, metric in some.items()
        }
        warnings: tuple[str, ...] = ()
        if len(firsts) > 1:
            warnings = (f"the score is the mean of {listed(firsts)}",)
        config = {key: found["config"][key] for key in _CONFIG if key in found["config"]}
        results = {task: row for task, row in found.items() if task != "config"}
        score = mean(list(firsts.values())) if firsts else None
        return Score(
            score=None if score is None else 100 * score.value,
            metrics=metrics if score is None else {"score": score, **metrics},
            warnings=warnings,
            details={"results": results, "config": config},
        )


def _fits(document: Any) -> bool:
    config = entry(document, "config")
    tasks = isinstance(document, dict) and [row for task, row in document.items() if task != "config"]
    return isinstance(config, dict) and "n_samples" in config and bool(tasks)


def _metrics(row: object) -> dict[str, Metric]:
    """A task's metrics that are fractions; a few tasks' result is one bare number."""
    if not isinstance(row, dict):
        row = {"score": row}
    found = {
        name: fraction(value, row.get(f"{name}_stderr"))
        for name, value in row.items()
        if not name.endswith("_stderr")
    }
    return {name: metric for name, metric in found.items() if metric is not None}


PARSER = BigCode()
