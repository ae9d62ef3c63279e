"""Measure what is missing of a run's parts, each result written down at once in `parts.jsonl`.

A line holds all that is known of one completion; the last one of a completion counts. After kill -9 the file may end in
a torn line: it is cut off, and that result is measured again, nothing else.
"""

from __future__ import annotations

import contextlib
import hashlib
from typing import TYPE_CHECKING, cast

import msgspec

from evaluation.loop.journal import LineJournal
from results.durable import explained, replace_file
from results.json_text import NOT_THAT_JSON, encode
from results.scores.composite import NOT_PASSED, PARTS_NAME, SampleParts
from sandbox import SandboxError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from evaluation.scoring.contract import Measured, PartMeasure, Solution

Key = tuple[str, int]


def read_parts(data: bytes) -> dict[Key, SampleParts]:
    """The last line of each completion. Lines that can't be read are passed over: what they said is measured again."""
    found: dict[Key, SampleParts] = {}
    for line in data.splitlines(keepends=True):
        try:
            if line.endswith(b"\n"):
                parts = msgspec.json.decode(line, type=SampleParts)
                found[parts.task_id, parts.index] = parts
        except NOT_THAT_JSON:
            continue
    return found


def answer_sha256(solution: Solution) -> str:
    """What a measurement holds for: this program, with this reference, and whether it passed."""
    text = "\0".join((solution.program, solution.sample.reference, str(solution.passed)))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


async def measure_parts(
    folder: Path,
    solutions: Sequence[Solution],
    *,
    cheap: Callable[[Solution], Mapping[str, Measured]],
    measures: Iterable[PartMeasure],
    on_measured: Callable[[str, int, int], None],
) -> list[SampleParts]:
    """A line for each solution, in their order, as it stands in the folder's `parts.jsonl` at the end.

    cheap: parts that take no time, computed anew. measures: one after the other. on_measured: called with a part, how
    many solutions it is measured of, and of how many. Where the sandbox fails, the others are kept. Raises BenchError.
    """
    async with LineJournal(folder, PARTS_NAME) as journal:
        data = journal.lock_and_read()
        earlier = read_parts(data)
        lines = {_key(solution): _begun(solution, earlier.get(_key(solution))) for solution in solutions}
        journal.repair(data, b"".join(encode(line) + b"\n" for line in lines.values()))
        for measure in measures:
            todo = []
            for solution in solutions:
                key = _key(solution)
                if measure.only_passing and not solution.passed:
                    lines[key] = _without(lines[key], measure.part, NOT_PASSED)
                elif lines[key].measured_by.get(measure.part) != measure.rules:
                    todo.append(solution)
            done, total = len(solutions) - len(todo), len(solutions)
            on_measured(measure.part, done, total)
            if not todo:
                continue
            found = cast("AsyncGenerator[tuple[Solution, Measured], None]", measure.measure(todo))
            left = {_key(solution) for solution in todo}
            try:
                async with contextlib.aclosing(found):
                    async for solution, measured in found:
                        key = _key(solution)
                        rules = measure.rules if measured.lasting else ""
                        lines[key] = _with(lines[key], measure.part, measured, rules)
                        await journal.add(lines[key])
                        left.discard(key)
                        done += 1
                        on_measured(measure.part, done, total)
            except SandboxError as error:  # costs this part alone
                for key in left:
                    lines[key] = _without(lines[key], measure.part, error.message)
        for solution in solutions:
            for part, measured in cheap(solution).items():
                lines[_key(solution)] = _with(lines[_key(solution)], part, measured, "")
        ordered = [*lines.values()]
        with explained("write", journal.path):
            replace_file(journal.path, b"".join(encode(line) + b"\n" for line in ordered))
    return ordered


def _key(solution: Solution) -> Key:
    return solution.sample.task_id, solution.completion.index


def _begun(solution: Solution, earlier: SampleParts | None) -> SampleParts:
    """What is known of it from before, unless that was of another answer."""
    of = answer_sha256(solution)
    tags = dict(solution.completion.tags or solution.sample.tags)
    if earlier is None or earlier.answer_sha256 != of:
        task_id, index = _key(solution)
        return SampleParts(task_id=task_id, index=index, tags=tags, answer_sha256=of)
    return msgspec.structs.replace(earlier, tags=tags)


def _without(line: SampleParts, part: str, why: str) -> SampleParts:
    def but(of: Mapping[str, object]) -> dict[str, object]:
        return {name: value for name, value in of.items() if name != part}

    return msgspec.structs.replace(
        line,
        parts=but(line.parts),
        figures=but(line.figures),
        measured_by=but(line.measured_by),
        why_not={**line.why_not, part: why},
    )


def _with(line: SampleParts, part: str, measured: Measured, rules: str) -> SampleParts:
    line = _without(line, part, measured.why_not)
    known = measured.value is not None
    return msgspec.structs.replace(
        line,
        parts={**line.parts, part: round(measured.value, 6)} if measured.value is not None else line.parts,
        why_not={name: why for name, why in line.why_not.items() if name != part or not known},
        figures={**line.figures, part: dict(measured.figures)} if measured.figures else line.figures,
        measured_by={**line.measured_by, part: rules} if rules else line.measured_by,
    )
