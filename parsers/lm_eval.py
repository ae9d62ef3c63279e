"""EleutherAI's lm-evaluation-harness."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parsers.files import entry, result_file
from parsers.fractions import fraction, mean
from parsers.lm_eval_likelihoods import require_likelihoods
from parsers.output import count, listed
from results.records import Metric, Score

if TYPE_CHECKING:
    from parsers.contract import ScriptOutput

# Fractions of which less is better, where the file doesn't say so itself, as those of older versions.
_LOSSES = {"bits_per_byte", "brier_score", "wer", "cer", "ter", "mse", "mae", "bypass"}
_KEPT = ("versions", "n-shot", "lm_eval_version", "git_hash", "task_hashes")


class LmEval:
    """Reads the newest results of `lm_eval --output_path {output_dir}`, or of a file there, such as gsm8k.json.

    The score is the first metric of the task or group; of several, the mean of their first metrics, with a
    warning. Metrics are named "task metric", or "task metric,filter" where there is a filter. What is no
    fraction, such as a perplexity, is in details["results"]. Results that don't come from the model, because the
    server gives no log-probabilities of prompts, are a ParseError.
    """

    name = "lm_eval"

    def parse(self, output: ScriptOutput) -> Score:
        expected = "results of lm_eval (--output_path {output_dir})"
        path, found = result_file(output, self.name, "*.json", _fits, expected)
        warnings = require_likelihoods(path, found, output.prompt_logprobs)
        results = found["results"]
        by_task = {task: _metrics(found, task) for task in results}
        # A group's subtasks are counted in the group's own figures where it has some.
        within = {
            subtask
            for group, subtasks in _groups(found).items()
            if by_task.get(group)
            for subtask in subtasks
        }
        firsts = {
            task: next(iter(some.values())) for task, some in by_task.items() if some and task not in within
        }
        metrics = {
            f"{task} {name}": metric for task, some in by_task.items() for name, metric in some.items()
        }
        samples = [some for task in results if (some := _samples(found, task)) is not None]
        if len(firsts) > 1:
            warnings = (f"the score is the mean of the first metrics of {listed(firsts)}", *warnings)
        score = mean(list(firsts.values())) if firsts else None
        return Score(
            score=None if score is None else 100 * score.value,
            metrics=metrics if score is None else {"score": score, **metrics},
            samples=sum(samples) or None,
            warnings=warnings,
            details={"results": results, **{key: found[key] for key in _KEPT if key in found}},
        )


def _fits(document: Any) -> bool:
    """Any name may be lm-eval's, as --output_path has it, so it is known by its rows: "metric,filter"."""
    results = entry(document, "results")
    return (
        isinstance(results, dict)
        and all(isinstance(row, dict) for row in results.values())
        and any("," in key for row in results.values() for key in row)
    )


def _groups(found: dict[str, Any]) -> dict[str, list[str]]:
    groups = found.get("group_subtasks")
    if not isinstance(groups, dict):
        return {}
    return {
        group: [subtask for subtask in subtasks if isinstance(subtask, str)]
        for group, subtasks in groups.items()
        if isinstance(subtasks, list)
    }


def _metrics(found: dict[str, Any], task: str) -> dict[str, Metric]:
    """The task's metrics that are fractions of which more is better, in the file's order."""
    row = found["results"][task]
    metrics: dict[str, Metric] = {}
    for key, value in row.items():
        name, comma, chosen = key.partition(",")
        more = entry(found, "higher_is_better", task, name)
        if not comma or name.endswith("_stderr") or more is False or (more is None and name in _LOSSES):
            continue
        metric = fraction(value, row.get(f"{name}_stderr,{chosen}"), _samples(found, task))
        if metric is not None:
            metrics[name if chosen == "none" else key] = metric
    return metrics


def _samples(found: dict[str, Any], task: str) -> int | None:
    return count(entry(found, "n-samples", task, "effective")) or None


PARSER = LmEval()
