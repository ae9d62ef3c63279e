"""What the programs of HumanEval+ and MBPP+ have in common."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from results.files import user_path
from scripts.arguments import parse
from scripts.program import run_program

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from evaluation.benchmarks.evalplus.data import Problem
    from evaluation.benchmarks.evalplus.expected import Expected
    from evaluation.benchmarks.evalplus.task import Usable
    from sandbox import Sandbox
    from scripts.arguments import Arguments
    from scripts.events import Events

_ABOUT = {
    "human_eval_plus": "HumanEval+: the 164 functions of HumanEval, judged on about 80 times as many inputs in a "
    "sandbox. Prints pass@k on all inputs, and on HumanEval's own.",
    "mbpp_plus": "MBPP+: 378 functions of MBPP, judged on about 35 times as many inputs in a sandbox. "
    "Prints pass@k on all inputs, and on MBPP's own.",
}
CPU_LIMIT_S = 10.0  # of all inputs of a set together; evalplus has a second for each, and a minute for all
_MOST_NAMED = 5
_TOLD_EVERY_S = 10.0


def run(benchmark: str) -> int:
    """The exit code."""

    async def main(arguments: Arguments, events: Events) -> None:
        await _main(benchmark, arguments, events)

    return run_program(lambda: _read_arguments(benchmark), main)


def _read_arguments(benchmark: str) -> Arguments:
    return parse(
        sys.argv[1:],
        benchmark=benchmark,
        about=_ABOUT[benchmark],
        add_options=_add_options,
        defaults={"cpu_limit": CPU_LIMIT_S},
    )


def _add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--dataset",
        type=user_path,
        metavar="FILE",
        help=".jsonl or .jsonl.gz as EvalPlus publishes it (default: its release, fetched once)",
    )
    add("--check", action="store_true", help="only check the data set and these options")


async def _main(benchmark: str, arguments: Arguments, events: Events) -> None:
    from evaluation.benchmarks.evalplus.data import read_problems
    from evaluation.benchmarks.evalplus.released import fetch_release

    file = arguments.options["dataset"]
    data = read_problems(file or fetch_release(benchmark, say=events.say), benchmark)
    if arguments.options["check"]:
        return
    from sandbox.opening import OpeningSandbox, usual_workers

    with OpeningSandbox(arguments.sandbox) as opening:
        from evaluation.benchmarks.evalplus.task import (
            EvalPlusTask,
            expected_of_asked,
            known_programs,
            usable,
        )
        from scripts.benchmark_program import BenchmarkProgram
        from scripts.session import run_benchmark

        events.emit("phase", phase="expected")
        expected = expected_of_asked(
            data.problems,
            lambda problems: _computed(problems, opening.wait(), usual_workers(), events),
            **_asked(arguments),
        )
        found = usable(data.problems, expected)
        program = BenchmarkProgram(
            name=benchmark,
            data_sha256=data.sha256,
            make_task=lambda style, grader: EvalPlusTask(
                benchmark, found.problems, style=style, grader=grader
            ),
            known_programs=known_programs,
            options={"excluded": sorted(found.excluded)} if found.excluded else {},
            details=lambda _: _details(found),
        )
        await run_benchmark(program, arguments, events, opening=opening)


def _asked(arguments: Arguments) -> dict[str, int | None]:
    """Which problems are asked: of answers that are judged again, those of their run."""
    if arguments.rejudge is not None:
        from evaluation.loop.checkpoint import read_settings

        earlier = read_settings(arguments.rejudge)
        if earlier is None:
            return {"limit": None, "shuffle": None}  # `run_benchmark` says that nothing is there
        return {"limit": earlier.limit, "shuffle": earlier.shuffle}
    return {"limit": arguments.limit, "shuffle": arguments.shuffle}


def _computed(
    problems: Sequence[Problem], box: Sandbox, workers: int, events: Events
) -> dict[str, dict[str, Expected]]:
    """Says how far it is where that takes a while: the first time, some minutes for all problems."""
    from evaluation.benchmarks.evalplus.expected import expected_outputs

    total, told = len(problems), time.monotonic()
    events.say(f"finding what the reference solutions give, for {total} problem{'s' * (total != 1)}")

    def done(count: int) -> None:
        nonlocal told
        if time.monotonic() - told >= _TOLD_EVERY_S:
            told = time.monotonic()
            events.say(f"reference solutions: {count} of {total} done")

    return expected_outputs(problems, box, workers=workers, on_done=done)


def _details(found: Usable) -> dict[str, Any]:
    """The problems that are left out, and why; and what breaks their contracts."""
    warnings = []
    if found.excluded:
        name, why = next(iter(found.excluded.items()))
        warnings.append(f"{_named(found.excluded)} can't be judged and are left out; {name}: {why}")
    if found.contract:
        count = sum(found.contract.values())
        warnings.append(
            f"inputs that break the contract of their problem: {count}, of {_named(found.contract)}"
        )
    return {"excluded": found.excluded, "warnings": warnings}


def _named(names: Any) -> str:
    some = list(names)
    more = f" and {len(some) - _MOST_NAMED} more" if len(some) > _MOST_NAMED else ""
    return ", ".join(some[:_MOST_NAMED]) + more
