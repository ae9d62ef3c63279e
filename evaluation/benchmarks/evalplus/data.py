"""EvalPlus's data: HumanEvalPlus.jsonl and MbppPlus.jsonl, as published, packed or not."""

from __future__ import annotations

import hashlib
import json
import keyword
import re
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from evaluation.answers.syntax import syntax_tree
from evaluation.benchmarks.evalplus.inputs import as_passed
from evaluation.benchmarks.evalplus.inside import NotData, encoded
from evaluation.data.files import Row, checked
from evaluation.data.packed import unpacked
from results.errors import UsageError
from results.files import read_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_ID = re.compile(r"(HumanEval|Mbpp)/[0-9]{1,6}")
FAMILIES = {"human_eval_plus": "HumanEval", "mbpp_plus": "Mbpp"}


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """A row. base_input, plus_input: arguments of each call. contract: assertions on them, as text of the function's
    body. atol: the absolute tolerance where floats are compared.
    """

    task_id: str
    prompt: str
    entry_point: str
    canonical_solution: str
    base_input: list[list[Any]]
    plus_input: list[list[Any]] = []
    contract: str = ""
    atol: float = 0.0

    @property
    def reference(self) -> str:
        """The program of the reference solution."""
        return f"{self.prompt}{self.canonical_solution}"

    @property
    def with_contract(self) -> str:
        """The same with the contract as the first lines of the function; empty where there is none, or no place."""
        if not self.contract.strip():
            return ""
        if self.task_id.startswith("HumanEval/"):
            code = f"{self.prompt}{self.contract}{self.canonical_solution}"
        else:
            lines = self.canonical_solution.split("\n")
            place = next(
                (at for at, line in enumerate(lines) if line.startswith(f"def {self.entry_point}")), None
            )
            if place is None:
                return ""
            code = "\n".join([self.prompt, *lines[: place + 1], self.contract, *lines[place + 1 :]])
        return code if syntax_tree(code) is not None else ""


class Problems(NamedTuple):
    """In their order, and the hash of their file."""

    problems: tuple[Problem, ...]
    sha256: str


def read_problems(path: Path, benchmark: str) -> Problems:
    """All problems of a file; the inputs are what is passed. Raises UsageError naming file and line.

    benchmark: whose they must be.
    """
    try:
        data = read_file(path)
        text = (b"".join(unpacked(data)) if data[:2] == b"\x1f\x8b" else data).decode()
    except (OSError, EOFError, zlib.error, ValueError) as error:  # of them that of what is not UTF-8
        raise UsageError(
            f"cannot read {path}: {getattr(error, 'strerror', None) or error}",
            hint="give HumanEvalPlus.jsonl or MbppPlus.jsonl as published, or the same as .jsonl.gz",
        ) from error
    problems = tuple(_problem(row, benchmark) for row in _rows(path, text))
    if not problems:
        raise UsageError(
            f"{path} has no rows", hint="give a file with one object per line; was it fetched whole?"
        )
    names = [problem.task_id for problem in problems]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UsageError(f"{path} has {twice} more than once", hint="leave one of the rows out")
    return Problems(problems, hashlib.sha256(data).hexdigest())


def _rows(path: Path, text: str) -> Iterator[Row]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                yield Row(f"{path}:{number}", json.loads(line))  # which knows NaN and Infinity, unlike JSON
            except (ValueError, RecursionError) as error:
                raise UsageError(
                    f"{path}:{number}: not a JSON object: {error}", hint="write one JSON object per line"
                ) from error


def _problem(row: Row, benchmark: str) -> Problem:
    problem = checked(row, Problem)
    family = FAMILIES[benchmark]
    if not _ID.fullmatch(problem.task_id) or not problem.task_id.startswith(f"{family}/"):
        other = next((name for name, ids in FAMILIES.items() if problem.task_id.startswith(f"{ids}/")), None)
        raise UsageError(
            f"{row.where}: task_id {problem.task_id!r:.80} is not {family}/NUMBER",
            hint=f"use --benchmark {other}"
            if other
            else f"give the data of {benchmark} as EvalPlus publishes it",
        )
    is_named = problem.entry_point.isidentifier() and not keyword.iskeyword(problem.entry_point)
    if not is_named or not problem.base_input:
        what = "no base_input" if is_named else "no entry_point"
        raise UsageError(
            f"{row.where}: {problem.task_id} has {what}", hint="give a name and lists of arguments"
        )
    make = as_passed if benchmark == "mbpp_plus" else _unchanged
    try:
        made = [
            [make(problem.task_id, one) for one in some] for some in (problem.base_input, problem.plus_input)
        ]
        encoded(made)
    except (ValueError, TypeError, LookupError, AttributeError, NotData, RecursionError) as error:
        raise UsageError(
            f"{row.where}: the inputs are not such as {problem.task_id} has: {type(error).__name__}: {error}",
            hint="EvalPlus writes tuples, sets and complex numbers of some tasks as lists and text; keep its form",
        ) from error
    return msgspec.structs.replace(problem, base_input=made[0], plus_input=made[1])


def _unchanged(_task_id: str, given: list[Any]) -> list[Any]:
    return given
