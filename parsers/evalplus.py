"""EvalPlus: HumanEval+ and MBPP+."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from parsers.files import entry, no_result_file, result_files
from results.errors import ParseError
from results.records import Metric, Score
from results.stats.pass_at_k import pass_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from parsers.contract import ScriptOutput

_NAME = "*eval_results.json"
_KS = (1, 10, 100)  # those that evalplus.evaluate computes
_TITLE = re.compile(r"^\w+(\+?) \(base (?:tests|\+ extra tests)\)$")
_PRINTED = re.compile(r"^(pass@[0-9]+):\s*([0-9.]+)$")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_ROUNDING = 0.0005 + 1e-9  # it prints three digits


class EvalPlus:
    """Counts the newest `*eval_results.json` in the run's folder; else reads what `evalplus.evaluate` printed.

    pass@k is that of all tests, "base pass@k" of the original benchmark's. With --base-only, pass@k is the base
    one. A file that disagrees with what was printed is a ParseError.
    """

    name = "evalplus"

    def parse(self, output: ScriptOutput) -> Score:
        printed = _printed(output.stdout)
        expected = "pass@k of evalplus.evaluate, nor is its eval_results.json in the run's folder"
        path, found = next(result_files(output, _NAME, _fits), (None, None))
        if found is None:
            if "pass@1" not in printed:
                raise no_result_file(output, self.name, _NAME, expected)
            return _from_printed(printed)
        score = _counted(found)
        for name, metric in score.metrics.items():
            told = printed.get(name)
            if told is not None and abs(told - metric.value) > _ROUNDING:
                raise ParseError(f"{path} gives {name} {metric.value:.3f}, but {told} was printed")
        return score


def _fits(document: Any) -> bool:
    found = entry(document, "eval")
    if not isinstance(found, dict) or not found:
        return False
    return all(
        isinstance(some, list)
        and some
        and all(isinstance(one, dict) and "base_status" in one for one in some)
        for some in found.values()
    )


def _counted(found: dict[str, Any]) -> Score:
    samples: Sequence[list[dict[str, Any]]] = list(found["eval"].values())
    base = [[one["base_status"] == "pass" for one in some] for some in samples]
    extra = any(one.get("plus_status") is not None for some in samples for one in some)
    both = [[one["base_status"] == one.get("plus_status") == "pass" for one in some] for some in samples]
    passed = both if extra else base
    metrics: dict[str, Metric] = {}
    for prefix, verdicts in (("", passed), *((("base ", base),) if extra else ())):
        for k in _KS:
            metric = pass_at([(len(some), sum(some)) for some in verdicts], k)
            if metric is not None:
                metrics[f"{prefix}pass@{k}"] = metric
    completions = sum(map(len, samples))
    good = sum(map(sum, passed))
    return Score(
        score=100 * metrics["pass@1"].value,
        metrics=metrics,
        samples=len(samples),
        completions=completions,
        outcomes={"passed": good, "failed": completions - good},
        details={
            "tests": "base and extra" if extra else "base",
            "date": found.get("date"),
            "hash": found.get("hash"),
        },
    )


def _printed(stdout: str) -> dict[str, float]:
    """pass@k by name; as in a Score, "base pass@k" are those of the base tests where there are extra ones."""
    sections: dict[bool, dict[str, float]] = {}
    current: dict[str, float] | None = None
    for line in re.split(r"[\r\n]+", _COLOUR.sub("", stdout)):
        if title := _TITLE.match(line.strip()):
            current = sections[bool(title[1])] = {}
        elif current is not None and (found := _PRINTED.match(line.strip())):
            try:
                current[found[1]] = float(found[2])
            except ValueError:
                current = None
    base, plus = sections.get(False, {}), sections.get(True)
    if plus is None:
        return base
    return {**plus, **{f"base {name}": value for name, value in base.items()}}


def _from_printed(printed: dict[str, float]) -> Score:
    wrong = [name for name, value in printed.items() if not 0 <= value <= 1]
    if wrong:
        raise ParseError(f"{wrong[0]} is {printed[wrong[0]]}, which is not a fraction from 0 to 1")
    return Score(
        score=100 * printed["pass@1"],
        metrics={name: Metric(value=value) for name, value in printed.items()},
        warnings=(
            "the score has three digits and no interval, because eval_results.json is not in the run's folder",
        ),
        details={"tests": "base and extra" if "base pass@1" in printed else "base"},
    )


PARSER = EvalPlus()
