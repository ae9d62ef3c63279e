"""How exact the efficiency of solutions is on this machine, busy as it is.

Pairs of programs whose ratio is known: the same work once and twice, the same memory once and twice. What is bound is
how often an interval misses the true ratio, and how far off ratios are. Also by simulation, where the noise is known.
"""

from __future__ import annotations

import math
import random
import time
from statistics import median
from typing import TYPE_CHECKING

from evaluation.scoring.alternating import NARROW, Execution, NotMeasured, Trial, alternate
from results.stats.median_ratio import FEWEST, median_ratio
from sandbox import Limits, Program, UnitTests, open_sandbox
from tests.benchmarks.rows import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox import Sandbox

SIMULATED = 4000
LOOPS, VALUES = 600_000, 2_000_000
_WORK = "def work(x):\n    total = 0\n    for each in range({}):\n        total += each\n    return x\n"
_FILL = "def work(x):\n    values = [0] * {}\n    return x\n"
# Noise of each measurement, the share of those that something delays, and how fast the machine's speed wanders.
_NOISES = {"quiet": (0.01, 0.05, 0.05), "busy": (0.05, 0.1, 0.2), "very busy": (0.15, 0.2, 0.2)}


def measure(repeats: int = 20) -> Iterator[Row]:
    """repeats: measurements of each pair of programs."""
    with open_sandbox("auto", 1) as box:
        for true, name in ((1.0, "the same program"), (2.0, "twice the work")):
            yield from _pairs(box, name, (_WORK, LOOPS), true, repeats)
        yield from _pairs(box, "twice the memory", (_FILL, VALUES), 2.0, repeats)
    for name, noise in _NOISES.items():
        yield _simulated(name, *noise)


def _pairs(box: Sandbox, name: str, program: tuple[str, int], true: float, repeats: int) -> Iterator[Row]:
    """program: its text, and the size of what it does."""
    text, size = program

    def executions(code: str, tests: str = "assert work(3) == 3") -> tuple[Execution, ...]:
        return (Execution(Program(code=code, tests=UnitTests(tests, "work")), Limits(cpu_s=60)),)

    trial = Trial(
        executions("def work(x):\n    return x\n"),
        executions(text.format(size)),
        executions(text.format(round(true * size))),
    )
    values, missed, refused, rounds, took_s = [], 0, 0, [], []
    for _ in range(repeats):
        began = time.monotonic()
        try:
            found = alternate(box, trial)
        except NotMeasured:
            refused += 1
            continue
        ratio = found.memory if text is _FILL else found.cpu
        took_s.append(time.monotonic() - began)
        rounds.append(ratio.rounds)
        values.append(ratio.value)
        # What an interpreter adds to both is no part of the program's own.
        missed += not ratio.low <= 1.01 * true or not 0.99 * true <= ratio.high
    if not values:
        yield Row(f"efficiency, {name}", None, "", None, f"none of {repeats} measurements was good enough")
        return
    said = (
        f"{min(values):.3f} to {max(values):.3f}, true {true:g}; {median(rounds):g} rounds, {refused} refused"
    )
    yield Row(
        f"efficiency, {name}: furthest from the truth",
        max(abs(value / true - 1) for value in values),
        "of 1",
        0.10,
        said,
    )
    yield Row(
        f"efficiency, {name}: intervals that miss it", missed / len(values), "of 1", 0.15, f"{len(values)}"
    )
    yield Row(f"efficiency, {name}: a measurement", median(took_s), "s")


def _simulated(name: str, noise: float, tail: float, drift: float) -> Row:
    source, missed, rounds = random.Random(7), 0, 0
    for _ in range(SIMULATED):
        speed, ratios = 0.0, []
        while True:
            speed = 0.9 * speed + source.gauss(0, drift)
            pair = [math.exp(speed + source.gauss(0, noise)) for _ in range(2)]
            first, second = (one * (1 + source.expovariate(2) * (source.random() < tail)) for one in pair)
            ratios.append(first / second)
            found = median_ratio(ratios)
            if found and (len(ratios) == 60 or (found.spread <= NARROW and (len(ratios) - FEWEST) % 4 == 0)):
                break
        missed += not found.low <= 1.0 <= found.high
        rounds += len(ratios)
    note = f"{SIMULATED} simulated, {rounds / SIMULATED:.0f} rounds"
    return Row(
        f"efficiency, {name} machine: intervals that miss the truth", missed / SIMULATED, "of 1", 0.05, note
    )
