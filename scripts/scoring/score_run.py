"""The composite score of a run's answers, without a model: `python -m scripts.scoring.score_run --help`."""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from results.errors import ResultsError, UsageError
from results.files import user_path
from results.leaving import leave
from scripts.program import run_program
from settings.benchmarks import CODING_BENCHMARKS
from settings.sampling_settings import SANDBOX_LEVELS
from settings.scoring.weights import read_weights, require_known

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from evaluation.loop.checkpoint import Settings
    from evaluation.scoring.contract import CodingSample, Measured, PartMeasure, Solution
    from evaluation.scoring.own import OwnScorer
    from results.records import Completion
    from scripts.events import Events

VERSION = 1  # of the definitions of correctness and speed, and of how parts become a composite
_TOLD_EVERY_S = 0.2
_ABOUT = (
    "Computes the composite score of the answers in --output: correctness, speed, quality, efficiency, and their "
    "weighted mean. Run again, it measures only what is missing, or what other rules ask for."
)


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """speed_baseline: the folder of a run; baseline_run: its id. speed_unknown: why the speed can't be compared; empty
    if it can. options: the benchmark's own, that say where its data is.
    """

    output: Path
    weights: Mapping[str, float]
    speed_baseline: Path | None
    baseline_run: str
    speed_target_s: float | None
    speed_unknown: str
    scorer: Path | None
    sandbox: str
    options: Mapping[str, Any]
    check: bool


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message, hint="see --help")


def parse(argv: Sequence[str]) -> Arguments:
    """Raises UsageError; `--help` prints and exits."""
    parser = _Parser(prog="python -m scripts.scoring.score_run", description=_ABOUT, allow_abbrev=False)
    add = parser.add_argument
    add("--output", type=user_path, metavar="DIR", help="the folder of the run, with its completions.jsonl")
    add(
        "--weights",
        metavar="PART=WEIGHT,...",
        help="default: correctness=40,speed=20,quality=25,efficiency=15",
    )
    add(
        "--speed-baseline",
        type=user_path,
        metavar="DIR",
        help="compare the speed with the run in this folder",
    )
    add("--baseline-run", default="", metavar="ID", help="what that run is called (default: as its folder)")
    add("--speed-target-s", type=_seconds, metavar="S", help="compare the speed with S seconds for an answer")
    add("--speed-unknown", default="", metavar="WHY", help="the speed can't be compared, for this reason")
    add(
        "--scorer", type=user_path, metavar="FILE.py", help="a scorer of your own: a function score(solution)"
    )
    add(
        "--sandbox",
        choices=SANDBOX_LEVELS,
        default="auto",
        help="where solutions are executed (default: auto)",
    )
    add("--check", action="store_true", help="only check the scorer, the weights, and what is installed")
    for name in ("tasks", "dataset"):
        add(f"--{name}", type=user_path, metavar="FILE", help="the data that the run had, if that was a file")
    add("--mbpp-set", choices=("full", "sanitized"), help="of mbpp, which set was fetched")
    add("--mbpp-tests", choices=("given", "all"), default="given", help="of mbpp, which tests were passed")
    found = vars(parser.parse_args(argv))
    if found["output"] is None and not found["check"]:
        raise UsageError("--output is missing", hint="see --help")
    weights = read_weights(found["weights"]) if found["weights"] else None
    scorer = found["scorer"]
    if weights is not None:
        require_known(weights, str(scorer) if scorer else None)
    from results.stats.composite import DEFAULT_WEIGHTS

    options = {name: found.pop(name) for name in ("tasks", "dataset", "mbpp_set", "mbpp_tests")}
    return Arguments(**{**found, "weights": weights or dict(DEFAULT_WEIGHTS), "options": options})


def _seconds(text: str) -> float:
    from settings.table import TABLE
    from settings.values import read_value

    try:
        return float(read_value(TABLE["speed_target_s"], text, variables=False))
    except UsageError as error:
        raise argparse.ArgumentTypeError(error.message) from None


async def score(arguments: Arguments, events: Events) -> None:
    """Raises BenchError."""
    async with contextlib.AsyncExitStack() as opened:
        scorer = None
        if arguments.scorer is not None:
            from evaluation.scoring.own import OwnScorer

            scorer = await opened.enter_async_context(OwnScorer(arguments.scorer))
        if arguments.check:
            _check(arguments)
        else:
            await _scored(arguments, scorer, events)


def _check(arguments: Arguments) -> None:
    from evaluation.scoring.quality.facts import require_tools
    from results.scores.composite import Part

    if arguments.weights.get(Part.QUALITY):
        require_tools()


