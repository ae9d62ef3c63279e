"""The rows of a suite's tasks, and those that stand before a question as examples."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evaluation.data.files import files_sha256, read_rows
from evaluation.data.hub_data import HubData
from evaluation.suites.own_code import own_function
from evaluation.suites.preparing import PREPARED
from evaluation.suites.template_rules import TemplateProblem
from evaluation.suites.templates import Expression
from results.errors import BenchError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from evaluation.data.files import Row
    from evaluation.suites.format import Data, FewShot
    from evaluation.suites.loader import SuiteFile

FILES = (".jsonl", ".csv", ".parquet")


@dataclass(frozen=True)
class NumberedRow:
    """number: in the split, from 0. fields: what templates see. where: file and line, or such like, for messages; no
    other row has the same.
    """

    number: int
    fields: dict[str, Any]
    where: str


@dataclass(frozen=True)
class TaskRows:
    """rows: in order. examples: for each question, the row itself left out. sha256: of all files."""

    rows: tuple[NumberedRow, ...]
    examples: tuple[NumberedRow, ...]
    sha256: str

    def examples_for(self, row: NumberedRow, count: int) -> tuple[NumberedRow, ...]:
        """So many of the examples, none of which is the row itself."""
        return tuple(each for each in self.examples if each.where != row.where)[:count]


def hub_data(data: Data) -> HubData:
    """What is asked of the Hub."""
    return HubData(data.hub, data.config, data.split, data.files, data.revision, data.sha256)


def examples_data(data: Data, few_shot: FewShot) -> HubData | None:
    """The split that examples come from; None where they come from elsewhere."""
    if not few_shot.split or not data.hub:
        return None
    return HubData(data.hub, few_shot.config or data.config, few_shot.split, (), data.revision, None)


def read_task_rows(file: SuiteFile, name: str) -> TaskRows:
    """Raises BenchError."""
    task = file.suite.tasks[name]
    paths = _paths(file, name)
    rows = _chosen(file, name, _numbered(file, name, paths))
    if not rows:
        raise UsageError(f"{file.place(name, 'data')}: no row is left", hint="correct `where`")
    shots = task.few_shot
    if shots is None:
        return TaskRows(tuple(rows), (), files_sha256(paths))
    if shots.examples:
        fixed = [
            NumberedRow(number, _fields(row), f"{file.place(name, 'few_shot')}.examples[{number}]")
            for number, row in enumerate(shots.examples)
        ]
        return TaskRows(tuple(rows), tuple(fixed), files_sha256(paths))
    from_files = _example_paths(file, name, shots)
    is_same = from_files == paths
    there = rows if is_same else _chosen(file, name, _numbered(file, name, from_files))
    wanted = shots.count + is_same  # one may be the question itself
    if len(there) < wanted:
        raise UsageError(
            f"{file.place(name, 'few_shot')}: {shots.count} examples are wanted, and there are {len(there) - is_same}",
            hint=f"count: {max(0, len(there) - is_same)}, or another split",
        )
    examples = there[:wanted]
    if shots.seed is not None:
        examples = random.Random(f"{shots.seed}/{name}").sample(there, wanted)  # noqa: S311 - it can be repeated
    digest = hashlib.sha256(f"{files_sha256(paths)} {files_sha256(from_files)}".encode()).hexdigest()
    return TaskRows(tuple(rows), tuple(examples), digest)


def example_count(few_shot: FewShot | None) -> int:
    """How many examples stand before a question."""
    if few_shot is None:
        return 0
    return len(few_shot.examples) or few_shot.count


def _paths(file: SuiteFile, name: str) -> tuple[Path, ...]:
    data = file.suite.tasks[name].data
    if data.hub:
        return _of_hub(file, name, hub_data(data))
    path = beside(file, data.file, file.place(name, "data.file"))
    if data.sha256 is not None and (found := files_sha256([path])) != data.sha256:
        raise UsageError(
            f"{file.place(name, 'data.sha256')}: {path.name} has the sha256 {found}",
            hint="take the file that the suite was made for; or change the suite and its version",
        )
    return (path,)


def _example_paths(file: SuiteFile, name: str, shots: FewShot) -> tuple[Path, ...]:
    asked = examples_data(file.suite.tasks[name].data, shots)
    if asked is not None:
        return _of_hub(file, name, asked)
    return (beside(file, shots.file, file.place(name, "few_shot.file")),)


def _of_hub(file: SuiteFile, name: str, asked: HubData) -> tuple[Path, ...]:
    from evaluation.data.hub import fetch_data

    try:
        return fetch_data(asked).paths
    except BenchError as error:
        raise type(error)(f"{file.place(name, 'data')}: {error.message}", hint=error.hint) from error


def beside(file: SuiteFile, name: str, place: str) -> Path:
    """A file that a suite names, which lies in its folder or below. Raises UsageError.

    A suite may come from anybody, and its rows go to the model, perhaps to somebody's API.
    """
    folder = file.path.absolute().parent
    path = Path(name)
    if (
        path.is_absolute()
        or ".." in path.parts
        or not (folder / path).resolve().is_relative_to(folder.resolve())
    ):
        raise UsageError(
            f"{place}: {name} is not beside the suite",
            hint=f"put the file, not a link, into {folder}, and name it by its place there",
        )
    if path.suffix not in FILES:
        raise UsageError(f"{place}: {name} is not a data set", hint=f"its name ends in {', '.join(FILES)}")
    return folder / path


def _numbered(file: SuiteFile, name: str, paths: Sequence[Path]) -> list[NumberedRow]:
    found: list[Row] = []
    for path in paths:
        found += read_rows(path, header=True)
    prepare = _preparation(file, name)
    if prepare is not None:
        return _prepared(file, name, prepare, found, paths[0])
    return [NumberedRow(number, _row_fields(row), row.where) for number, row in enumerate(found)]


def _prepared(
    file: SuiteFile,
    name: str,
    prepare: Callable[[list[dict[str, Any]]], Iterable[dict[str, Any]]],
    rows: Sequence[Row],
    path: Path,
) -> list[NumberedRow]:
    place = file.place(name, "data.prepare")
    try:
        made = [_fields(dict(row)) for row in prepare([dict(row.data) for row in rows])]
    except BenchError:
        raise
    except Exception as error:  # of a user's own file, or rows of another form
        raise UsageError(
            f"{place}: {file.suite.tasks[name].data.prepare} failed with {type(error).__name__}: {error}",
            hint="it gets a list of rows, each a mapping, and gives such a list",
        ) from error
    return [
        NumberedRow(number, row, f"{place} of {path}, row {number}")  # by its source, and so by itself
        for number, row in enumerate(made)
    ]


def _preparation(file: SuiteFile, name: str) -> Callable[..., Any] | None:
    asked = file.suite.tasks[name].data.prepare
    if not asked:
        return None
    if asked in PREPARED:
        return PREPARED[asked]
    return own_function(file, asked, file.place(name, "data.prepare"), known=PREPARED)


def _chosen(file: SuiteFile, name: str, rows: list[NumberedRow]) -> list[NumberedRow]:
    where = file.suite.tasks[name].data.where
    if not where:
        return rows
    expression = Expression(where)
    found = []
    for row in rows:
        try:
            if expression.value(row.fields):
                found.append(row)
        except TemplateProblem as problem:
            raise UsageError(
                f"{file.place(name, 'data.where')}: {row.where}: {problem.what}",
                hint=f"correct it, then `suites validate {file.path}`",
            ) from None
    return found


def _row_fields(row: Row) -> dict[str, Any]:
    if not isinstance(row.data, dict):
        raise UsageError(f"{row.where}: must be a mapping of names to values", hint="write one object a line")
    return _fields(row.data)


def _fields(row: dict[str, Any]) -> dict[str, Any]:
    return {"row": row, **row}
