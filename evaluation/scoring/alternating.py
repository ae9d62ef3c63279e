"""What a solution takes against its reference: both executed in turn, in the same sandbox, until the ratio is known.

What a program takes is read from outside, by who started it, and the program is sealed (`sandbox.Limits.sealed`): it
has no other process, file or pipe in which to hide it. Each execution is a process of its own, which finds nothing of
the one before, and only one whose answers are right counts.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from msgspec.structs import replace

from results.stats.median_ratio import FEWEST, MedianRatio, median_ratio
from sandbox import Program, UnitTests, VerdictKind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sandbox import Limits, Sandbox, Verdict

# What takes less counts as much as this: nobody waits for it, and no shared machine tells it from nothing.
FLOOR_S = 0.001
FLOOR_BYTES = 1 << 20
NARROW = 1.10  # the ends of an interval that is good enough: 5 % on each side
TOO_WIDE = 2.0  # from here on nothing is known
MOST_ROUNDS = 60
BUDGET_S = 30.0  # wall time for one solution
ENOUGH_OF_LITTLE = 3  # rounds in which both stay below the floor, and so are equal
_LOOK_EVERY = 4  # rounds
_SHOWN = 100  # characters of an error, which may be a program's own words


class Execution(msgspec.Struct, frozen=True):
    """One of those that make up a measurement. limits: its own, besides being sealed. is_right: of a script, whether
    what it printed is; it is called outside the sandbox.
    """

    program: Program
    limits: Limits
    is_right: Callable[[bytes], bool] | None = None


@dataclass(frozen=True)
class Trial:
    """empty: programs that do nothing but what each of the others has to: to start, to be given its input."""

    empty: tuple[Execution, ...]
    reference: tuple[Execution, ...]
    solution: tuple[Execution, ...]


class Cost(NamedTuple):
    """cpu_s: of all executions together. peak_bytes: of the largest."""

    cpu_s: float
    peak_bytes: int


class NotMeasured(Exception):
    """Why there is no ratio, in a few words. too_slow: the solution used up its processor time. busy: it may be the
    machine's fault.
    """

    def __init__(self, why: str, *, too_slow: bool = False, busy: bool = False) -> None:
        super().__init__(why)
        self.too_slow = too_slow
        self.busy = busy


@dataclass(frozen=True)
class Found:
    """cpu, memory: the ratios, solution to reference. solution, reference: medians, beyond that of an empty program.
    is_little: both stay below `FLOOR_S` and `FLOOR_BYTES`, and count as equal.
    """

    cpu: MedianRatio
    memory: MedianRatio
    solution: Cost
    reference: Cost
    empty: Cost
    is_little: bool = False


def alternate(
    box: Sandbox, trial: Trial, *, budget_s: float = BUDGET_S, most_rounds: int = MOST_ROUNDS
) -> Found:
    """Blocks. Raises NotMeasured, SandboxError.

    A machine that is busy slows both down, and mostly for longer than a round: so each round has a ratio of its own.
    Which of the two comes first changes from round to round, so that neither has an advantage.
    """
    deadline = time.monotonic() + budget_s
    rounds: list[tuple[Cost, Cost, Cost]] = []
    while True:
        rounds.append(_round(box, trial, solution_first=len(rounds) % 2 == 1))
        at_end = time.monotonic() > deadline or len(rounds) >= most_rounds
        if len(rounds) == ENOUGH_OF_LITTLE and (little := of_little(rounds)):
            return little
        if len(rounds) < FEWEST:
            if at_end:
                raise NotMeasured(
                    f"takes too long to be executed {FEWEST} times within {budget_s:g} s", busy=True
                )
        elif at_end or (len(rounds) - FEWEST) % _LOOK_EVERY == 0:
            found = of_rounds(rounds)
            widest = max(found.cpu, found.memory, key=lambda ratio: ratio.spread)
            if widest.spread <= NARROW or (at_end and widest.spread <= TOO_WIDE):
                return found
            if at_end:
                raise NotMeasured(
                    f"differs too much from time to time: {widest.low:.2g} to {widest.high:.2g} times the reference",
                    busy=True,
                )


def _round(box: Sandbox, trial: Trial, *, solution_first: bool) -> tuple[Cost, Cost, Cost]:
    """Of the empty program, the reference and the solution."""
    empty = _cost(box, trial.empty, "an empty program")
    early = _cost(box, trial.solution, "") if solution_first else None
    reference = _cost(box, trial.reference, "the reference")
    return empty, reference, early or _cost(box, trial.solution, "")


def of_rounds(rounds: Sequence[tuple[Cost, Cost, Cost]]) -> Found:
    """Of at least `FEWEST`, each with the cost of the empty program, the reference and the solution."""
    empty, reference, solution = (
        Cost(median(cost.cpu_s for cost in each), int(median(cost.peak_bytes for cost in each)))
        for each in zip(*rounds, strict=True)
    )
    cpu = median_ratio([_over(two.cpu_s, one.cpu_s, empty.cpu_s, FLOOR_S) for _, one, two in rounds])
    memory = median_ratio(
        [_over(two.peak_bytes, one.peak_bytes, empty.peak_bytes, FLOOR_BYTES) for _, one, two in rounds]
    )
    if cpu is None or memory is None:
        raise ValueError(f"{len(rounds)} rounds tell nothing")
    return Found(cpu, memory, _beyond(solution, empty), _beyond(reference, empty), empty)


def of_little(rounds: Sequence[tuple[Cost, Cost, Cost]]) -> Found | None:
    """None unless reference and solution stay below the floor in every round, beyond the cheapest empty program.

    A busy machine makes programs slower, not faster: so it hides no program that takes more. It only costs rounds.
    """
    cheapest = Cost(min(one.cpu_s for one, _, _ in rounds), min(one.peak_bytes for one, _, _ in rounds))
    most_s, most_bytes = cheapest.cpu_s + FLOOR_S, cheapest.peak_bytes + FLOOR_BYTES
    both = [cost for _, *pair in rounds for cost in pair]
    if any(cost.cpu_s > most_s or cost.peak_bytes > most_bytes for cost in both):
        return None
    equal = MedianRatio(1.0, 1.0, 1.0, len(rounds))
    reference, solution = (
        Cost(median(cost.cpu_s for cost in each), int(median(cost.peak_bytes for cost in each)))
        for each in list(zip(*rounds, strict=True))[1:]
    )
    return Found(equal, equal, _beyond(solution, cheapest), _beyond(reference, cheapest), cheapest, True)


class Bare:
    """What programs take that are only started: less than any program under test, whatever its task. It tells most that
    stay below the floor after one execution of each, without an empty program of their own task.
    """

    def __init__(self) -> None:
        self._cheapest: dict[bool, Cost] = {}  # of a script, or not

    def of_little(
        self, box: Sandbox, reference: Sequence[Execution], solution: Sequence[Execution]
    ) -> Found | None:
        """Blocks. None: this does not tell. Raises NotMeasured, SandboxError."""
        cheapest = self._cost(box, reference[0])
        if cheapest is None:
            return None
        bare = Cost(len(reference) * cheapest.cpu_s, cheapest.peak_bytes)
        # The reference first: it costs no execution of the solution where it alone takes more.
        one = _cost(box, reference, "the reference")
        return of_little([(bare, one, one)]) and of_little([(bare, one, _cost(box, solution, ""))])

    def _cost(self, box: Sandbox, like: Execution) -> Cost | None:
        """Measured each time, since a machine's speed changes; the cheapest so far counts."""
        script = like.program.script
        tests = UnitTests("", "bare")
        program = Program(code="", script=True) if script else Program(code="def bare(): ...\n", tests=tests)
        verdict = execute(box, Execution(program, like.limits))
        if verdict.kind is not VerdictKind.PASSED:
            return None
        before = self._cheapest.get(script, Cost(verdict.cpu_s, verdict.peak_memory_bytes))
        found = Cost(min(before.cpu_s, verdict.cpu_s), min(before.peak_bytes, verdict.peak_memory_bytes))
        self._cheapest[script] = found
        return found


