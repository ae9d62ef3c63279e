"""Inspect (inspect-ai): its log, as JSON or as .eval, which is a zip archive of JSON."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from parsers.archive import UnreadableMember, read_member
from parsers.files import decoded, entry, read_json, result_file, result_files
from parsers.inspect_metrics import Scored
from parsers.output import count, listed
from results.errors import ParseError
from results.records import Outcome, Score

if TYPE_CHECKING:
    from pathlib import Path

    from parsers.contract import ScriptOutput
    from results.records import Metric

_LONGEST_MESSAGE = 2000  # characters
# What the server had in its cache is not in the first.
_PROMPT_TOKENS = ("input_tokens", "input_tokens_cache_read", "input_tokens_cache_write")


class InspectLog:
    """Reads the newest log of `inspect eval --log-dir {output_dir}`, in either --log-format.

    The score is the headline metric that the log names, else the first metric; None where that is no fraction.
    Metrics are named "scorer metric", with the reducer of the epochs where there are several. `samples` are those
    that were scored. What was not scored or not completed is lost, and a warning. A log that does not end with
    success, and one in which nothing was scored, is a ParseError.
    """

    name = "inspect"

    def parse(self, output: ScriptOutput) -> Score:
        expected = "log of inspect eval (--log-dir {output_dir})"
        path, log = result_file(output, self.name, "*", _fits, expected, read=_read)
        _require_success(path, log)
        task = entry(log, "eval", "task")
        results = log["results"]
        epochs = max(1, count(entry(log, "eval", "config", "epochs")) or 1)
        total, completed = count(results.get("total_samples")), count(results.get("completed_samples"))
        scores = [Scored.of(score, total, epochs) for score in results["scores"] if isinstance(score, dict)]
        metrics = _named(scores)
        first, named = _headline(results, scores)
        if first is not None and first.scored == 0:
            raise ParseError(
                f"{path}: none of the {first.asked} samples was scored by {first.name}",
                hint="inspect view shows why, such as a judging model that answered in another format",
            )
        score = first.metrics.get(named) if first is not None else None
        warnings = []
        if first is not None and score is None:
            warnings.append(f"there is no score, because {first.name} {named} is not a fraction from 0 to 1")
        not_completed = max(0, total - completed) if total is not None and completed is not None else 0
        if not_completed:
            warnings.append(f"{not_completed} of {total} samples were not completed")
        warnings += [
            f"{scored.name}: only {scored.scored} of {scored.asked} samples were scored; the others do not count"
            for scored in {scored.name: scored for scored in scores if scored.unscored}.values()
        ]
        if log.get("invalidated") is True:
            warnings.append("the log was invalidated")
        if others := _other_tasks(output, path) - {str(task)}:
            warnings.append(f"the score is that of {task}, the last task; not of {listed(sorted(others))}")
        lost = not_completed + (first.lost if first is not None else 0)
        lost = lost if total is None else min(lost, total)
        usage = entry(log, "stats", "model_usage")
        usage = usage if isinstance(usage, dict) else {}
        return Score(
            score=None if score is None else 100 * score.value,
            metrics=metrics if score is None else {"score": score, **metrics},
            samples=_samples(first, total, completed, epochs),
            completions=total,
            outcomes={Outcome.INFRASTRUCTURE_ERROR: lost} if lost > 0 else {},
            prompt_tokens=_tokens(usage, *_PROMPT_TOKENS),
            completion_tokens=_tokens(usage, "output_tokens"),
            warnings=tuple(warnings),
            details={
                "task": task,
                "epochs": epochs,
                "packages": entry(log, "eval", "packages"),
                "scores": results.get("scores"),
            },
        )


def _samples(first: Scored | None, total: int | None, completed: int | None, epochs: int) -> int | None:
    """How many were scored; where the log doesn't say that, those that were completed."""
    if (first is None or first.scored is None) and epochs == 1 and completed is not None:
        return completed
    return first.samples if first is not None else None if total is None else total // epochs


def _other_tasks(output: ScriptOutput, newest: Path) -> set[str]:
    """Whose logs lie there too: of `inspect eval a.py b.py` each has its own."""

    def read(path: Path) -> Any:
        try:
            return None if path == newest else _read(path)
        except ParseError:  # it is not the one that counts
            return None

    return {str(entry(log, "eval", "task")) for _, log in result_files(output, "*", _fits, read=read)}


def _read(path: Path) -> Any:
    """The log without its samples; None where the file is none. Raises ParseError."""
    if path.suffix == ".json":
        return read_json(path)
    if path.suffix != ".eval":
        return None
    log = _member(path, "header.json")
    if log is None:  # of an evaluation that was cut there is the beginning
        begun = _member(path, "_journal/start.json")
        log = {**begun, "status": "started"} if isinstance(begun, dict) else None
    return log


def _member(path: Path, name: str) -> Any:
    try:
        text = read_member(path, name)
    except UnreadableMember as error:
        raise ParseError(
            f"{path}: {error}",
            hint="try inspect eval --log-format json",
        ) from error
    except OSError as error:
        raise ParseError(f"cannot read {path}: {error.strerror}", hint="it has the score") from error
    return None if text is None else decoded(text)


def _fits(document: Any) -> bool:
    return isinstance(entry(document, "eval"), dict) and isinstance(entry(document, "status"), str)


def _require_success(path: Path, log: dict[str, Any]) -> None:
    if log["status"] == "success" and isinstance(entry(log, "results", "scores"), list):
        return
    message = entry(log, "error", "message")
    raise ParseError(
        f"{path}: the evaluation has no results; its status is {log['status']}"
        + (f": {str(message)[:_LONGEST_MESSAGE]}" if message else ""),
        hint="inspect view shows the whole log",
    )


def _named(scores: list[Scored]) -> dict[str, Metric]:
    """All metrics by "scorer metric"; with the reducer where that would be ambiguous."""
    several = Counter(scored.name for scored in scores)
    return {
        f"{scored.name} {key}" + (f" ({scored.reducer})" if several[scored.name] > 1 else ""): metric
        for scored in scores
        for key, metric in scored.metrics.items()
    }


def _headline(results: dict[str, Any], scores: list[Scored]) -> tuple[Scored | None, str]:
    """The scorer and the name of its metric that stand for the evaluation."""
    named = entry(results, "headline")
    for scored in scores:
        said = {"score": scored.name, "scorer": scored.scorer, "reducer": scored.reducer}
        if entry(named, "metric") in scored.keys and all(
            entry(named, field) in (None, value) for field, value in said.items()
        ):
            return scored, named["metric"]
    if not scores:
        return None, ""
    return scores[0], next(iter(scores[0].metrics or scores[0].keys), "")


def _tokens(usage: dict[str, Any], *kinds: str) -> int | None:
    found = [count(entry(usage, model, kind)) for model in usage for kind in kinds]
    known = [tokens for tokens in found if tokens is not None]
    return sum(known) if known else None


PARSER = InspectLog()
