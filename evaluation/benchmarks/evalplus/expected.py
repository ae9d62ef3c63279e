"""What the reference solutions give: executed in the sandbox once, and kept in the cache folder."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from evaluation.benchmarks.evalplus.inside import NOT_NONE, encoded
from results.durable import replace_file
from results.files import read_file
from results.folders import cache_folder
from sandbox import Limits, Program, VerdictKind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evaluation.benchmarks.evalplus.data import Problem
    from sandbox import Sandbox

_LIMITS = Limits(cpu_s=120.0, memory_bytes=8 << 30, output_bytes=64 << 20)
SETS = ("base", "plus")
_FAILURE_KEPT_S = 24 * 3600.0  # it may have been the machine's: too little memory, too slow at that time


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """Of one set of inputs of a problem. outputs: as `inside.encoded` writes them. seconds: of processor time that the
    reference took for all. breaks: how many inputs break the contract. failed: why there are no outputs.
    """

    outputs: list[Any] = []
    seconds: float = 0.0
    breaks: list[int] = []
    failed: str = ""


@functools.cache
def inside() -> str:
    """The text of what runs in the sandbox."""
    return Path(__file__).with_name("inside.py").read_text(encoding="utf-8")


def expected_outputs(
    problems: Sequence[Problem],
    box: Sandbox,
    *,
    workers: int,
    folder: Path | None = None,
    on_done: Callable[[int], None] = lambda _: None,
) -> dict[str, dict[str, Expected]]:
    """By task id and set, "base" or "plus". Raises SandboxError.

    They are computed again for another Python, which may give other floats; what failed, a day later too. folder: the
    cache's. on_done: told after each problem how many are done.
    """
    place = folder or cache_folder() / "evalplus"
    python = str(box.describe().get("python", ""))

    def of_problem(problem: Problem) -> dict[str, Expected]:
        inputs = {"base": problem.base_input, "plus": problem.plus_input}
        return {name: _expected(problem, inputs[name], box, place, python) for name in SETS}

    found = {}
    pool = ThreadPoolExecutor(workers)
    try:
        for problem, of_sets in zip(problems, pool.map(of_problem, problems), strict=True):
            found[problem.task_id] = of_sets
            on_done(len(found))
    finally:
        pool.shutdown(cancel_futures=True)  # of those that no one waits for any more
    return found


def _expected(
    problem: Problem, inputs: Sequence[Sequence[Any]], box: Sandbox, folder: Path, python: str
) -> Expected:
    asked = json.dumps(
        {
            "code": problem.reference,
            "with_contract": problem.with_contract,
            "entry_point": problem.entry_point,
            "not_none": problem.task_id.startswith("Mbpp/") and problem.entry_point in NOT_NONE,
            "inputs": [encoded(list(given)) for given in inputs],
        }
    )
    key = hashlib.sha256(f"{python}\0{inside()}\0{asked}".encode()).hexdigest()
    path = folder / f"{key}.json"
    with contextlib.suppress(OSError, ValueError, RecursionError):
        kept = _read(read_file(path), len(inputs))
        if not kept.failed or time.time() - path.stat().st_mtime < _FAILURE_KEPT_S:
            return kept
    found = _computed(asked, len(inputs), box)
    with contextlib.suppress(OSError):  # it is computed again the next time
        folder.mkdir(parents=True, exist_ok=True)
        replace_file(path, json.dumps(msgspec.to_builtins(found)).encode())
    return found


def _computed(asked: str, count: int, box: Sandbox) -> Expected:
    verdict = box.run(Program(code=f"{inside()}\nrecord({asked!r})\n", script=True), _LIMITS)
    if verdict.kind is not VerdictKind.PASSED:
        return Expected(failed=f"the reference did not end well: {verdict.kind}: {verdict.detail}")
    try:
        return _read(verdict.stdout.rstrip().rpartition(b"\n")[2], count)
    except (ValueError, RecursionError) as error:
        return Expected(failed=f"the reference's outputs can't be read: {error}")


def _read(data: bytes, count: int) -> Expected:
    """Raises ValueError for what no `record` wrote."""
    found = msgspec.convert(json.loads(data), Expected)
    if not found.failed and len(found.outputs) != count:
        raise ValueError(f"{len(found.outputs)} outputs of {count}")
    return found
