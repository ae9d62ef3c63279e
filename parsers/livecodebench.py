"""LiveCodeBench's own runner (`python -m lcb_runner.runner.main --evaluate`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parsers.files import read_json, result_file
from parsers.output import number
from results.errors import ParseError
from results.records import Metric, Score
from results.stats.pass_at_k import pass_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from parsers.contract import ScriptOutput

_KS = (1, 5, 10)
_GROUPS = ("difficulty", "platform")
_ROUNDING = 1e-9
_SUFFIX = "_eval_all.json"


class LiveCodeBench:
    """Counts the newest `*_eval_all.json` below the run's folder.

    pass@k is that of all problems; "easy pass@1" and the like are those of a difficulty or platform. Where the
    `*_eval.json` beside it gives another pass@1, that is a ParseError.
    """

    name = "livecodebench"

    def parse(self, output: ScriptOutput) -> Score:
        expected = "*_eval_all.json of LiveCodeBench's runner (--evaluate) below the run's folder"
        path, problems = result_file(output, self.name, f"*{_SUFFIX}", _fits, expected)
        metrics = _metrics(problems)
        pass_at_1 = metrics["pass@1"].value
        summary = path.with_name(path.name.removesuffix(_SUFFIX) + "_eval.json")
        said = _said(read_json(summary)) if summary.is_file() else None
        if said is not None and abs(said - pass_at_1) > _ROUNDING:
            raise ParseError(
                f"{summary} says pass@1 {said}, {path} gives {pass_at_1}",
                hint="they are from different evaluations; delete the older one",
            )
        good = sum(problem["graded_list"].count(True) for problem in problems)
        completions = sum(len(problem["graded_list"]) for problem in problems)
        dates = sorted(date for problem in problems if isinstance(date := problem.get("contest_date"), str))
        return Score(
            score=100 * pass_at_1,
            metrics=metrics,
            samples=len(problems),
            completions=completions,
            outcomes={"passed": good, "failed": completions - good},
            details={"first_contest": dates[0], "last_contest": dates[-1]} if dates else {},
        )


def _fits(document: Any) -> bool:
    return isinstance(document, list) and bool(document) and all(map(_is_problem, document))


def _is_problem(problem: object) -> bool:
    graded = problem.get("graded_list") if isinstance(problem, dict) else None
    return isinstance(graded, list) and bool(graded) and all(isinstance(passed, bool) for passed in graded)


def _metrics(problems: Sequence[dict[str, Any]]) -> dict[str, Metric]:
    metrics = {f"pass@{k}": metric for k in _KS if (metric := pass_at(_counts(problems), k)) is not None}
    for group in _GROUPS:
        by_name: dict[str, list[dict[str, Any]]] = {}
        for problem in problems:
            if isinstance(name := problem.get(group), str):
                by_name.setdefault(name, []).append(problem)
        for name, some in by_name.items():
            metric = pass_at(_counts(some), 1)
            if metric is not None:
                metrics[f"{name} pass@1"] = metric
    return metrics


def _counts(problems: Sequence[dict[str, Any]]) -> list[tuple[int, int]]:
    return [(len(problem["graded_list"]), problem["graded_list"].count(True)) for problem in problems]


def _said(evaluation: object) -> float | None:
    """pass@1 of `*_eval.json`, which is [metrics, results by test, metadata]."""
    first = evaluation[0] if isinstance(evaluation, list) and evaluation else None
    return number(first.get("pass@1")) if isinstance(first, dict) else None


PARSER = LiveCodeBench()