def _over(solution: float, reference: float, empty: float, floor: float) -> float:
    return max(solution - empty, floor) / max(reference - empty, floor)


def _beyond(cost: Cost, empty: Cost) -> Cost:
    return Cost(max(0.0, cost.cpu_s - empty.cpu_s), max(0, cost.peak_bytes - empty.peak_bytes))


def _cost(box: Sandbox, executions: Sequence[Execution], whose: str) -> Cost:
    """whose: none for the solution. Raises NotMeasured, SandboxError."""
    cpu_s, peak_bytes = 0.0, 0
    for execution in executions:
        verdict = execute(box, execution)
        if verdict.kind is not VerdictKind.PASSED:
            detail = verdict.detail if len(verdict.detail) <= _SHOWN else f"{verdict.detail[:_SHOWN]}..."
            raise NotMeasured(
                f"{whose or 'the solution'} fails where it is measured: {verdict.kind}: {detail}",
                too_slow=not whose and verdict.kind is VerdictKind.TIMEOUT,
            )
        cpu_s += verdict.cpu_s
        peak_bytes = max(peak_bytes, verdict.peak_memory_bytes)
    return Cost(cpu_s, peak_bytes)


def execute(box: Sandbox, execution: Execution) -> Verdict:
    """Raises SandboxError."""
    verdict = box.run(execution.program, replace(execution.limits, sealed=True))
    wrong = execution.is_right is not None and not execution.is_right(verdict.stdout)
    if verdict.kind is VerdictKind.PASSED and wrong:
        return replace(verdict, kind=VerdictKind.WRONG_OUTPUT, detail="printed something else")
    return verdict