async def _scored(arguments: Arguments, scorer: OwnScorer | None, events: Events) -> None:
    from evaluation.loop.checkpoint import read_settings
    from evaluation.loop.journal import SETTINGS_NAME

    settings = read_settings(arguments.output)
    if settings is None:
        raise ResultsError(
            f"{arguments.output} has no {SETTINGS_NAME}, which says what its answers are to",
            hint="name the folder of a run; of one whose files are gone nothing can be measured",
        )
    if settings.benchmark not in CODING_BENCHMARKS:
        raise ResultsError(
            f"{arguments.output} does not hold code, but answers to {settings.benchmark}",
            hint=f"a composite score is of {', '.join(CODING_BENCHMARKS)}",
        )
    from evaluation.scoring.measuring import measure_parts
    from results.scores.composite import Part
    from results.stats.composite import composite_of

    solutions = _solutions(arguments, settings, events)
    cached = sum(solution.completion.cached for solution in solutions)
    measures = _measures(arguments, settings, scorer)
    yardstick, unknown = _yardstick(arguments, cached=cached)
    events.emit("start", benchmark="score", total=len(solutions) * len(measures), finished=0)

    def cheap(solution: Solution) -> Mapping[str, Measured]:
        from evaluation.scoring.cheap_parts import correctness_of
        from evaluation.scoring.contract import Measured

        speed = (
            Measured(value=None, why_not=unknown)
            if yardstick is None
            else yardstick.speed_of(solution.completion)
        )
        return {Part.CORRECTNESS: correctness_of(solution.completion), Part.SPEED: speed}

    lines = await measure_parts(
        arguments.output,
        solutions,
        cheap=cheap,
        measures=measures,
        on_measured=_telling(events, [measure.part for measure in measures]),
    )
    composite = composite_of(
        lines,
        weights=arguments.weights,
        rules=" | ".join([str(VERSION), *(f"{measure.part} {measure.rules}" for measure in measures)]),
        unknown={Part.SPEED: unknown} if unknown else {},
        beside=[scorer.part] if scorer is not None else [],
        baseline_run=arguments.baseline_run
        or (arguments.speed_baseline.name if arguments.speed_baseline else ""),
        target_s=arguments.speed_target_s,
        scorers={scorer.part: scorer.sha256} if scorer is not None else {},
        warnings=_warnings(solutions),
    )
    events.emit("composite", composite=composite)


def _measures(arguments: Arguments, settings: Settings, scorer: OwnScorer | None) -> list[PartMeasure]:
    """Those that take time and have a weight; efficiency last, when nothing else is at work."""
    from evaluation.scoring.contract import Means
    from evaluation.scoring.efficiency import Efficiency
    from evaluation.scoring.quality.measure import Quality
    from results.scores.composite import Part
    from sandbox.opening import usual_workers

    means = Means(
        level=arguments.sandbox,
        timeout_s=settings.timeout_s,
        memory_bytes=settings.memory_limit_bytes,
        workers=usual_workers(),
    )
    found: list[PartMeasure] = []
    if arguments.weights.get(Part.QUALITY):
        found.append(Quality(means))
    if scorer is not None:
        found.append(scorer)
    if arguments.weights.get(Part.EFFICIENCY):
        found.append(Efficiency(means))
    return found


def _solutions(arguments: Arguments, settings: Settings, events: Events) -> list[Solution]:
    from evaluation.scoring.contract import Solution
    from evaluation.scoring.samples import coding_samples

    samples, sha256 = coding_samples(settings.benchmark, arguments.options, say=events.say)
    if sha256 != settings.data_sha256:
        raise ResultsError(
            f"{arguments.output} holds answers to another data set (sha256 {settings.data_sha256[:8]}... and not "
            f"{sha256[:8]}...)",
            hint="give the data set and the options that the run had; of a changed one the references are others",
        )
    completions = _completions(arguments.output)
    return [
        Solution(sample=_sample(samples, each, arguments.output), completion=each) for each in completions
    ]


def _sample(samples: Mapping[str, CodingSample], completion: Completion, folder: Path) -> CodingSample:
    sample = samples.get(completion.task_id)
    if sample is None:
        raise ResultsError(
            f"{folder}: there is no task {completion.task_id!r:.80} in the data set",
            hint="its journal is damaged",
        )
    return sample


def _completions(folder: Path) -> list[Completion]:
    """Raises ResultsError where there are none."""
    from evaluation.loop.checkpoint import JOURNAL_NAME
    from results.completion_lines import latest
    from results.durable import explained
    from results.files import read_file

    with explained("read", folder / JOURNAL_NAME):
        found = [*latest(read_file(folder / JOURNAL_NAME).splitlines()).values()]
    if not found:
        raise ResultsError(f"{folder} holds no answers", hint="name the folder of a run that has some")
    return found


def _yardstick(arguments: Arguments, *, cached: int) -> tuple[Any, str]:
    """What speed is compared with, or None and why it isn't."""
    from evaluation.scoring.cheap_parts import SpeedYardstick

    why = arguments.speed_unknown
    if not why and cached:
        why = f"{cached} answers came out of a cache"
    if why:
        return None, why
    if arguments.speed_target_s is not None:
        return SpeedYardstick({}, arguments.speed_target_s), ""
    if arguments.speed_baseline is None:
        return None, "no baseline and no target is named"
    before = _completions(arguments.speed_baseline)
    if any(completion.cached for completion in before):
        return None, "answers of the baseline came out of a cache"
    return SpeedYardstick.of_baseline(before), ""


def _warnings(solutions: Sequence[Solution]) -> list[str]:
    from evaluation.scoring.cheap_parts import correctness_of

    lost = sum("lost" in correctness_of(solution.completion).figures for solution in solutions)
    return [f"{lost} lost answers count as failed, as in the score"] if lost else []


def _telling(events: Events, parts: Sequence[str]) -> Callable[[str, int, int], None]:
    told = 0.0

    def on_measured(part: str, done: int, total: int) -> None:
        nonlocal told
        now = time.monotonic()
        if done < total and now - told < _TOLD_EVERY_S:
            return
        told = now
        before = parts.index(part) * total
        events.progress({"done": before + done, "total": len(parts) * total, "in_flight": 0, "part": part})

    return on_measured


if __name__ == "__main__":
    leave(run_program(lambda: parse(sys.argv[1:]), score))
