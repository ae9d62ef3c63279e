"""Our own scripts: their summary event, checked against `completions.jsonl`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from parsers.output import said_as, summary_event
from parsers.tally import Tally, read_tally
from results.errors import ParseError
from results.records import Metric, Outcome, Score
from results.stats.scoring import figures_of, score_of
from results.store.verdicts import read_scored

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from parsers.contract import ScriptOutput
    from results.scores.metric_scoring import Scoring

_ROUNDING_PERCENT = 1e-6
_ROUNDING_USD = 1e-9
_FIELDS = set(Score.__struct_fields__) - {"details"}
_ANSWERED = {Outcome.PASSED, Outcome.FAILED}
_OTHER = {"event", "benchmark"}  # said elsewhere in the record


class Summary:
    """Reads the last `{"event": "summary", ...}` line of stdout.

    Score, metrics, counts and outcomes are those counted anew from `completions.jsonl`; where the summary
    says something else, that is a ParseError. What a Score has no field for goes into its details.
    """

    name = "summary"

    def parse(self, output: ScriptOutput) -> Score:
        said = _said(summary_event(output, self.name))
        path = output.folder / "completions.jsonl"
        try:
            tally = read_tally(path)
            figures, answered = _figures(path, tally, said.scoring)
        except OSError as error:
            raise ParseError(
                f"cannot read {path}: {error.strerror}", hint="the score is computed from this file"
            ) from error
        return _checked(said, tally, figures, answered, str(path))


def _said(summary: dict[str, Any]) -> Score:
    known = {key: value for key, value in summary.items() if key in _FIELDS}
    details = {key: value for key, value in summary.items() if key not in _FIELDS | _OTHER}
    return said_as(known | {"details": details}, Score)


def _figures(path: Path, tally: Tally, scoring: Scoring | None) -> tuple[dict[str, Metric], float | None]:
    """What must be among the metrics, the score first, and the score of finished answers. Empty without completions."""
    scored = read_scored(path)[0] if scoring is not None else []
    figures = figures_of(scored, scoring) if scoring is not None else {}
    if scoring is not None and scoring.tasks:
        return figures, score_of([each for each in scored if each.outcome in _ANSWERED], scoring)
    passed = tally.pass_at(1)
    return ({"pass@1": passed, **figures} if passed is not None else {}), tally.score_answered


def _checked(
    said: Score, tally: Tally, figures: Mapping[str, Metric], answered: float | None, where: str
) -> Score:
    main = next(iter(figures.values()), None)
    if main is None:
        raise ParseError(f"{where} has no completions", hint="see script.log for what the script did")
    wrong = []
    metrics: dict[str, Metric] = {}
    for name, metric in {**figures, **said.metrics}.items():
        of = re.fullmatch(r"pass@([1-9]\d{0,5})(?: (.+=.*))?", name, re.DOTALL)
        counted = tally.pass_at(int(of[1]), of[2] or "") if of else figures.get(name, metric)
        if counted is None:
            wrong.append(f"{name} where a sample has fewer completions than that, or no sample has the tag")
        elif name in said.metrics and _differ(100 * said.metrics[name].value, 100 * counted.value):
            wrong.append(f"{name} {said.metrics[name].value} instead of {counted.value}")
        else:
            metrics[name] = counted
    score = 100 * main.value
    counts = {
        "samples": len(tally.by_sample),
        "completions": tally.completions,
        "outcomes": tally.outcomes,
        "near_time_limit": tally.near_time_limit,
        "cached": tally.cached,
    }
    if said.score is None or _differ(said.score, score):
        wrong.append(f"score {said.score} instead of {score}")
    for name, count in counts.items():
        told = getattr(said, name)
        if name == "outcomes":
            told = dict.fromkeys(tally.outcomes, 0) | told if told else told
        if told not in (None, {}) and told != count:
            wrong.append(f"{name} {told} instead of {count}")
    if said.cost_usd is not None and (
        tally.cost_usd is None or abs(said.cost_usd - tally.cost_usd) > _ROUNDING_USD
    ):
        wrong.append(f"cost_usd {said.cost_usd} instead of {tally.cost_usd}")
    if wrong:
        torn = f" ({tally.unreadable} of its lines can't be read)" if tally.unreadable else ""
        raise ParseError(
            f"the script's summary disagrees with {where}{torn}: " + "; ".join(wrong),
            hint="both are in the run's folder; run again with --resume to do what is missing",
        )
    changed = {"score": score, "metrics": metrics, "score_answered": answered, **counts}
    changed["cost_usd"] = said.cost_usd if said.cost_usd is not None else tally.cost_usd
    return msgspec.structs.replace(said, **changed)


def _differ(told: float, counted: float) -> bool:
    return abs(told - counted) > _ROUNDING_PERCENT


PARSER = Summary()
