"""MBPP's rows, as published: the full set (974) and the sanitized one (427), of which 11 to 510 are the test split."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from evaluation.answers.syntax import syntax_tree
from evaluation.benchmarks.mbpp.unit_tests import entry_point
from evaluation.data.data_set import DataSet
from evaluation.data.files import Row, checked, files_sha256, read_rows
from evaluation.data.hub import fetch_file
from evaluation.protocols import Sample
from results.errors import UsageError
from results.files import read_file
from results.json_text import NOT_THAT_JSON

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

REPOSITORY = "google-research-datasets/mbpp"
Subset = Literal["full", "sanitized"]
FILE = "{subset}/test-00000-of-00001.parquet"
_TEST_SPLIT = range(11, 511)  # task ids; 1 to 10 are examples, those behind are for training and validation


class _Problem(msgspec.Struct):
    """A row. text: of the full set; prompt: of the sanitized one. test_setup_code: executed before the tests, behind
    the program, whose classes it may use.
    """

    task_id: int
    code: str
    test_list: list[str]
    text: str = ""
    prompt: str = ""
    test_setup_code: str = ""
    test_imports: list[str] = []
    challenge_test_list: list[str] = []


def load_data(path: Path | None, *, subset: Subset = "full", challenge: bool = False) -> DataSet:
    """The test split from a file as published (JSON Lines, JSON or Parquet), or from the Hugging Face Hub.

    subset: which is fetched; a file is what it is. challenge: the challenge tests, which few rows of the full set have,
    must be passed too. Raises BenchError.
    """
    path = path or fetch_file(REPOSITORY, FILE.format(subset=subset))
    samples: list[Sample] = []
    first: dict[int, str] = {}
    for row in _rows(path):
        problem = checked(row, _Problem)
        if problem.task_id not in _TEST_SPLIT:
            continue
        if problem.task_id in first:
            raise UsageError(
                f"{row.where}: task_id {problem.task_id} is there twice, first at {first[problem.task_id]}",
                hint="leave one of the rows out",
            )
        first[problem.task_id] = row.where
        text = problem.text or problem.prompt
        tests = problem.test_list + (problem.challenge_test_list if challenge else [])
        name = entry_point(problem.code, tests)
        unreadable = any(syntax_tree(test) is None for test in tests)
        if not text or not name or unreadable:
            missing = (
                "no text"
                if not text
                else "tests that are no Python"
                if unreadable
                else "no test that calls it"
            )
            raise UsageError(
                f"{row.where}: task {problem.task_id} has {missing}",
                hint="its fields are task_id, text or prompt, code and test_list, as in Google's files",
            )
        data: dict[str, Any] = {
            "text": text,
            "code": problem.code,
            "shown": problem.test_list,
            "tests": tests,
            "setup": problem.test_setup_code,
            "imports": problem.test_imports,
            "entry_point": name,
        }
        samples.append(Sample(task_id=f"mbpp/{problem.task_id}", data=data))
    if not samples:
        raise UsageError(
            f"{path} has none of the test split",
            hint="the test split is task_id 11 to 510; give mbpp.jsonl or sanitized-mbpp.json as published",
        )
    return DataSet(tuple(samples), files_sha256([path]))


def _rows(path: Path) -> Iterable[Row]:
    if path.suffix != ".json":  # Google's file of the sanitized set is one array
        return read_rows(path)
    try:
        found = msgspec.json.decode(read_file(path), type=list[Any])
    except OSError as error:
        raise UsageError(
            f"cannot read {path}: {error.strerror or error}", hint="give a regular file that you may read"
        ) from error
    except NOT_THAT_JSON as error:
        raise UsageError(
            f"{path} is not an array of objects: {error}", hint="give sanitized-mbpp.json as published"
        ) from error
    return [Row(f"{path}, row {number}", row) for number, row in enumerate(found)]
